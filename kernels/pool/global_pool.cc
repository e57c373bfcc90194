// GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number for each plane.
// onnx.ai/onnx/operators/onnx__GlobalAveragePool.html

#include <cmath>
#include <limits>

#include "kernels/pool/pool.h"
#include "kernels/pool/pool.simd.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

enum class Kind { kAverage, kMax, kLp };

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  std::optional<SymShape> shape;
  if (const SymShape* x = c.shape(0)) {
    if (x->rank() < 2)
      return invalid_model("the input has shape ", *x, "; it needs rank 2 or more");
    shape = *x;
    for (std::size_t axis = 2; axis < x->rank(); ++axis) (*shape)[axis] = 1;
  }
  c.set_output(0, c.dtype(0), std::move(shape));
  return ok();
}

template <Kind kKind, class T>
T pool_plane(const T* x, std::int64_t count, double p) {
  double result = kKind == Kind::kMax ? -std::numeric_limits<double>::infinity() : 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = real(x[i]);
    if constexpr (kKind == Kind::kAverage) result += value;
    if constexpr (kKind == Kind::kMax)
      result = result >= value || std::isnan(result) ? result : value;
    if constexpr (kKind == Kind::kLp) result += std::pow(std::abs(value), p);
  }
  if constexpr (kKind == Kind::kAverage) result /= static_cast<double>(count);
  if constexpr (kKind == Kind::kLp) result = std::pow(result, 1 / p);
  return from_real<T>(result);
}

struct Planes {
  std::int64_t count, size;
};

template <Kind kKind>
Result<PreparedKernel> prepare_reference(PrepareContext& c, const Planes& planes) {
  double p = 2;
  if (kKind == Kind::kLp) {
    p = c.opset() < 2 ? static_cast<double>(c.number("p", 2.f))
                      : static_cast<double>(c.integer("p", 2));
    MINI_TRY(Status(c.status()));
    if (!(p > 0)) return invalid_model("p is ", p, "; it must be positive");
  }
  PreparedKernel kernel{.name = "global_pool/reference"};
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) {
      const T* x = k.input<T>(0);
      T* y = k.output<T>(0);
      k.parallel_for(planes.count, static_cast<double>(planes.size), [&](Range range, int) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
          y[i] = pool_plane<kKind>(x + i * planes.size, planes.size, p);
        }
      });
      return ok();
    };
  });
  if (!known) return not_implemented(c.node().op_type, " of ", c.dtype(0));
  return kernel;
}

// Float32: plain planes.
PreparedKernel prepare_plain(const PrepareContext& c, const Planes& planes, bool average) {
  PreparedKernel kernel{.name = c.with_isa("global_pool/plain")};
  const auto reduce = (average ? simd::sum_f32 : simd::max_f32).get(c.isa());
  const float factor = average ? 1.f / static_cast<float>(planes.size) : 1.f;
  kernel.run = [=](const KernelContext& k) {
    const float* x = k.input<float>(0);
    float* y = k.output<float>(0);
    k.parallel_for(planes.count, static_cast<double>(planes.size), [&](Range range, int) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        y[i] = reduce(x + i * planes.size, planes.size) * factor;
      }
    });
    return ok();
  };
  return kernel;
}

// Float32: blocks of planes.
PreparedKernel prepare_blocked(const PrepareContext& c, const Planes& planes, bool average) {
  PreparedKernel kernel{.name = c.with_isa("global_pool/blocked")};
  const auto reduce = (average ? simd::mean_blocked_f32 : simd::max_blocked_f32).get(c.isa());
  const std::int64_t lanes = c.lanes();
  const double work = static_cast<double>(planes.size * lanes);
  kernel.run = [=](const KernelContext& k) {
    const float* x = k.input<float>(0);
    float* y = k.output<float>(0);
    k.parallel_for(planes.count, work, [&](Range range, int) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        reduce(x + i * planes.size * lanes, planes.size, y + i * lanes);
      }
    });
    return ok();
  };
  return kernel;
}

template <Kind kKind>
Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  Planes planes{.count = x[0] * x[1], .size = x.elements(2, x.rank())};
  if (planes.size == 0) return invalid_model("the input has shape ", x, "; its planes are empty");
  Result<PreparedKernel> kernel = [&]() -> Result<PreparedKernel> {
    if (kKind == Kind::kLp || c.dtype(0) != DType::kFloat32) {
      return prepare_reference<kKind>(c, planes);
    }
    if (c.layout(0) == Layout::kPlain) return prepare_plain(c, planes, kKind == Kind::kAverage);
    planes.count = x[0] * ((x[1] + c.lanes() - 1) / c.lanes());
    return prepare_blocked(c, planes, kKind == Kind::kAverage);
  }();
  if (kernel.ok()) kernel->flop = static_cast<double>(x.elements());
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(GlobalAveragePool, {.type = "GlobalAveragePool",
                                   .since = {1, 22},
                                   .infer = infer,
                                   .prepare = prepare<Kind::kAverage>,
                                   .layout = pool_layout})
MINI_DEFINE_OP(GlobalMaxPool, {.type = "GlobalMaxPool",
                               .since = {1, 22},
                               .infer = infer,
                               .prepare = prepare<Kind::kMax>,
                               .layout = pool_layout})
MINI_DEFINE_OP(GlobalLpPool, {.type = "GlobalLpPool",
                              .since = {1, 2, 22},
                              .infer = infer,
                              .prepare = prepare<Kind::kLp>})

}  // namespace mini_infer
