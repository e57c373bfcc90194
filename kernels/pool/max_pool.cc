// MaxPool: the largest element of each window, and where it lies.
// onnx.ai/onnx/operators/onnx__MaxPool.html
//
// NaN is never the largest; a window of nothing else gives the dtype's lowest value.

#include <limits>

#include "graph/ir/constants.h"
#include "kernels/pool/pool.h"
#include "kernels/pool/row_pool.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(infer_pool(c));
  c.set_output(1, DType::kInt64, c.outputs()[0].shape);
  return ok();
}

template <class T>
T lowest() {
  if constexpr (std::numeric_limits<T>::has_infinity) {
    return -std::numeric_limits<T>::infinity();
  } else if constexpr (std::is_integral_v<T>) {
    return std::numeric_limits<T>::lowest();
  } else {
    return from_real<T>(-std::numeric_limits<double>::infinity());
  }
}

// Index of an element in the whole tensor, planes in order, and inside a plane row by row or (with
// storage_order) column by column.
std::int64_t flat_index(const PoolGeometry& g, std::int64_t plane, std::int64_t at,
                        bool column_major) {
  const std::int64_t start = plane * g.in_plane();
  if (!column_major) return start + at;
  const std::int64_t x = at % g.in[2], y = at / g.in[2] % g.in[1], z = at / (g.in[2] * g.in[1]);
  return start + (x * g.in[1] + y) * g.in[0] + z;
}

template <class T>
Status run(const KernelContext& k, const PoolGeometry& g, bool column_major) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  std::int64_t* indices = k.output<std::int64_t>(1);
  const double work = static_cast<double>(g.out_plane() * g.taps());
  k.parallel_for(g.planes(), work, [&](Range planes, int) {
    for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
      const T* in = x + plane * g.in_plane();
      for_each_output(g, [&](std::int64_t out, const std::array<std::int64_t, 3>& o) {
        T most = lowest<T>();
        std::int64_t where = -1;
        for_each_tap(g, o, [&](std::int64_t at) {
          if (where < 0 ? real(in[at]) >= real(most) : real(in[at]) > real(most)) {
            most = in[at];
            where = at;
          }
        });
        y[plane * g.out_plane() + out] = most;
        if (indices != nullptr) {
          indices[plane * g.out_plane() + out] =
              where < 0 ? 0 : flat_index(g, plane, where, column_major);
        }
      });
    }
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const PoolGeometry g, read_pool(c));
  const bool column_major = c.integer("storage_order", 0) != 0;
  MINI_TRY(Status(c.status()));
  if (takes_row_pool(c, g) && !c.has_output(1)) {
    const bool blocked = c.layout(0) == Layout::kBlocked;
    const auto& row = blocked ? simd::max_pool_row_blocked_f32 : simd::max_pool_row_f32;
    return make_row_pool(c, g, {.row = row.get(c.isa())}, "max_pool/rows");
  }
  PreparedKernel kernel{.name = "max_pool/reference", .why = "any dtype and rank"};
  kernel.flop = static_cast<double>(g.planes() * g.out_plane() * g.taps());
  const bool known = dispatch_dtype(c.dtype(0), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) { return run<T>(k, g, column_major); };
  });
  if (!known) return not_implemented("MaxPool of ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MaxPool, {.type = "MaxPool",
                         .since = {1, 8, 10, 11, 12, 22},
                         .infer = infer,
                         .prepare = prepare,
                         .layout = pool_layout})

}  // namespace mini_infer
