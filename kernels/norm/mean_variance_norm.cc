// MeanVarianceNormalization: y = (x - mean) / sqrt(var), statistics over `axes`.
// onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html
//
// The epsilon of 1e-9 is that of the function body in the standard, added to the standard
// deviation.
#include <algorithm>

#include "kernels/norm/norm.h"

namespace mini_infer {
namespace {

constexpr double kEpsilon = 1e-9;

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

// For each element, the index of its statistics: its coordinates along the axes that are kept.
std::vector<std::int64_t> statistics_index(const Shape& x, const std::vector<bool>& reduced,
                                           std::int64_t& count) {
  std::vector<std::int64_t> strides(x.rank(), 0);
  count = 1;
  for (std::size_t axis = x.rank(); axis-- > 0;) {
    if (reduced[axis]) continue;
    strides[axis] = count;
    count *= x[axis];
  }
  std::vector<std::int64_t> index(static_cast<std::size_t>(x.elements()));
  std::vector<std::int64_t> at(x.rank(), 0);
  std::int64_t current = 0;
  for (std::int64_t& out : index) {
    out = current;
    for (std::size_t axis = x.rank(); axis-- > 0;) {
      current += strides[axis];
      if (++at[axis] < x[axis]) break;
      current -= strides[axis] * x[axis];
      at[axis] = 0;
    }
  }
  return index;
}

template <class T>
void run(const std::vector<std::int64_t>& index, std::int64_t count, const T* x, T* y) {
  std::vector<double> mean(static_cast<std::size_t>(count), 0), variance(mean);
  const double per =
      static_cast<double>(index.size()) / static_cast<double>(std::max<std::int64_t>(count, 1));
  for (std::size_t i = 0; i < index.size(); ++i)
    mean[static_cast<std::size_t>(index[i])] += static_cast<double>(x[i]) / per;
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto s = static_cast<std::size_t>(index[i]);
    const double d = static_cast<double>(x[i]) - mean[s];
    variance[s] += d * d / per;
  }
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto s = static_cast<std::size_t>(index[i]);
    y[i] =
        static_cast<T>((static_cast<double>(x[i]) - mean[s]) / (std::sqrt(variance[s]) + kEpsilon));
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  Ints axes = c.ints("axes", {0, 2, 3});
  if (!c.has("axes") && c.opset() < 9 && c.integer("across_channels", 0) != 0) axes = {1, 2, 3};
  if (!c.has("axes") && c.opset() < 9 && c.integer("across_channels", 0) == 0) axes = {2, 3};
  std::vector<bool> reduced(x.rank(), false);
  for (const std::int64_t given : axes) {
    const std::int64_t axis = given < 0 ? given + static_cast<std::int64_t>(x.rank()) : given;
    if (axis < 0 || axis >= static_cast<std::int64_t>(x.rank())) {
      return invalid_model("axes holds ", given, "; the input has shape ", x);
    }
    reduced[static_cast<std::size_t>(axis)] = true;
  }
  std::int64_t count = 1;
  auto index =
      std::make_shared<const std::vector<std::int64_t>>(statistics_index(x, reduced, count));
  return for_real(c, [&]<class T>() -> Result<PreparedKernel> {
    return PreparedKernel{.name = "mean_variance_norm",
                          .run =
                              [index, count](const KernelContext& k) {
                                run(*index, count, k.input<T>(0), k.output<T>(0));
                                return ok();
                              },
                          .flop = 5.0 * static_cast<double>(x.elements())};
  });
}

}  // namespace

MINI_DEFINE_OP(MeanVarianceNormalization, {.type = "MeanVarianceNormalization",
                                           .since = {1, 9, 13},
                                           .infer = infer,
                                           .prepare = prepare})

}  // namespace mini_infer
