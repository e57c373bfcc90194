// LayerNormalization, RMSNormalization and their com.microsoft relatives: statistics over the last
// axes.
//   y = (x - mean) / sqrt(var + epsilon) * scale + bias
//   onnx.ai/onnx/operators/onnx__LayerNormalization.html y = x / sqrt(mean(x^2) + epsilon) * scale
//   onnx.ai/onnx/operators/onnx__RMSNormalization.html
// The Skip* forms normalise input + skip (+ bias), and may give that sum as output 3.
#include <algorithm>

#include "kernels/norm/norm.h"
#include "kernels/norm/norm.simd.h"

namespace mini_infer {
namespace {

enum class Statistic { kMeanAndVariance, kRootMeanSquare };

// Rows of `size` elements: the axes before and from `axis` on.
struct Rows {
  std::int64_t count = 0, size = 0;
  std::size_t axis = 0;
};

Result<std::int64_t> normalized_axis(const AttributeReader& node, std::size_t rank) {
  const std::int64_t given = node.integer("axis", -1);
  const std::int64_t axis = given < 0 ? given + static_cast<std::int64_t>(rank) : given;
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) {
    return invalid_model("axis is ", given, "; the input has rank ", rank);
  }
  return axis;
}

Status infer_rows(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  const DType stash = c.integer("stash_type", 1) == 1 ? DType::kFloat32 : c.dtype(0);
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, stash);
  if (c.shape(0) == nullptr) return ok();
  MINI_TRY_ASSIGN(const std::int64_t axis, normalized_axis(c, c.shape(0)->rank()));
  SymShape statistics = *c.shape(0);
  for (std::size_t i = static_cast<std::size_t>(axis); i < statistics.rank(); ++i)
    statistics[i] = 1;
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, stash, statistics);
  return ok();
}

// How one operator reads its inputs and what it gives.
struct RowNorm {
  Statistic statistic = Statistic::kMeanAndVariance;
  Rows rows;
  double epsilon = 1e-5;
  std::size_t scale = 1, bias = 2;  // inputs; bias is null at run time where it is left out
  std::size_t mean_output = 1, inverse_output = 2;
  bool skip = false;           // input 1 is added before
  std::size_t skip_bias = 0;   // an input of one row added too; 0: none
  std::int64_t skip_rows = 0;  // rows of input 1; fewer than rows.count: it repeats
};

template <class T>
double root_mean_square(Isa isa, const T* x, std::int64_t n, double epsilon) {
  double sum = 0;
  if constexpr (std::is_same_v<T, float>) {
    sum = simd::sum_squares_f32.get(isa)(x, static_cast<std::size_t>(n));
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return std::sqrt(sum / static_cast<double>(n) + epsilon);
}

template <class T>
void normalize_row(const RowNorm& norm, Isa isa, const KernelContext& k, std::int64_t row,
                   const T* x, T* y) {
  const std::int64_t n = norm.rows.size;
  double mean = 0, inverse = 0;
  if (norm.statistic == Statistic::kMeanAndVariance) {
    const Moments m = moments_of(isa, x, n);
    mean = m.mean;
    inverse = 1 / std::sqrt(m.variance + norm.epsilon);
  } else {
    inverse = 1 / root_mean_square(isa, x, n, norm.epsilon);
  }
  if (auto* out = k.output<float>(norm.mean_output)) out[row] = static_cast<float>(mean);
  if (auto* out = k.output<float>(norm.inverse_output)) out[row] = static_cast<float>(inverse);
  const T *scale = k.input<T>(norm.scale), *bias = k.input<T>(norm.bias);
  if constexpr (std::is_same_v<T, float>) {
    simd::normalize_row_f32.get(isa)(x, y, static_cast<std::size_t>(n), static_cast<float>(mean),
                                     static_cast<float>(inverse), scale, bias);
  } else {
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = (x[i] - mean) * inverse * (scale != nullptr ? scale[i] : 1) +
             (bias != nullptr ? bias[i] : 0);
    }
  }
}

