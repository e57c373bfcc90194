// AveragePool: the mean of each window, over the elements of the input in it or, with
// count_include_pad, over those of the padded input.
// onnx.ai/onnx/operators/onnx__AveragePool.html

#include "kernels/pool/pool.h"
#include "kernels/pool/row_pool.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

// How many elements the window of output o is averaged over.
std::int64_t window_count(const PoolGeometry& g, const std::array<std::int64_t, 3>& o,
                          bool include_pad) {
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    count *= include_pad ? taps_in_padded(g, axis, o[axis]) : taps_inside(g, axis, o[axis]).count();
  }
  return count;
}

template <class T>
Status run(const KernelContext& k, const PoolGeometry& g, bool include_pad) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  const double work = static_cast<double>(g.out_plane() * g.taps());
  k.parallel_for(g.planes(), work, [&](Range planes, int) {
    for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
      const T* in = x + plane * g.in_plane();
      for_each_output(g, [&](std::int64_t out, const std::array<std::int64_t, 3>& o) {
        double sum = 0;
        for_each_tap(g, o, [&](std::int64_t at) { sum += real(in[at]); });
        const std::int64_t count = window_count(g, o, include_pad);
        y[plane * g.out_plane() + out] =
            from_real<T>(count > 0 ? sum / static_cast<double>(count) : 0);
      });
    }
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const PoolGeometry g, read_pool(c));
  const bool include_pad = c.integer("count_include_pad", 0) != 0;
  MINI_TRY(Status(c.status()));
  if (takes_row_pool(c, g)) {
    std::vector<float> factors;
    factors.reserve(static_cast<std::size_t>(g.out_plane()));
    for_each_output(g, [&](std::int64_t, const std::array<std::int64_t, 3>& o) {
      const std::int64_t count = window_count(g, o, include_pad);
      factors.push_back(count > 0 ? 1.f / static_cast<float>(count) : 0.f);
    });
    const bool blocked = c.layout(0) == Layout::kBlocked;
    const auto& row = blocked ? simd::average_pool_row_blocked_f32 : simd::average_pool_row_f32;
    return make_row_pool(c, g, {.row = row.get(c.isa()), .factors = std::move(factors)},
                         "average_pool/rows");
  }
  PreparedKernel kernel{.name = "average_pool/reference", .why = "any floating dtype and rank"};
  kernel.flop = static_cast<double>(g.planes() * g.out_plane() * g.taps());
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) { return run<T>(k, g, include_pad); };
  });
  if (!known) return not_implemented("AveragePool of ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(AveragePool, {.type = "AveragePool",
                             .since = {1, 7, 10, 11, 19, 22},
                             .infer = infer_pool,
                             .prepare = prepare,
                             .layout = pool_layout})

}  // namespace mini_infer
