// Softmax, LogSoftmax, Hardmax. Opset < 13 makes x a matrix of the dimensions before and from
// `axis` on; later ones go along `axis` alone.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "kernels/real.h"
#include "kernels/reduce/axis_view.h"
#include "kernels/reduce/softmax.simd.h"

namespace mini_infer {
namespace {

enum class Kind { kSoftmax, kLogSoftmax, kHardmax };
constexpr const char* kNames[] = {"softmax", "log_softmax", "hardmax"};

Result<AxisView> view_of(const PrepareContext& c) {
  const Shape& shape = c.shape(0);
  const std::int64_t axis = c.integer("axis", c.opset() < 13 ? 1 : -1);
  MINI_TRY(c.status());
  if (c.opset() >= 13) return axis_view(shape, axis);
  const auto rank = static_cast<std::int64_t>(shape.rank());
  if (axis < -rank || axis > rank) {
    return invalid_model("attribute 'axis' is ", axis, "; x has rank ", rank);
  }
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  return AxisView{.outer = shape.elements(0, at), .k = shape.elements(at, shape.rank())};
}

// One line of k elements, `step` apart, in double.
template <class T>
void line(Kind kind, const T* x, T* y, std::int64_t k, std::int64_t step) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < k; ++j) {
    if (real(x[j * step]) > real(x[best * step])) best = j;
  }
  if (kind == Kind::kHardmax) {
    for (std::int64_t j = 0; j < k; ++j) y[j * step] = from_real<T>(j == best ? 1 : 0);
    return;
  }
  const double most = real(x[best * step]);
  double sum = 0;
  for (std::int64_t j = 0; j < k; ++j) sum += std::exp(real(x[j * step]) - most);
  const double log_sum = std::log(sum);
  for (std::int64_t j = 0; j < k; ++j) {
    const double v = real(x[j * step]) - most;
    y[j * step] = from_real<T>(kind == Kind::kSoftmax ? std::exp(v) / sum : v - log_sum);
  }
}

template <class T>
PreparedKernel scalar_kernel(Kind kind, AxisView view) {
  return {.name = cat(kNames[static_cast<int>(kind)], "/scalar"),
          .run = [=](const KernelContext& k) {
            const double work = 20.0 * static_cast<double>(view.k);
            k.parallel_for(view.lines(), work, [&](Range range, int) {
              for (std::int64_t i = range.begin; i < range.end; ++i) {
                const std::int64_t at = view.offset(i);
                line(kind, k.input<T>(0) + at, k.output<T>(0) + at, view.k, view.inner);
              }
            });
            return ok();
          }};
}

PreparedKernel row_kernel(PrepareContext& c, AxisView view, bool log) {
  const auto rows = simd::softmax_rows_f32.get(c.isa());
  return {.run = [=](const KernelContext& k) {
    k.parallel_for(view.outer, 10.0 * static_cast<double>(view.k), [&](Range range, int) {
      const std::int64_t at = range.begin * view.k;
      rows(k.input<float>(0) + at, k.output<float>(0) + at, range.end - range.begin, view.k, log);
    });
    return ok();
  }};
}

PreparedKernel column_kernel(PrepareContext& c, AxisView view, bool log) {
  const auto columns = simd::softmax_columns_f32.get(c.isa());
  constexpr std::int64_t kChunk = 64;  // columns of one item: whole cache lines
  const std::int64_t chunks = (view.inner + kChunk - 1) / kChunk;
  return {.run = [=](const KernelContext& k) {
    const double work = 10.0 * static_cast<double>(view.k * std::min(kChunk, view.inner));
    k.parallel_for(view.outer * chunks, work, [&](Range range, int) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const std::int64_t first = i % chunks * kChunk;
        const std::int64_t at = i / chunks * view.k * view.inner + first;
        columns(k.input<float>(0) + at, k.output<float>(0) + at,
                std::min(kChunk, view.inner - first), view.k, view.inner, log);
      }
    });
    return ok();
  }};
}

template <Kind kind>
Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const AxisView view, view_of(c));
  PreparedKernel kernel;
  const std::int64_t n = c.shape(0).elements();
  if (n == 0) {
    kernel = {.name = "softmax/empty", .run = [](const KernelContext&) { return ok(); }};
  } else if (c.dtype(0) == DType::kFloat32 && kind != Kind::kHardmax) {
    constexpr bool kLog = kind == Kind::kLogSoftmax;
    kernel = view.inner == 1 ? row_kernel(c, view, kLog) : column_kernel(c, view, kLog);
    kernel.name =
        c.with_isa(cat(kNames[static_cast<int>(kind)], view.inner == 1 ? "/rows" : "/columns"));
  } else {
    dispatch_floating(c.dtype(0), [&]<class T>() { kernel = scalar_kernel<T>(kind, view); });
  }
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  kernel.flop = 12.0 * static_cast<double>(n);
  allow_in_place(c, kernel, 0);
  return kernel;
}

}  // namespace

#define MINI_SOFTMAX(name)                    \
  MINI_DEFINE_OP(name, {.type = #name,        \
                        .since = {1, 11, 13}, \
                        .infer = infer_same,  \
                        .prepare = prepare<Kind::k##name>})

MINI_SOFTMAX(Softmax)
MINI_SOFTMAX(LogSoftmax)
MINI_SOFTMAX(Hardmax)

}  // namespace mini_infer
