// Conv, and FusedConv of com.microsoft and of mini-infer itself.
//   y = activation(conv(x, w) + b + residual)
// onnx.ai/onnx/operators/onnx__Conv.html
//
// Which algorithm runs is the first of kAlgorithms that does not decline.

#include "kernels/conv/conv_node.h"
#include "kernels/conv/reference_kernel.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 5));
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kX, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  MINI_TRY_ASSIGN(const ConvGeometry g, read_conv_geometry(c, kX, kW));
  MINI_TRY_ASSIGN(const ConvEnd end, read_conv_end(c, g));
  return reference_conv(c, g, end);
}

}  // namespace

MINI_DEFINE_OP(Conv, {.type = "Conv", .since = {1, 11, 22}, .infer = infer, .prepare = prepare})
MINI_DEFINE_OP(FusedConv, {.domain = kInternalDomain,
                           .type = "FusedConv",
                           .since = {1},
                           .infer = infer,
                           .prepare = prepare})
MINI_DEFINE_OP(MicrosoftFusedConv, {.domain = "com.microsoft",
                                    .type = "FusedConv",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare})

}  // namespace mini_infer
