// LpPool: y = (sum over the window of |x|^p)^(1/p).
// onnx.ai/onnx/operators/onnx__LpPool.html

#include <cmath>

#include "kernels/pool/pool.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

// Opset 1 has p as a float, 2 on as an integer.
Result<double> read_p(const PrepareContext& c) {
  const double p = c.opset() < 2 ? static_cast<double>(c.number("p", 2.f))
                                 : static_cast<double>(c.integer("p", 2));
  MINI_TRY(Status(c.status()));
  if (!(p > 0)) return invalid_model("p is ", p, "; it must be positive");
  return p;
}

template <class T>
Status run(const KernelContext& k, const PoolGeometry& g, double p) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  const double work = static_cast<double>(g.out_plane() * g.taps());
  k.parallel_for(g.planes(), work, [&](Range planes, int) {
    for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
      const T* in = x + plane * g.in_plane();
      for_each_output(g, [&](std::int64_t out, const std::array<std::int64_t, 3>& o) {
        double sum = 0;
        for_each_tap(g, o, [&](std::int64_t at) { sum += std::pow(std::abs(real(in[at])), p); });
        y[plane * g.out_plane() + out] = from_real<T>(std::pow(sum, 1 / p));
      });
    }
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const PoolGeometry g, read_pool(c));
  MINI_TRY_ASSIGN(const double p, read_p(c));
  PreparedKernel kernel{.name = "lp_pool/reference"};
  kernel.flop = 2 * static_cast<double>(g.planes() * g.out_plane() * g.taps());
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) { return run<T>(k, g, p); };
  });
  if (!known) return not_implemented("LpPool of ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(LpPool, {.type = "LpPool",
                        .since = {1, 2, 11, 18, 22},
                        .infer = infer_pool,
                        .prepare = prepare})

}  // namespace mini_infer
