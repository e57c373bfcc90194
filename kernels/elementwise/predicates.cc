// Not, BitwiseNot, IsNaN, IsInf.
#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"

namespace mini_infer {
namespace {

// y[i] = f(x[i])
template <class X, class Y, class F>
PreparedKernel map_kernel(const char* name, std::int64_t n, F f) {
  return {.name = name, .run = [=](const KernelContext& k) {
            const X* x = k.input<X>(0);
            Y* y = k.output<Y>(0);
            k.parallel_for(n, 1, [&](Range range, int) {
              for (std::int64_t i = range.begin; i < range.end; ++i) y[i] = f(x[i]);
            });
            return ok();
          }};
}

// The kernel that make.operator()<T>() gives for input 0's dtype; empty for dtypes it does not
// take.
template <class Make>
Result<PreparedKernel> by_dtype(PrepareContext& c, Make&& make) {
  PreparedKernel kernel;
  dispatch_dtype(c.dtype(0), [&]<class T>() { kernel = make.template operator()<T>(); });
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  allow_in_place(c, kernel, 0);
  return kernel;
}

Status infer_flag(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kBool, c.input(0).shape);
  return ok();
}

Status infer_not(InferContext& c) {
  MINI_TRY(infer_flag(c));
  infer_contents(c, [](const Dim& x, const Dim&) -> std::optional<Dim> {
    return x.known() ? std::optional(Dim(x.is(0) ? 1 : 0)) : std::nullopt;
  });
  return ok();
}

Result<PreparedKernel> prepare_not(PrepareContext& c) {
  return by_dtype(c, [&]<class T>() -> PreparedKernel {
    if constexpr (std::is_same_v<T, bool>) {
      return map_kernel<T, T>("not", c.shape(0).elements(), [](bool x) { return !x; });
    }
    return {};
  });
}

Result<PreparedKernel> prepare_bitwise_not(PrepareContext& c) {
  return by_dtype(c, [&]<class T>() -> PreparedKernel {
    if constexpr (kIsInteger<T>) {
      return map_kernel<T, T>("bitwise_not", c.shape(0).elements(),
                              [](T x) { return static_cast<T>(~x); });
    }
    return {};
  });
}

Result<PreparedKernel> prepare_is_nan(PrepareContext& c) {
  return by_dtype(c, [&]<class T>() -> PreparedKernel {
    if constexpr (kIsFloating<T>) {
      return map_kernel<T, bool>("is_nan", c.shape(0).elements(),
                                 [](T x) { return std::isnan(widen(x)); });
    }
    return {};
  });
}

Result<PreparedKernel> prepare_is_inf(PrepareContext& c) {
  const bool positive = c.integer("detect_positive", 1) != 0;
  const bool negative = c.integer("detect_negative", 1) != 0;
  MINI_TRY(c.status());
  return by_dtype(c, [&]<class T>() -> PreparedKernel {
    if constexpr (kIsFloating<T>) {
      return map_kernel<T, bool>("is_inf", c.shape(0).elements(), [=](T x) {
        return std::isinf(widen(x)) && (widen(x) > 0 ? positive : negative);
      });
    }
    return {};
  });
}

}  // namespace

MINI_DEFINE_OP(Not, {.type = "Not",
                     .since = {1},
                     .infer = infer_not,
                     .prepare = prepare_not,
                     .traits = kElementwise})
MINI_DEFINE_OP(BitwiseNot, {.type = "BitwiseNot",
                            .since = {18},
                            .infer = infer_same,
                            .prepare = prepare_bitwise_not,
                            .traits = kElementwise})
MINI_DEFINE_OP(IsNaN, {.type = "IsNaN",
                       .since = {9, 13, 20},
                       .infer = infer_flag,
                       .prepare = prepare_is_nan,
                       .traits = kElementwise})
MINI_DEFINE_OP(IsInf, {.type = "IsInf",
                       .since = {10, 20},
                       .infer = infer_flag,
                       .prepare = prepare_is_inf,
                       .traits = kElementwise})

}  // namespace mini_infer
