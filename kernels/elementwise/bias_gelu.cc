// com.microsoft BiasGelu: gelu(x + bias); FastGelu: the tanh form, bias may be left out.
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

template <Activation gelu>
Result<PreparedKernel> prepare(PrepareContext& c) {
  if (c.dtype(0) != DType::kFloat32) return not_implemented("input 0 has dtype ", c.dtype(0));
  const bool biased = c.has_input(1);
  const Shape bias = biased ? c.shape(1) : Shape{1};
  if (bias.rank() != 1 || c.shape(0).rank() < 1 || !broadcasts_to(bias, c.shape(0)) ||
      (biased && c.dtype(1) != DType::kFloat32)) {
    return invalid_model("bias has shape ", bias, ", x has ", c.shape(0),
                         ": it holds one number for each element of the last dimension");
  }
  const Shape operands[] = {c.shape(0), bias};
  const auto add = simd::binary_f32.get(c.isa());
  const auto activate = simd::activate_f32.get(c.isa());
  PreparedKernel kernel{
      .name = c.with_isa("bias_gelu"),
      .run = [=, loop = BroadcastLoop(c.shape(0), operands)](const KernelContext& k) {
        constexpr double kWork = 8;
        loop.run_parallel(k, kWork, [&](const Tile& tile) {
          const auto* x = k.input<float>(0);
          float* y = k.output<float>(0);
          if (biased) add(BinaryKind::kAdd, tile, x, k.input<float>(1), y);
          activate({gelu}, (biased ? y : x) + tile.out, y + tile.out,
                   static_cast<std::size_t>(tile.rows * tile.n));
        });
        return ok();
      }};
  allow_in_place(c, kernel, 0);
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(BiasGelu, {.domain = "com.microsoft",
                          .type = "BiasGelu",
                          .since = {1},
                          .infer = infer_same,
                          .prepare = prepare<Activation::kGelu>})
MINI_DEFINE_OP(FastGelu, {.domain = "com.microsoft",
                          .type = "FastGelu",
                          .since = {1},
                          .infer = infer_same,
                          .prepare = prepare<Activation::kGeluTanh>})

}  // namespace mini_infer
