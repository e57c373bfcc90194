// Operators said by simpler ones. Each formula is the operator's definition in the ONNX standard,
// unless something else is said.
#include <algorithm>
#include <cmath>

#include "graph/passes/activation.h"
#include "graph/passes/match.h"
#include "graph/passes/restrict_operators.h"
#include "graph/passes/shape_argument.h"

namespace mini_infer {
namespace {

// New nodes beside an old one.
class Builder {
 public:
  Builder(Graph& graph, NodeId node) : graph_(graph), node_(node) {}

  ValueId op(std::string_view type, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return graph_.output(graph_.add_node(node_, type, std::move(inputs), std::move(attributes)));
  }
  ValueId input(std::size_t i = 0) const { return graph_.input(node_, i); }
  ValueId number(double value) { return floats({}, {value}); }
  ValueId floats(Shape shape, const std::vector<double>& values) {
    return add_floats(graph_, graph_.node(node_).name + "_constant", std::move(shape), values);
  }
  ValueId ints(const Ints& values) {
    return add_ints(graph_, graph_.node(node_).name + "_constant", values);
  }
  // Over axes, which are kept with extent 1.
  ValueId mean(ValueId x, const Ints& axes) {
    if (graph_.opset() >= 18) return op("ReduceMean", {x, ints(axes)});
    return op("ReduceMean", {x}, {{"axes", axes}});
  }
  // (x - mean) / sqrt(variance + epsilon)
  ValueId normalized(ValueId x, const Ints& axes, float epsilon) {
    const ValueId centred = op("Sub", {x, mean(x, axes)});
    const ValueId variance = mean(op("Mul", {centred, centred}), axes);
    const ValueId sum = op("Add", {variance, number(static_cast<double>(epsilon))});
    return op("Div", {centred, op("Sqrt", {sum})});
  }
  // The old node's result is this from now on.
  bool finish(ValueId result) {
    const ValueId old = graph_.output(node_);
    take_description(graph_, old, result);
    bypass(graph_, node_, result);
    return true;
  }
  const Graph& graph() const { return graph_; }
  AttributeReader attributes() const { return AttributeReader(graph_.node(node_)); }
  // All constants here are float32.
  bool is_float() const { return has_dtype(graph_, input(), DType::kFloat32); }

