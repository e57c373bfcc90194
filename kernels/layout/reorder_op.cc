// Reorder: the same tensor in the other layout. Put in by the pass assign_layouts: attribute `to`,
// "blocked" or "plain".
#include "kernels/layout/reorder.h"
#include "kernels/op.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& shape = c.shape(0);
  if (c.dtype(0) != DType::kFloat32 || shape.rank() < 3) {
    return not_implemented("Reorder takes float32 tensors [N,C,...]; it got ", c.dtype(0), shape);
  }
  const bool to_blocked = c.output_layout() == Layout::kBlocked;
  return PreparedKernel{
      .name = c.with_isa(to_blocked ? "reorder/blocked" : "reorder/plain"),
      .run = [isa = c.isa(), n = shape[0], channels = shape[1],
              pixels = shape.elements(2, shape.rank()), to_blocked](const KernelContext& k) {
        (to_blocked ? reorder_to_blocked : reorder_to_plain)(isa, k.threads, n, channels, pixels,
                                                             k.input<float>(0), k.output<float>(0));
        return ok();
      }};
}

}  // namespace

MINI_DEFINE_OP(Reorder, {.domain = kInternalDomain,
                         .type = "Reorder",
                         .since = {1},
                         .infer = infer,
                         .prepare = prepare})

}  // namespace mini_infer
