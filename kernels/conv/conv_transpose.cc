// ConvTranspose, and FusedConvTranspose of mini-infer itself.
//   y = activation(conv_transpose(x, w) + b + residual)
// onnx.ai/onnx/operators/onnx__ConvTranspose.html

#include "kernels/conv/conv_node.h"
#include "kernels/conv/reference_kernel.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 5));
  MINI_TRY_ASSIGN(auto shape, infer_conv_transpose_shape(c));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  MINI_TRY_ASSIGN(const ConvGeometry g, read_conv_transpose_geometry(c));
  MINI_TRY_ASSIGN(const ConvEnd end, read_conv_end(c, g));
  return reference_conv_transpose(c, g, end);
}

}  // namespace

MINI_DEFINE_OP(ConvTranspose,
               {.type = "ConvTranspose", .since = {1, 11, 22}, .infer = infer, .prepare = prepare})
MINI_DEFINE_OP(FusedConvTranspose, {.domain = kInternalDomain,
                                    .type = "FusedConvTranspose",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare})

}  // namespace mini_infer
