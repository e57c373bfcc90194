#include "kernels/elementwise/unary.h"

#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

// Elements a thread takes at a time cost about this many multiply-adds.
constexpr double kVectorWork = 1.0;
constexpr double kScalarWork = 20.0;

template <class T>
T integer_unary(IntegerUnary kind, T x) {
  const auto negated = static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(x));
  switch (kind) {
    case IntegerUnary::kAbs:
      return x < 0 ? negated : x;
    case IntegerUnary::kNeg:
      return negated;
    case IntegerUnary::kSign:
      return static_cast<T>((x > 0) - (x < 0));
    case IntegerUnary::kRelu:
      return x > 0 ? x : T{0};
    case IntegerUnary::kIdentity:
    case IntegerUnary::kNone:
      break;
  }
  return x;
}

PreparedKernel vector_kernel(PrepareContext& c, const ActivationParams& params, std::int64_t n) {
  const auto kernel = simd::activate_f32.get(c.isa());
  return {.name = c.with_isa("unary"), .run = [=](const KernelContext& k) {
            const auto* x = k.input<float>(0);
            auto* y = k.output<float>(0);
            k.parallel_for(n, is_cheap(params.kind) ? kVectorWork : 8 * kVectorWork,
                           [&](Range range, int) {
                             kernel(params, x + range.begin, y + range.begin,
                                    static_cast<std::size_t>(range.end - range.begin));
                           });
            return ok();
          }};
}

template <class T>
PreparedKernel scalar_kernel(const UnaryOp& op, double alpha, double beta, std::int64_t n) {
  return {.name = "unary/scalar", .run = [=](const KernelContext& k) {
            const T* x = k.input<T>(0);
            T* y = k.output<T>(0);
            k.parallel_for(n, kScalarWork, [&](Range range, int) {
              for (std::int64_t i = range.begin; i < range.end; ++i) {
                if constexpr (kIsFloating<T>) {
                  y[i] = narrow<T>(op.f(static_cast<double>(widen(x[i])), alpha, beta));
                } else {
                  y[i] = integer_unary(op.integer, x[i]);
                }
              }
            });
            return ok();
          }};
}

}  // namespace

Result<PreparedKernel> prepare_unary(PrepareContext& c, const UnaryOp& op) {
  const auto read = [&](const UnaryParameter& p) {
    return p.name != nullptr ? c.number(p.name, p.fallback) : p.fallback;
  };
  const float alpha = read(op.alpha), beta = read(op.beta);
  MINI_TRY(c.status());
  return prepare_unary(c, op, alpha, beta);
}

Result<PreparedKernel> prepare_unary(PrepareContext& c, const UnaryOp& op, float alpha,
                                     float beta) {
  const auto n = static_cast<std::int64_t>(c.storage_elements(c.shape(0), c.layout(0)));
  PreparedKernel kernel;
  if (c.dtype(0) == DType::kFloat32 && op.activation != Activation::kNone) {
    kernel = vector_kernel(c, {op.activation, alpha, beta}, n);
  } else {
    dispatch_dtype(c.dtype(0), [&]<class T>() {
      if constexpr (kIsFloating<T>) {
        if (op.f != nullptr) kernel = scalar_kernel<T>(op, alpha, beta, n);
      } else if constexpr (kIsInteger<T>) {
        if (op.integer != IntegerUnary::kNone) kernel = scalar_kernel<T>(op, alpha, beta, n);
      }
    });
  }
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  kernel.flop = static_cast<double>(n);
  allow_in_place(c, kernel, 0);
  return kernel;
}

}  // namespace mini_infer
