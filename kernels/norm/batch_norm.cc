// BatchNormalization: y = (x - mean) / sqrt(var + epsilon) * scale + B, per channel.
// onnx.ai/onnx/operators/onnx__BatchNormalization.html
//
// Inference, and training_mode of opset 14 and later: statistics of this batch, and running ones as
// outputs. Before opset 14 a node with more than one output trains; those outputs are given as in
// training_mode.
#include <algorithm>

#include "kernels/norm/norm.h"

namespace mini_infer {
namespace {

bool trains(const AttributeReader& node, int opset) {
  return opset >= 14 ? node.integer("training_mode", 0) != 0 : false;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(5));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, c.dtype(3), c.input(3).shape);
  return ok();
}

// scale, B, mean, var as numbers.
struct Parameters {
  std::vector<double> scale, shift, mean, variance;
};
Parameters read_parameters(const KernelContext& k, const std::vector<DType>& dtypes,
                           std::int64_t channels) {
  return {.scale = read_numbers(k.inputs[1], dtypes[1], channels),
          .shift = read_numbers(k.inputs[2], dtypes[2], channels),
          .mean = read_numbers(k.inputs[3], dtypes[3], channels),
          .variance = read_numbers(k.inputs[4], dtypes[4], channels)};
}

// Statistics over batch and space, and the running ones (outputs 1 and 2).
template <class T>
void use_batch_statistics(const KernelContext& k, const NormPlanes& planes, double momentum,
                          Parameters& p) {
  const T* x = k.input<T>(0);
  const double count = static_cast<double>(planes.batch * planes.size);
  for (std::int64_t ch = 0; ch < planes.channels; ++ch) {
    double sum = 0, squares = 0;
    const auto each = [&](auto&& f) {
      for (std::int64_t n = 0; n < planes.batch; ++n) {
        const T* plane = x + (n * planes.channels + ch) * planes.size;
        for (std::int64_t i = 0; i < planes.size; ++i) f(static_cast<double>(plane[i]));
      }
    };
    each([&](double v) { sum += v; });
    const double mean = sum / count;
    each([&](double v) { squares += (v - mean) * (v - mean); });
    const double variance = squares / count;
    const auto at = static_cast<std::size_t>(ch);
    if (T* out = k.output<T>(1))
      out[ch] = static_cast<T>(p.mean[at] * momentum + mean * (1 - momentum));
    if (T* out = k.output<T>(2))
      out[ch] = static_cast<T>(p.variance[at] * momentum + variance * (1 - momentum));
    p.mean[at] = mean;
    p.variance[at] = variance;
  }
}

ScaleShift scale_shift(const Parameters& p, double epsilon, std::size_t padded) {
  ScaleShift s{.k = std::vector<float>(padded, 0.f), .b = std::vector<float>(padded, 0.f)};
  for (std::size_t ch = 0; ch < p.scale.size(); ++ch) {
    const double factor = p.scale[ch] / std::sqrt(p.variance[ch] + epsilon);
    s.k[ch] = static_cast<float>(factor);
    s.b[ch] = static_cast<float>(p.shift[ch] - p.mean[ch] * factor);
  }
  return s;
}

template <class T>
void normalize_planes(const NormPlanes& planes, const Parameters& p, double epsilon, const T* x,
                      T* y) {
  for (std::int64_t i = 0; i < planes.batch * planes.channels; ++i) {
    const auto ch = static_cast<std::size_t>(i % planes.channels);
    const double factor = p.scale[ch] / std::sqrt(p.variance[ch] + epsilon);
    for (std::int64_t j = i * planes.size; j < (i + 1) * planes.size; ++j) {
      y[j] = static_cast<T>((static_cast<double>(x[j]) - p.mean[ch]) * factor + p.shift[ch]);
    }
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const NormPlanes planes = planes_of(c.shape(0));
  for (std::size_t i = 1; i < 5; ++i) MINI_TRY(expect_channels(c, i, planes.channels));
  if (c.opset() < 9 && c.integer("spatial", 1) == 0)
    return not_implemented("spatial = 0 (statistics for each element)");
  std::vector<DType> dtypes;
  for (std::size_t i = 0; i < 5; ++i) dtypes.push_back(c.dtype(i));
  const double epsilon = static_cast<double>(c.number("epsilon", 1e-5f));
  const double momentum = static_cast<double>(c.number("momentum", 0.9f));
  const bool training = trains(c, c.opset());
  return for_real(c, [&]<class T>() -> Result<PreparedKernel> {
    PreparedKernel kernel{.name = c.with_isa("batch_norm"),
                          .flop = 2.0 * static_cast<double>(c.shape(0).elements())};
    kernel.aliases = {{.kind = Alias::Kind::kInPlace, .output = 0, .input = 0, .offset = 0}};
    kernel.run = [=, isa = c.isa(), layout = c.layout(0)](const KernelContext& k) {
      Parameters p = read_parameters(k, dtypes, planes.channels);
      if (training) use_batch_statistics<T>(k, planes, momentum, p);
      if constexpr (std::is_same_v<T, float>) {
        const std::size_t padded =
            static_cast<std::size_t>(planes.blocks(isa_lanes(isa)) * isa_lanes(isa));
        apply_scale_shift(k, isa, layout, planes, {scale_shift(p, epsilon, padded)},
                          k.input<float>(0), k.output<float>(0));
      } else {
        normalize_planes(planes, p, epsilon, k.input<T>(0), k.output<T>(0));
      }
      return ok();
    };
    return kernel;
  });
}

}  // namespace

MINI_DEFINE_OP(BatchNormalization, {.type = "BatchNormalization",
                                    .since = {1, 6, 7, 9, 14, 15},
                                    .infer = infer,
                                    .prepare = prepare,
                                    .layout = channelwise_layout})

}  // namespace mini_infer
