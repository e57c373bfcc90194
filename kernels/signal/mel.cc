// MelWeightMatrix: triangular filters at equal distances on the mel scale.
//                                              onnx.ai/onnx/operators/onnx__MelWeightMatrix.html
#include <cmath>
#include <vector>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// Inputs: num_mel_bins, dft_length, sample_rate, lower and upper edge in Hz.
Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(5));
  const auto dtype = static_cast<DType>(c.integer("output_datatype", 1));
  SymShape out = unknown_shape(c, 0, 2);
  const auto bins = c.ints_of(0), length = c.ints_of(1);
  if (length && length->size() == 1 && length->front() >= 0) out[0] = length->front() / 2 + 1;
  if (bins && bins->size() == 1 && bins->front() >= 0) out[1] = bins->front();
  c.set_output(0, dtype, out);
  return ok();
}

double to_mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double to_hertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

// Spectrogram bins at the edges and tops of the filters.
std::vector<std::int64_t> filter_points(std::int64_t filters, std::int64_t dft_length,
                                        double sample_rate, double lower, double upper) {
  const double low = to_mel(lower), step = (to_mel(upper) - low) / static_cast<double>(filters + 2);
  std::vector<std::int64_t> points;
  for (std::int64_t i = 0; i < filters + 2; ++i) {
    const double hertz = to_hertz(low + static_cast<double>(i) * step);
    points.push_back(static_cast<std::int64_t>(
        std::floor(static_cast<double>(dft_length + 1) * hertz / sample_rate)));
  }
  return points;
}

// The matrix [bins][filters].
std::vector<double> weights(std::int64_t bins, const std::vector<std::int64_t>& points) {
  const auto filters = static_cast<std::int64_t>(points.size()) - 2;
  std::vector<double> out(static_cast<std::size_t>(bins * filters), 0.0);
  for (std::int64_t f = 0; f < filters; ++f) {
    const auto i = static_cast<std::size_t>(f);
    const std::int64_t low = points[i], top = points[i + 1], high = points[i + 2];
    const auto set = [&](std::int64_t bin, double value) {
      if (bin >= 0 && bin < bins) out[static_cast<std::size_t>(bin * filters + f)] = value;
    };
    if (low == top) set(top, 1);
    for (std::int64_t bin = low; bin <= top && low != top; ++bin) {
      set(bin, static_cast<double>(bin - low) / static_cast<double>(top - low));
    }
    for (std::int64_t bin = top; bin < high; ++bin) {
      set(bin, static_cast<double>(high - bin) / static_cast<double>(high - top));
    }
  }
  return out;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  double numbers[5] = {};
  for (std::size_t i = 0; i < 5; ++i) {
    const auto number = c.constant(i) != nullptr ? single_number(*c.constant(i)) : std::nullopt;
    if (!number) return not_implemented("input ", i, " of MelWeightMatrix is not constant");
    numbers[i] = *number;
  }
  constexpr double kMostElements = 1e8;
  if (static_cast<double>(out[0]) * static_cast<double>(out[1]) > kMostElements) {
    return error(Code::kResourceExhausted, "a matrix of shape ", out, " is too large");
  }
  if (!(numbers[2] > 0 && numbers[3] >= 0 && numbers[4] >= numbers[3] && numbers[4] < 1e9)) {
    return invalid_model("a sample rate of ", numbers[2], " with edges ", numbers[3], " and ",
                         numbers[4]);
  }
  const auto points = filter_points(out[1], static_cast<std::int64_t>(numbers[1]), numbers[2],
                                    numbers[3], numbers[4]);
  PreparedKernel kernel;
  kernel.name = "mel_weight_matrix";
  const bool known = dispatch_dtype(c.output_dtype(), [&]<class T>() {
    kernel.run = [matrix = weights(out[0], points)](const KernelContext& k) {
      for (std::size_t i = 0; i < matrix.size(); ++i) {
        k.output<T>(0)[i] = narrowed<T>(matrix[i]);
      }
      return ok();
    };
  });
  if (!known) return not_implemented("MelWeightMatrix of ", dtype_name(c.output_dtype()));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MelWeightMatrix,
               {.type = "MelWeightMatrix", .since = {17}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
