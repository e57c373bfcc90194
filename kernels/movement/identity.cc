// Identity: y = x.                              onnx.ai/onnx/operators/onnx__Identity.html
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

std::optional<SymShape> copied(const SymShape* shape) {
  return shape != nullptr ? std::optional(*shape) : std::nullopt;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0), copied(c.shape(0)));
  if (c.contents(0) != nullptr) c.set_contents(0, *c.contents(0));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) { return view_kernel(c, "view"); }

LayoutChoice layout(const LayoutQuery& q) { return {{q.inputs[0]}, {q.inputs[0]}}; }

}  // namespace

MINI_DEFINE_OP(Identity, {.type = "Identity",
                          .since = {1, 13, 14, 16, 19, 21},
                          .infer = infer,
                          .prepare = prepare,
                          .layout = layout,
                          .traits = kElementwise})

}  // namespace mini_infer
