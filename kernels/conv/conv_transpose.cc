// ConvTranspose, and FusedConvTranspose of mini-infer itself.
//   y = activation(conv_transpose(x, w) + b + residual)
// onnx.ai/onnx/operators/onnx__ConvTranspose.html

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_task.h"
#include "kernels/conv/reference_kernel.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 5));
  MINI_TRY_ASSIGN(auto shape, infer_conv_transpose_shape(c));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

// Every input element meets every tap once.
double transposed_flop(const ConvGeometry& g) {
  return 2 * static_cast<double>(g.n * g.ic) * static_cast<double>(g.in_plane()) *
         static_cast<double>(g.group_oc() * g.taps());
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  ConvTask task{.dtype = c.dtype(kX),
                .in = c.layout(kX),
                .out = c.output_layout(),
                .isa = c.isa(),
                .constant_weights = c.constant(kW) != nullptr};
  MINI_TRY_ASSIGN(task.geometry, read_conv_transpose_geometry(c));
  MINI_TRY_ASSIGN(task.end, read_conv_end(c, task.geometry));
  const ConvGeometry& g = task.geometry;
  if (task.dtype != DType::kFloat32) return reference_conv_transpose(c, g, task.end);
  if (g.n * g.out_plane() == 0) {
    return PreparedKernel{.name = "conv_transpose/empty",
                          .run = [](const KernelContext&) { return ok(); }};
  }
  if (task.out == Layout::kPlain) {
    PreparedKernel kernel = col2im_conv(c, task);
    kernel.flop = transposed_flop(g);
    return kernel;
  }
  const auto shape = flat_shape(g);
  if (!shape || transposed_conv_declines(*shape, task.isa) != nullptr) {
    return error(Code::kInternal, "no transposed convolution takes ", g.groups,
                 " groups on this layout");
  }
  PreparedKernel kernel = blocked_conv(c, task, make_transposed_conv(*shape, task.isa));
  kernel.flop = transposed_flop(g);
  return kernel;
}

// Blocked, unless weights or groups do not allow it.
LayoutChoice layout(const LayoutQuery& query) {
  const std::size_t inputs = query.node.inputs.size();
  LayoutChoice plain{std::vector<Layout>(inputs, Layout::kPlain), {Layout::kPlain}};
  const Value& x = query.graph.value(query.node.inputs[kX]);
  const Value& w = query.graph.value(query.node.inputs[kW]);
  const auto weights = w.shape ? w.shape->concrete() : std::nullopt;
  if (x.dtype != DType::kFloat32 || !weights || !w.is_constant()) return plain;
  if (weights->rank() != 3 && weights->rank() != 4) return plain;
  const std::int64_t groups = AttributeReader(query.node).integer("group", 1);
  const std::int64_t ic = (*weights)[0], group_oc = (*weights)[1];
  if (groups < 1 || group_oc < 1 || ic < 1 || ic % groups != 0) return plain;
  const bool depthwise = groups == ic && group_oc == 1;
  if (groups > 1 && !depthwise && (ic / groups % query.block != 0 || group_oc % query.block != 0)) {
    return plain;
  }
  LayoutChoice blocked = plain;
  blocked.inputs[kX] = Layout::kBlocked;
  blocked.outputs[0] = Layout::kBlocked;
  if (inputs > kResidual && query.node.inputs[kResidual] != kNoValue) {
    blocked.inputs[kResidual] = Layout::kBlocked;
  }
  return blocked;
}

}  // namespace

MINI_DEFINE_OP(ConvTranspose, {.type = "ConvTranspose",
                               .since = {1, 11, 22},
                               .infer = infer,
                               .prepare = prepare,
                               .layout = layout})
MINI_DEFINE_OP(FusedConvTranspose, {.domain = kInternalDomain,
                                    .type = "FusedConvTranspose",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare,
                                    .layout = layout})

}  // namespace mini_infer