// x + skip (+ bias) into `sum`.
template <class T>
void add_skip(const RowNorm& norm, Isa isa, const KernelContext& k, std::int64_t row, T* sum) {
  const std::int64_t n = norm.rows.size;
  const T *x = k.input<T>(0) + row * n, *skip = k.input<T>(1) + row % norm.skip_rows * n;
  const T* bias = norm.skip_bias > 0 ? k.input<T>(norm.skip_bias) : nullptr;
  if constexpr (std::is_same_v<T, float>) {
    simd::add_rows_f32.get(isa)(x, skip, bias, sum, static_cast<std::size_t>(n));
  } else {
    for (std::int64_t i = 0; i < n; ++i) sum[i] = x[i] + skip[i] + (bias != nullptr ? bias[i] : 0);
  }
}

Result<PreparedKernel> prepare_rows(PrepareContext& c, const RowNorm& norm, const char* name) {
  if (norm.rows.size == 0 && norm.rows.count > 0)
    return invalid_model("the input has shape ", c.shape(0), "; its rows are empty");
  for (const std::size_t i : {norm.scale, norm.bias}) {
    if (!c.has_input(i)) continue;
    if (c.dtype(i) != c.dtype(0))
      return not_implemented("input ", i, " is ", c.dtype(i), " and the data ", c.dtype(0));
    if (c.shape(i).elements() != norm.rows.size) {
      return not_implemented("input ", i, " has shape ", c.shape(i), "; it must hold the ",
                             norm.rows.size, " values of the normalised axes of ", c.shape(0));
    }
  }
  return for_real(c, [&]<class T>() -> Result<PreparedKernel> {
    PreparedKernel kernel{.name = c.with_isa(name),
                          .flop = 6.0 * static_cast<double>(c.shape(0).elements())};
    if (!norm.skip)
      kernel.aliases = {{.kind = Alias::Kind::kInPlace, .output = 0, .input = 0, .offset = 0}};
    kernel.run = [norm, isa = c.isa()](const KernelContext& k) {
      const std::int64_t n = norm.rows.size;
      k.parallel_for(norm.rows.count, 6.0 * static_cast<double>(n), [&](Range range, int) {
        for (std::int64_t row = range.begin; row < range.end; ++row) {
          T* y = k.output<T>(0) + row * n;
          const T* x = k.input<T>(0) + row * n;
          if (norm.skip) {
            T* sum = k.output<T>(3) != nullptr ? k.output<T>(3) + row * n : y;
            add_skip(norm, isa, k, row, sum);
            x = sum;
          }
          normalize_row(norm, isa, k, row, x, y);
        }
      });
      return ok();
    };
    return kernel;
  });
}

template <Statistic kStatistic>
Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const std::int64_t given, normalized_axis(c, x.rank()));
  const auto axis = static_cast<std::size_t>(given);
  RowNorm norm{
      .statistic = kStatistic,
      .rows = {.count = x.elements(0, axis), .size = x.elements(axis, x.rank()), .axis = axis},
      .epsilon = static_cast<double>(c.number("epsilon", 1e-5f))};
  if (kStatistic == Statistic::kRootMeanSquare) {
    norm.mean_output = 2;  // SimplifiedLayerNormalization gives the inverse root as output 1
    norm.inverse_output = 1;
  }
  for (std::size_t i = 1; i < c.output_count(); ++i) {
    if (c.has_output(i) && c.output_dtype(i) != DType::kFloat32) {
      return not_implemented("output ", i, " of ", c.output_dtype(i), "; statistics are float32");
    }
  }
  return prepare_rows(c, norm,
                      kStatistic == Statistic::kRootMeanSquare ? "rms_norm" : "layer_norm");
}

