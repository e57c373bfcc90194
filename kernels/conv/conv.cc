// Conv, and FusedConv of com.microsoft and of mini-infer itself.
//   y = activation(conv(x, w) + b + residual)
//   y = activation(conv(x * scales, w) + b + residual)   where the filters are scaled instead of x
// onnx.ai/onnx/operators/onnx__Conv.html
//
// Of the algorithms that take it, the one that conv_cost.h expects to be the fastest computes it,
// or the one that measurements found to be (KernelTuner). Which layouts it has is decided before,
// by layout(), from the channels alone.

#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_cost.h"
#include "kernels/conv/conv_task.h"
#include "kernels/conv/expanded_conv.h"
#include "kernels/conv/reference_kernel.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 6));
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kX, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

// ---- which algorithm

struct Algorithm {
  const char* name;  // in the verdicts of a KernelTuner
  const char* why;   // it is chosen
  Layout in, out;
  // Why it does not take a task; nullptr when it does.
  const char* (*declines)(const ConvTask& task);
  double (*cost)(const ConvTask& task);
  PreparedKernel (*prepare)(const PrepareContext& c, const ConvTask& task);
  bool scales = false;  // takes factors for input channels
};

// Those on blocked layouts, which take two-dimensional shapes.
template <auto kDeclines>
const char* flat_declines(const ConvTask& task) {
  return task.shape.depth.flat() ? kDeclines(task.shape, task.isa) : "it has three spatial axes";
}
template <auto kCost>
double flat_cost(const ConvTask& task) {
  return kCost(task.shape, task.isa);
}
template <auto kMake>
PreparedKernel prepare_flat(const PrepareContext& c, const ConvTask& task) {
  return blocked_conv(c, task, kMake(task.shape, task.isa));
}

template <int kTile, int kTaps>
double winograd_cost(const ConvTask& task) {
  return winograd_conv_cost(expanded_shape(task.shape, task.isa), kTile, kTaps, task.isa);
}

// The transform of the weights costs too much to be done at each run.
template <auto kDeclines>
const char* constant_declines(const ConvTask& task) {
  if (!task.constant_weights) return "the weights are not constant";
  return flat_declines<kDeclines>(task);
}
template <auto kDeclines>
const char* winograd_declines(const ConvTask& task) {
  if (!task.constant_weights) return "the weights are not constant";
  return kDeclines(task.shape, task.isa);
}

const char* rows_decline(const ConvTask& task) {
  if (task.geometry.taps() == 1) return "one tap is a matrix product";
  return takes_row_conv(task.geometry) ? nullptr : "many channels share the unrolling of im2col";
}

constexpr Layout kPlain = Layout::kPlain, kBlocked = Layout::kBlocked;
constexpr Algorithm kAlgorithms[] = {
    {"stem", "reads plain channels", kPlain, kBlocked, flat_declines<stem_conv_declines>,
     flat_cost<direct_conv_cost>, prepare_flat<make_stem_conv>},
    {"stem_winograd", "reads plain channels, halved by its stride", kPlain, kBlocked,
     constant_declines<stem_winograd_conv_declines>, flat_cost<stem_winograd_conv_cost>,
     prepare_flat<make_stem_winograd_conv>},
    {"depthwise", "one filter for each channel", kBlocked, kBlocked,
     flat_declines<depthwise_conv_declines>, flat_cost<depthwise_conv_cost>,
     prepare_flat<make_depthwise_conv>},
    {"depthwise_winograd", "one filter for each channel, 3x3", kBlocked, kBlocked,
     flat_declines<depthwise_winograd_conv_declines>, flat_cost<depthwise_winograd_conv_cost>,
     prepare_flat<make_depthwise_winograd_conv>},
    {"winograd4x3", "an area of taps, a large map", kBlocked, kBlocked,
     winograd_declines<winograd4_conv_declines>, winograd_cost<4, 3>,
     prepare_flat<make_winograd4_conv>},
    {"winograd2x3", "an area of taps, a small map", kBlocked, kBlocked,
     winograd_declines<winograd2_conv_declines>, winograd_cost<2, 3>,
     prepare_flat<make_winograd2_conv>},
    {"winograd2x5", "5x5", kBlocked, kBlocked, winograd_declines<winograd5_conv_declines>,
     winograd_cost<2, 5>, prepare_flat<make_winograd5_conv>},
    {"strassen", "1x1, many channels", kBlocked, kBlocked,
     constant_declines<strassen_conv_declines>, flat_cost<strassen_conv_cost>,
     prepare_flat<make_strassen_conv>},
    {"direct", "any kernel", kBlocked, kBlocked, flat_declines<direct_conv_declines>,
     flat_cost<direct_conv_cost>, prepare_flat<make_direct_conv>, true},
    {"expanded", "narrow groups merged", kBlocked, kBlocked, flat_declines<expanded_conv_declines>,
     [](const ConvTask& t) { return direct_conv_cost(expanded_shape(t.shape, t.isa), t.isa); },
     prepare_flat<make_expanded_conv>},
    {"rows", "few channels of plain layout", kPlain, kPlain, rows_decline,
     [](const ConvTask& t) { return row_conv_cost(t.geometry); }, row_conv},
    {"im2col", "plain layout", kPlain, kPlain,
     [](const ConvTask&) -> const char* { return nullptr; },
     [](const ConvTask& t) { return im2col_conv_cost(t.geometry); }, im2col_conv},
};

std::string describe(const ConvGeometry& g) {
  return cat(g.ic, "->", g.oc, ", ", g.kernel[1], "x", g.kernel[2], ", stride ", g.stride[2],
             ", map ", g.out[1], "x", g.out[2]);
}