 private:
  Graph& graph_;
  NodeId node_;
};

// --- activations

bool hard_swish(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const ValueId x = b.input();
  const ValueId gate = b.op("HardSigmoid", {x}, {{"alpha", 1.f / 6}, {"beta", 0.5f}});
  return b.finish(b.op("Mul", {x, gate}));
}

bool hard_sigmoid(Graph& graph, NodeId id) {
  Builder b(graph, id);
  if (!b.is_float()) return false;
  const double alpha = static_cast<double>(b.attributes().number("alpha", 0.2f));
  const double beta = static_cast<double>(b.attributes().number("beta", 0.5f));
  const ValueId line = b.op("Add", {b.op("Mul", {b.input(), b.number(alpha)}), b.number(beta)});
  if (graph.opset() < 11) {
    return b.finish(b.op("Clip", {line}, {{"min", 0.f}, {"max", 1.f}}));
  }
  return b.finish(b.op("Clip", {line, b.number(0), b.number(1)}));
}

bool clip(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto bounds = activation_of(graph, id);
  if (!b.is_float() || !bounds || graph.node(id).opset < 8) return false;
  ValueId x = b.input();
  const double low = static_cast<double>(bounds->params[0]);
  const double high = static_cast<double>(bounds->params[1]);
  if (std::isfinite(low)) x = b.op("Max", {x, b.number(low)});
  if (std::isfinite(high)) x = b.op("Min", {x, b.number(high)});
  return x != b.input() && b.finish(x);
}

// Relu(x) - slope * Relu(-x)
bool rectify(Builder& b, ValueId slope) {
  const ValueId x = b.input();
  const ValueId negative = b.op("Mul", {b.op("Relu", {b.op("Neg", {x})}), slope});
  return b.finish(b.op("Sub", {b.op("Relu", {x}), negative}));
}
bool prelu(Graph& graph, NodeId id) {
  Builder b(graph, id);
  return rectify(b, b.input(1));
}
bool leaky_relu(Graph& graph, NodeId id) {
  Builder b(graph, id);
  if (!b.is_float()) return false;
  return rectify(b, b.number(static_cast<double>(b.attributes().number("alpha", 0.01f))));
}

bool gelu(Graph& graph, NodeId id) {
  Builder b(graph, id);
  if (!b.is_float()) return false;
  const ValueId x = b.input();
  ValueId gate = kNoValue;
  if (b.attributes().string("approximate", "none") == "tanh") {
    const ValueId cube = b.op("Mul", {b.op("Mul", {x, x}), x});
    const ValueId sum = b.op("Add", {x, b.op("Mul", {cube, b.number(0.044715)})});
    gate = b.op("Tanh", {b.op("Mul", {sum, b.number(std::sqrt(2 / std::acos(-1.0)))})});
  } else {
    gate = b.op("Erf", {b.op("Mul", {x, b.number(std::sqrt(0.5))})});
  }
  const ValueId half = b.op("Mul", {x, b.number(0.5)});
  return b.finish(b.op("Mul", {half, b.op("Add", {gate, b.number(1)})}));
}

bool mish(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const ValueId x = b.input();
  return b.finish(b.op("Mul", {x, b.op("Tanh", {b.op("Softplus", {x})})}));
}

// x * sigmoid(alpha * x)
bool swish(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const double alpha = static_cast<double>(b.attributes().number("alpha", 1));
  if (alpha != 1 && !b.is_float()) return false;
  const ValueId x = b.input();
  const ValueId scaled = alpha == 1 ? x : b.op("Mul", {x, b.number(alpha)});
  return b.finish(b.op("Mul", {x, b.op("Sigmoid", {scaled})}));
}

// alpha * elu(x / alpha)
bool celu(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const double alpha = static_cast<double>(b.attributes().number("alpha", 1));
  if (alpha == 1) return b.finish(b.op("Elu", {b.input()}));
  if (!b.is_float()) return false;
  const ValueId scale = b.number(alpha);
  return b.finish(b.op("Mul", {b.op("Elu", {b.op("Div", {b.input(), scale})}), scale}));
}

// Both are false where an operand is no number.
bool or_equal(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const bool greater = graph.node(id).op_type == "GreaterOrEqual";
  const ValueId x = b.input(), y = b.input(1);
  const ValueId strictly = b.op(greater ? "Greater" : "Less", {x, y});
  return b.finish(b.op("Or", {strictly, b.op("Equal", {x, y})}));
}

// max(x, 0) + log(1 + exp(-|x|)), which does not overflow
bool softplus(Graph& graph, NodeId id) {
  Builder b(graph, id);
  if (!b.is_float()) return false;
  const ValueId x = b.input();
  const ValueId small = b.op("Exp", {b.op("Neg", {b.op("Abs", {x})})});
  const ValueId tail = b.op("Log", {b.op("Add", {small, b.number(1)})});
  return b.finish(b.op("Add", {b.op("Relu", {x}), tail}));
}

// --- normalization

bool instance_norm(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto rank = rank_of(graph, b.input());
  const auto scale = known_numbers(graph, b.input(1)), shift = known_numbers(graph, b.input(2));
  if (!rank || *rank < 3 || !scale || !shift) return false;
  Ints axes;
  Shape channels{static_cast<std::int64_t>(scale->size())};
  for (std::size_t i = 2; i < *rank; ++i) {
    axes.push_back(static_cast<std::int64_t>(i));
    channels.push_back(1);
  }
  const ValueId unit = b.normalized(b.input(), axes, b.attributes().number("epsilon", 1e-5f));
  const ValueId scaled = b.op("Mul", {unit, b.floats(channels, *scale)});
  return b.finish(b.op("Add", {scaled, b.floats(channels, *shift)}));
}

bool layer_norm(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto rank = rank_of(graph, b.input());
  const auto axis = rank ? normal_axis(b.attributes().integer("axis", -1), *rank) : std::nullopt;
  if (!b.is_float() || !axis || graph.node(id).outputs.size() != 1) return false;
  Ints axes;
  for (std::size_t i = *axis; i < *rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  ValueId y = b.normalized(b.input(), axes, b.attributes().number("epsilon", 1e-5f));
  y = b.op("Mul", {y, b.input(1)});
  if (b.input(2) != kNoValue) y = b.op("Add", {y, b.input(2)});
  return b.finish(y);
}

// x / sqrt(mean(x * x) + epsilon) * scale
bool rms_norm(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto rank = rank_of(graph, b.input());
  const auto axis = rank ? normal_axis(b.attributes().integer("axis", -1), *rank) : std::nullopt;
  if (!b.is_float() || !axis) return false;
  Ints axes;
  for (std::size_t i = *axis; i < *rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  const ValueId square = b.mean(b.op("Mul", {b.input(), b.input()}), axes);
  const double epsilon = static_cast<double>(b.attributes().number("epsilon", 1e-5f));
  const ValueId root = b.op("Sqrt", {b.op("Add", {square, b.number(epsilon)})});
  return b.finish(b.op("Mul", {b.op("Div", {b.input(), root}), b.input(1)}));
}

// Each group of channels by itself. Before opset 21 there was a scale for each group, since then
// for each channel.
bool group_norm(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto rank = rank_of(graph, b.input());
  const std::int64_t groups = b.attributes().integer("num_groups", 0);
  if (!b.is_float() || !rank || *rank < 3 || groups < 1) return false;
  const ValueId rows = b.op("Reshape", {b.input(), b.ints({0, groups, -1})});
  ValueId y = b.normalized(rows, {2}, b.attributes().number("epsilon", 1e-5f));
  const ValueId shape = b.op("Shape", {b.input()});
  const bool by_channel = graph.node(id).opset >= 21;
  if (by_channel) y = b.op("Reshape", {y, shape});
  Ints column(by_channel ? *rank - 1 : 2, 1);
  column[0] = -1;
  y = b.op("Mul", {y, b.op("Reshape", {b.input(1), b.ints(column)})});
  y = b.op("Add", {y, b.op("Reshape", {b.input(2), b.ints(column)})});
  return b.finish(by_channel ? y : b.op("Reshape", {y, shape}));
}

// --- sampling

// Scales of Resize or Upsample that are whole, both the same, of the last two axes of four.
std::optional<std::int64_t> whole_scale(const Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0), y = graph.output(id);
  if (rank_of(graph, x) != std::optional<std::size_t>(4) ||
      rank_of(graph, y) != rank_of(graph, x)) {
    return std::nullopt;
  }
  const SymShape &in = *graph.value(x).shape, &out = *graph.value(y).shape;
  if (!(in[0] == out[0]) || !(in[1] == out[1]) || !in[1].known()) return std::nullopt;
  constexpr std::int64_t kMostScale = 16;
  for (std::int64_t k = 2; k <= kMostScale; ++k) {
    if (in[2] * Dim(k) == out[2] && in[3] * Dim(k) == out[3]) return k;
  }
  return std::nullopt;
}

// One filter for each channel, the same in both directions.
ValueId spread(Builder& b, ValueId x, const std::vector<double>& taps, std::int64_t k,
               const Ints& pads) {
  const std::int64_t channels = (*b.graph().value(x).shape)[1].value();
  const auto size = static_cast<std::int64_t>(taps.size());
  std::vector<double> weights;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (const double row : taps) {
      for (const double column : taps) weights.push_back(row * column);
    }
  }
  return b.op("ConvTranspose", {x, b.floats({channels, 1, size, size}, weights)},
              {{"group", channels},
               {"kernel_shape", Ints{size, size}},
               {"strides", Ints{k, k}},
               {"pads", pads}});
}

// Scales that are written down must be that number: 2.1 doubles an extent of 3 as well.
bool scales_are(const Graph& graph, NodeId id, std::int64_t k) {
  const Node& node = graph.node(id);
  const auto exact = static_cast<double>(k);
  if (const Floats* scales = graph.attribute<Floats>(id, "scales")) {
    return *scales == Floats{1, 1, static_cast<float>(k), static_cast<float>(k)};
  }
  const ValueId input = graph.input(id, node.op_type == "Resize" && node.opset >= 11 ? 2 : 1);
  if (input == kNoValue || graph.input(id, 3) != kNoValue) return true;
  const auto scales = known_numbers(graph, input);
  return scales && (scales->empty() || *scales == std::vector<double>{1, 1, exact, exact});
}

bool resize(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto k = whole_scale(graph, id);
  if (!k || !scales_are(graph, id, *k)) return false;
  if (!b.is_float() || graph.node(id).attributes.contains("axes")) return false;
  const AttributeReader node = b.attributes();
  const std::string mode = node.string("mode", "nearest");
  const bool old = graph.node(id).opset < 11 || graph.node(id).op_type == "Upsample";
  const std::string place =
      old ? "asymmetric" : node.string("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = old ? "floor" : node.string("nearest_mode", "round_prefer_floor");
  const bool half = place == "half_pixel" || place == "pytorch_half_pixel";
  const bool repeats =
      (place == "asymmetric" && nearest == "floor") ||
      (half && (nearest == "round_prefer_floor" || nearest == "round_prefer_ceil"));
  if (mode == "nearest" && repeats) {
    const std::vector<double> taps(static_cast<std::size_t>(*k), 1.0);
    return b.finish(spread(b, b.input(), taps, *k, {0, 0, 0, 0}));
  }
  if (mode != "linear" || !half || graph.node(id).opset < 11) return false;
  // Sample u of a tap lies (u - (k - 1) / 2) / k from its pixel; at the border the last pixel goes
  // on.
  const std::int64_t first = *k % 2 == 0 ? -*k / 2 : -(*k - 1) / 2;
  std::vector<double> taps;
  for (std::int64_t i = 0; i < 2 * *k - *k % 2; ++i) {
    const double at = static_cast<double>(2 * (i + first) - (*k - 1)) / static_cast<double>(2 * *k);
    taps.push_back(1 - std::abs(at));
  }
  const ValueId wide =
      b.op("Pad", {b.input(), b.ints({0, 0, 1, 1, 0, 0, 1, 1})}, {{"mode", std::string("edge")}});
  graph.value(wide).shape = graph.value(b.input()).shape;  // the channels, which spread() reads
  const std::int64_t begin = *k - first;
  const std::int64_t end = *k + static_cast<std::int64_t>(taps.size()) - begin;
  return b.finish(spread(b, wide, taps, *k, {begin, begin, end, end}));
}

// A convolution whose filters pick one pixel each.
bool space_to_depth(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const std::int64_t r = b.attributes().integer("blocksize", 0);
  constexpr std::int64_t kMostBlock = 8, kMostChannels = 64;
  if (!b.is_float() || rank_of(graph, b.input()) != std::optional<std::size_t>(4)) return false;
  const Dim channels = (*graph.value(b.input()).shape)[1];
  if (r < 1 || r > kMostBlock || !channels.known() || channels.value() > kMostChannels)
    return false;
  const std::int64_t c = channels.value();
  std::vector<double> weights(static_cast<std::size_t>(r * r * c * c * r * r), 0.0);
  for (std::int64_t place = 0; place < r * r; ++place) {
    for (std::int64_t i = 0; i < c; ++i) {
      weights[static_cast<std::size_t>(((place * c + i) * c + i) * r * r + place)] = 1;
    }
  }
  const ValueId w = b.floats({r * r * c, c, r, r}, weights);
  return b.finish(
      b.op("Conv", {b.input(), w}, {{"kernel_shape", Ints{r, r}}, {"strides", Ints{r, r}}}));
}

// --- matrices and shapes

bool gemm(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const AttributeReader node = b.attributes();
  if (node.number("alpha", 1) != 1 || node.number("beta", 1) != 1) return false;
  // Read before nodes are added: they move.
  const bool transposed[] = {node.integer("transA", 0) != 0, node.integer("transB", 0) != 0};
  ValueId operands[2];
  for (const std::size_t i : {0u, 1u}) {
    operands[i] = b.input(i);
    if (transposed[i]) operands[i] = b.op("Transpose", {operands[i]}, {{"perm", Ints{1, 0}}});
  }
  ValueId y = b.op("MatMul", {operands[0], operands[1]});
  if (b.input(2) != kNoValue) y = b.op("Add", {y, b.input(2)});
  return b.finish(y);
}

bool to_reshape(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto &in = graph.value(b.input()).shape, &out = graph.value(graph.output(id)).shape;
  const auto argument = in && out ? reshape_argument(*in, *out) : std::nullopt;
  return argument && graph.node(id).opset >= 5 &&
         b.finish(b.op("Reshape", {b.input(), b.ints(*argument)}));
}

bool global_average(Graph& graph, NodeId id) {
  Builder b(graph, id);
  const auto rank = rank_of(graph, b.input());
  if (!rank || *rank < 3) return false;
  Ints axes;
  for (std::size_t i = 2; i < *rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  return b.finish(b.mean(b.input(), axes));
}

}  // namespace

std::span<const Decomposition> decompositions() {
  static const std::vector<Decomposition> all = {
      {"HardSwish", {"HardSigmoid", "Mul"}, hard_swish},
      {"HardSigmoid", {"Mul", "Add", "Clip"}, hard_sigmoid},
      {"Clip", {"Max", "Min"}, clip},
      {"PRelu", {"Relu", "Neg", "Mul", "Sub"}, prelu},
      {"LeakyRelu", {"Relu", "Neg", "Mul", "Sub"}, leaky_relu},
      {"Gelu", {"Mul", "Add", "Erf", "Tanh"}, gelu},
      {"Mish", {"Mul", "Tanh", "Softplus"}, mish},
      {"Swish", {"Mul", "Sigmoid"}, swish},
      {"Celu", {"Elu", "Div", "Mul"}, celu},
      {"GreaterOrEqual", {"Greater", "Equal", "Or"}, or_equal},
      {"LessOrEqual", {"Less", "Equal", "Or"}, or_equal},
      {"Softplus", {"Abs", "Neg", "Exp", "Log", "Add", "Relu"}, softplus},
      {"InstanceNormalization", {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"}, instance_norm},
      {"LayerNormalization", {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"}, layer_norm},
      {"RMSNormalization", {"ReduceMean", "Mul", "Add", "Sqrt", "Div"}, rms_norm},
      {"GroupNormalization",
       {"Reshape", "Shape", "ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"},
       group_norm},
      {"Resize", {"ConvTranspose"}, resize},
      {"Upsample", {"ConvTranspose"}, resize},
      {"SpaceToDepth", {"Conv"}, space_to_depth},
      {"Gemm", {"MatMul", "Add"}, gemm},
      {"Flatten", {"Reshape"}, to_reshape},
      {"Squeeze", {"Reshape"}, to_reshape},
      {"Unsqueeze", {"Reshape"}, to_reshape},
      {"GlobalAveragePool", {"ReduceMean"}, global_average},
  };
  return all;
}

}  // namespace mini_infer