Status infer_skip(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 5));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  c.set_output(1, DType::kFloat32);
  c.set_output(2, DType::kFloat32);
  if (const SymShape* x = c.shape(0)) {
    SymShape statistics = *x;
    if (statistics.rank() > 0) statistics[statistics.rank() - 1] = 1;
    c.set_output(1, DType::kFloat32, statistics);
    c.set_output(2, DType::kFloat32, statistics);
  }
  c.set_output(3, c.dtype(0), c.input(0).shape);
  return ok();
}

// Inputs: x, skip, gamma, beta (not in the simplified form), bias.
template <Statistic kStatistic>
Result<PreparedKernel> prepare_skip(PrepareContext& c) {
  const Shape& x = c.shape(0);
  if (x.rank() == 0) return invalid_model("the input is a scalar; it must have rows");
  constexpr bool kSimplified = kStatistic == Statistic::kRootMeanSquare;
  constexpr std::size_t kNone = 99;
  const std::size_t last = x.rank() - 1;
  RowNorm norm{.statistic = kStatistic,
               .rows = {.count = x.elements(0, last), .size = x[last], .axis = last},
               .epsilon = static_cast<double>(c.number("epsilon", 1e-5f)),
               .scale = 2,
               .bias = kSimplified ? kNone : 3};
  norm.skip = true;
  norm.skip_bias = kSimplified ? 3 : 4;
  if (!c.has_input(norm.skip_bias)) norm.skip_bias = 0;
  norm.skip_rows = norm.rows.size > 0 ? c.shape(1).elements() / norm.rows.size : 1;
  if (c.dtype(1) != c.dtype(0) || norm.skip_rows <= 0 || norm.rows.count % norm.skip_rows != 0 ||
      norm.skip_rows * norm.rows.size != c.shape(1).elements()) {
    return invalid_model("skip is ", c.dtype(1), c.shape(1),
                         "; it must have the dtype and rows of the input ", c.dtype(0), x);
  }
  if (norm.skip_bias > 0 && c.shape(norm.skip_bias).elements() != norm.rows.size) {
    return invalid_model("bias has shape ", c.shape(norm.skip_bias), "; it must hold ",
                         norm.rows.size, " values");
  }
  return prepare_rows(c, norm, kSimplified ? "skip_rms_norm" : "skip_layer_norm");
}

constexpr auto kMean = Statistic::kMeanAndVariance;
constexpr auto kRms = Statistic::kRootMeanSquare;

}  // namespace

MINI_DEFINE_OP(LayerNormalization, {.type = "LayerNormalization",
                                    .since = {1, 17},
                                    .infer = infer_rows,
                                    .prepare = prepare<kMean>})
MINI_DEFINE_OP(InternalLayerNormalization, {.domain = kInternalDomain,
                                            .type = "LayerNormalization",
                                            .since = {1},
                                            .infer = infer_rows,
                                            .prepare = prepare<kMean>})
MINI_DEFINE_OP(RMSNormalization, {.type = "RMSNormalization",
                                  .since = {23},
                                  .infer = infer_rows,
                                  .prepare = prepare<kRms>})
MINI_DEFINE_OP(SimplifiedLayerNormalization, {.type = "SimplifiedLayerNormalization",
                                              .since = {1},
                                              .infer = infer_rows,
                                              .prepare = prepare<kRms>})
MINI_DEFINE_OP(SkipLayerNormalization, {.domain = "com.microsoft",
                                        .type = "SkipLayerNormalization",
                                        .since = {1},
                                        .infer = infer_skip,
                                        .prepare = prepare_skip<kMean>})
MINI_DEFINE_OP(SkipSimplifiedLayerNormalization, {.domain = "com.microsoft",
                                                  .type = "SkipSimplifiedLayerNormalization",
                                                  .since = {1},
                                                  .infer = infer_skip,
                                                  .prepare = prepare_skip<kRms>})

}  // namespace mini_infer