// All that the times of its algorithms depend on.
std::string layer_name(const ConvTask& task) {
  const ConvGeometry& g = task.geometry;
  const auto axes = [](const std::array<std::int64_t, kMostAxes>& extents) {
    return cat(extents[0], 'x', extents[1], 'x', extents[2]);
  };
  return cat("conv ", task.dtype, task.in == kBlocked ? " blocked" : " plain",
             task.constant_weights ? "" : " computed weights", " n", g.n, " ", g.ic, "->", g.oc,
             " g", g.groups, " in", axes(g.in), " k", axes(g.kernel), " s", axes(g.stride), " d",
             axes(g.dilation), " p", axes(g.pad_begin), "+", axes(g.pad_end),
             g.border == Border::kZero ? "" : " border", task.end.residual >= 0 ? " residual" : "",
             task.end.slopes >= 0 ? " slopes" : "",
             is_cheap(task.end.activation.kind) ? "" : " activation");
}

// Those that take the task, the cheapest first.
std::vector<const Algorithm*> algorithms_for(const ConvTask& task) {
  std::vector<std::pair<double, const Algorithm*>> found;
  for (const Algorithm& algorithm : kAlgorithms) {
    if (algorithm.in != task.in || algorithm.out != task.out) continue;
    if (task.shape.scaled && !algorithm.scales) continue;
    if (algorithm.declines(task) == nullptr) found.emplace_back(algorithm.cost(task), &algorithm);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Algorithm*> algorithms;
  for (const auto& [cost, algorithm] : found) algorithms.push_back(algorithm);
  return algorithms;
}

std::optional<KernelTuner::Verdict> ask_tuner(const PrepareContext& c, const ConvTask& task,
                                              const std::vector<const Algorithm*>& algorithms) {
  if (c.tuner() == nullptr || algorithms.size() < 2) return std::nullopt;
  std::vector<KernelCandidate> candidates;
  for (const Algorithm* algorithm : algorithms) {
    candidates.push_back({algorithm->name, [algorithm, &task](const PrepareContext& context) {
                            return algorithm->prepare(context, task);
                          }});
  }
  return c.tuner()->choose(layer_name(task), c, candidates);
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
  task.shape = conv_shape(task.geometry);
  MINI_TRY_ASSIGN(task.shape.scaled, read_conv_scales(c, task.geometry));
  const ConvGeometry& g = task.geometry;
  if (g.n * g.out_plane() == 0) {
    return PreparedKernel{.name = "conv/empty", .run = [](const KernelContext&) { return ok(); }};
  }
  if (task.dtype != DType::kFloat32) return reference_conv(c, g, task.end);

  const std::vector<const Algorithm*> algorithms = algorithms_for(task);
  if (algorithms.empty()) {
    return error(Code::kInternal, "no convolution takes ", describe(g), " with ", g.groups,
                 " groups on this layout");
  }
  const auto verdict = ask_tuner(c, task, algorithms);
  const Algorithm& chosen = *algorithms[verdict ? verdict->choice : 0];
  PreparedKernel kernel = chosen.prepare(c, task);
  kernel.why = cat(verdict ? verdict->why : chosen.why, " (", describe(g), ")");
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

// Whether an algorithm on blocked layouts takes a kernel of three axes, the first `depth` long.
bool takes_depth(const AttributeReader& node, std::int64_t depth, ConvShape shape, Isa isa) {
  const Ints strides = node.ints("strides", {1, 1, 1});
  const Ints dilations = node.ints("dilations", {1, 1, 1});
  if (strides.size() != 3 || dilations.size() != 3) return false;
  if (shape.groups > 1 && shape.ic / shape.groups % isa_lanes(isa) != 0) return false;
  shape.depth.kernel = depth;
  shape.stride_h = strides[1];
  shape.stride_w = strides[2];
  shape.dilation_h = dilations[1];
  shape.dilation_w = dilations[2];
  return shape.ic > kMostPlainChannels && winograd2_conv_declines(shape, isa) == nullptr;
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
  if (weights->rank() < 3 || weights->rank() > 5) return plain;

  const AttributeReader node(query.node);
  const std::int64_t groups = node.integer("group", 1);
  const std::int64_t oc = (*weights)[0];
  if (groups < 1 || (*weights)[1] < 1 || oc < 1 || oc % groups != 0) return plain;
  const bool one_tap = weights->elements(2, weights->rank()) == 1;
  if (oc < query.block / 2 && (one_tap || groups > 1)) return plain;
  const Isa isa = isa_of_block(query.block);
  ConvShape shape{.ic = (*weights)[1] * groups,
                  .oc = oc,
                  .kh = weights->rank() > 3 ? (*weights)[weights->rank() - 2] : 1,
                  .kw = (*weights)[weights->rank() - 1],
                  .groups = groups};
  if (weights->rank() == 5 &&
      (query.node.attributes.contains("border") || !takes_depth(node, (*weights)[2], shape, isa))) {
    return plain;
  }
  LayoutChoice blocked = plain;
  blocked.outputs[0] = Layout::kBlocked;
  if (inputs > kScales && query.node.inputs[kScales] != kNoValue) {
    blocked.inputs[kScales] = Layout::kBlocked;
  }
  if (inputs > kResidual && query.node.inputs[kResidual] != kNoValue) {
    blocked.inputs[kResidual] = Layout::kBlocked;
  }
  if (groups == 1 && shape.ic <= kMostPlainChannels) return blocked;
  if (groups > 1) {
    // Depthwise kernels pad with zeros only.
    if (query.node.attributes.contains("border")) return plain;
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
