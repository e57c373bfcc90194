// Conv, and FusedConv of com.microsoft and of mini-infer itself.
//   y = activation(conv(x, w) + b + residual)
// onnx.ai/onnx/operators/onnx__Conv.html
//
// Which algorithm computes it is the first of kAlgorithms that does not decline. Which layouts it
// has is decided before, by layout(), from the channels alone.

#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_cost.h"
#include "kernels/conv/conv_task.h"
#include "kernels/conv/expanded_conv.h"
#include "kernels/conv/reference_kernel.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 5));
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kX, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

// ---- which algorithm

// Why an algorithm does not take a task; empty when it does.
using Declines = std::string (*)(const ConvTask& task, const ConvShape& shape);
using Make = std::unique_ptr<ConvAlgorithm> (*)(const ConvShape& shape, Isa isa);

struct Algorithm {
  const char* why;  // it is chosen
  Layout in;
  Declines declines;
  Make make;
};

std::string text(const char* reason) { return reason != nullptr ? reason : ""; }

// Winograd must be worth its transforms and its larger weights.
std::string winograd_declines(const ConvTask& task, const ConvShape& s, int tile) {
  if (const char* why = winograd_conv_declines(s, task.isa)) return why;
  if (!task.constant_weights) return "the weights are not constant";
  const double cost = winograd_conv_cost(s, tile, task.isa);
  const double other = winograd_conv_cost(s, tile == 4 ? 2 : 4, task.isa);
  if (cost > std::min(other, direct_conv_cost(s, task.isa))) return "it would take longer";
  return "";
}

constexpr Algorithm kAlgorithms[] = {
    {"reads plain channels", Layout::kPlain,
     [](const ConvTask& t, const ConvShape& s) { return text(stem_conv_declines(s, t.isa)); },
     make_stem_conv},
    {"one filter for each channel", Layout::kBlocked,
     [](const ConvTask& t, const ConvShape& s) { return text(depthwise_conv_declines(s, t.isa)); },
     make_depthwise_conv},
    {"3x3, stride 1, a large map", Layout::kBlocked,
     [](const ConvTask& t, const ConvShape& s) { return winograd_declines(t, s, 4); },
     make_winograd4_conv},
    {"3x3, stride 1, a small map", Layout::kBlocked,
     [](const ConvTask& t, const ConvShape& s) { return winograd_declines(t, s, 2); },
     make_winograd2_conv},
    {"any kernel", Layout::kBlocked,
     [](const ConvTask& t, const ConvShape& s) { return text(direct_conv_declines(s, t.isa)); },
     make_direct_conv},
    {"narrow groups merged", Layout::kBlocked,
     [](const ConvTask& t, const ConvShape& s) { return text(expanded_conv_declines(s, t.isa)); },
     make_expanded_conv},
};

std::string describe(const ConvGeometry& g) {
  return cat(g.ic, "->", g.oc, ", ", g.kernel[1], "x", g.kernel[2], ", stride ", g.stride[2],
             ", map ", g.out[1], "x", g.out[2]);
}

Result<PreparedKernel> prepare_blocked(const PrepareContext& c, const ConvTask& task) {
  const auto shape = flat_shape(task.geometry);
  if (shape) {
    for (const Algorithm& algorithm : kAlgorithms) {
      if (algorithm.in != task.in || !algorithm.declines(task, *shape).empty()) continue;
      PreparedKernel kernel = blocked_conv(c, task, algorithm.make(*shape, task.isa));
      kernel.why = cat(algorithm.why, " (", describe(task.geometry), ")");
      return kernel;
    }
  }
  return error(Code::kInternal, "no convolution takes ", describe(task.geometry), " with ",
               task.geometry.groups, " groups on this layout");
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  ConvTask task{.dtype = c.dtype(kX),
                .in = c.layout(kX),
                .out = c.output_layout(),
                .isa = c.isa(),
                .constant_weights = c.constant(kW) != nullptr};
  MINI_TRY_ASSIGN(task.geometry, read_conv_geometry(c, kX, kW));
  MINI_TRY_ASSIGN(task.end, read_conv_end(c, task.geometry));
  const ConvGeometry& g = task.geometry;
  if (g.n * g.out_plane() == 0) {
    return PreparedKernel{.name = "conv/empty", .run = [](const KernelContext&) { return ok(); }};
  }
  if (task.out == Layout::kBlocked) return prepare_blocked(c, task);
  if (task.dtype != DType::kFloat32) return reference_conv(c, g, task.end);
  const bool rows = g.taps() > 1 && takes_row_conv(g);
  PreparedKernel kernel = rows ? row_conv(c, task) : im2col_conv(c, task);
  kernel.why = cat(rows ? "few channels of plain layout (" : "plain layout (", describe(g), ")");
  return kernel;
}

// ---- which layout

// Inputs with fewer channels are read as planes: a block would be mostly empty.
constexpr std::int64_t kMostPlainChannels = 4;

// An instruction set whose blocks are that wide.
Isa isa_of_block(int block) {
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (isa_supported(isa) && isa_lanes(isa) == block) return isa;
  }
  return best_isa();
}

// Blocked where output channels fill at least half of a block, or where the kernel has several taps
// to unroll otherwise. The residual comes as the output goes.
LayoutChoice layout(const LayoutQuery& query) {
  const std::size_t inputs = query.node.inputs.size();
  LayoutChoice plain{std::vector<Layout>(inputs, Layout::kPlain), {Layout::kPlain}};
  const Value& x = query.graph.value(query.node.inputs[kX]);
  const Value& w = query.graph.value(query.node.inputs[kW]);
  const auto weights = w.shape ? w.shape->concrete() : std::nullopt;
  if (x.dtype != DType::kFloat32 || !weights || !w.is_constant()) return plain;
  if (weights->rank() != 3 && weights->rank() != 4) return plain;

  const std::int64_t groups = AttributeReader(query.node).integer("group", 1);
  const std::int64_t oc = (*weights)[0];
  if (groups < 1 || (*weights)[1] < 1 || oc < 1 || oc % groups != 0) return plain;
  const bool one_tap = weights->elements(2, weights->rank()) == 1;
  if (oc < query.block / 2 && (one_tap || groups > 1)) return plain;
  const ConvShape shape{.ic = (*weights)[1] * groups, .oc = oc, .groups = groups};
  LayoutChoice blocked = plain;
  blocked.outputs[0] = Layout::kBlocked;
  if (inputs > kResidual && query.node.inputs[kResidual] != kNoValue) {
    blocked.inputs[kResidual] = Layout::kBlocked;
  }
  if (groups == 1 && shape.ic <= kMostPlainChannels) return blocked;
  if (groups > 1) {
    const Isa isa = isa_of_block(query.block);
    if (depthwise_conv_declines(shape, isa) != nullptr &&
        direct_conv_declines(shape, isa) != nullptr &&
        expanded_conv_declines(shape, isa) != nullptr) {
      return plain;
    }
  }
  blocked.inputs[kX] = Layout::kBlocked;
  return blocked;
}

}  // namespace

MINI_DEFINE_OP(
    Conv,
    {.type = "Conv", .since = {1, 11, 22}, .infer = infer, .prepare = prepare, .layout = layout})
MINI_DEFINE_OP(FusedConv, {.domain = kInternalDomain,
                           .type = "FusedConv",
                           .since = {1},
                           .infer = infer,
                           .prepare = prepare,
                           .layout = layout})
MINI_DEFINE_OP(MicrosoftFusedConv, {.domain = "com.microsoft",
                                    .type = "FusedConv",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare,
                                    .layout = layout})

}  // namespace mini_infer
