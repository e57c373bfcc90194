// The arithmetic on pixels before the first convolution: y = factor * x + offset for each channel.
//
// In a convolution that pads, zeros lie around y, so around x lies what becomes zero: the folded
// convolution gets a Pad of -offset / factor before it, for each channel where these differ.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"
#include "graph/passes/match.h"

namespace mini_infer {
namespace {

using Numbers = std::vector<double>;

struct Affine {
  Numbers factor, offset;  // by channel
};

// From the graph's input on, or from what a Reshape makes of it: the nodes, and what they do.
struct Leading {
  ValueId input = kNoValue, start = kNoValue, end = kNoValue;
  std::vector<NodeId> nodes;
  Affine affine;
  bool by_channel = true;  // otherwise `affine` does not tell all
};

std::optional<std::size_t> channels_of(const Graph& graph, ValueId id) {
  const auto& shape = graph.value(id).shape;
  if (!shape || shape->rank() < 3 || !(*shape)[1].known() || (*shape)[1].value() < 1) return {};
  return static_cast<std::size_t>((*shape)[1].value());
}

// The constant operand of a node as one number for each channel of x.
std::optional<Numbers> operand_of(const Graph& graph, NodeId id, ValueId x) {
  const ValueId operand = other_input(graph, id, x);
  if (operand == kNoValue || graph.constant(operand) == nullptr) return {};
  const auto rank = static_cast<std::int64_t>(graph.value(x).shape->rank());
  const std::int64_t lead =
      rank - static_cast<std::int64_t>(graph.constant(operand)->shape().rank());
  return channel_numbers(graph, operand, 1 - lead, *channels_of(graph, x));
}

// Arithmetic of x and a constant that leaves the shape of x.
bool is_arithmetic(const Graph& graph, NodeId id, ValueId x) {
  const Node& node = graph.node(id);
  const bool known = node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div");
  const ValueId operand = known ? other_input(graph, id, x) : kNoValue;
  return operand != kNoValue && graph.constant(operand) != nullptr &&
         same_shape(graph, x, graph.output(id)) && !has_legacy_broadcast(node);
}

// One more step of arithmetic; false for a node that is none, or has other numbers than one for
// each channel.
bool take(const Graph& graph, NodeId id, ValueId x, Affine& affine) {
  if (!is_arithmetic(graph, id, x)) return false;
  const Node& node = graph.node(id);
  auto numbers = operand_of(graph, id, x);
  if (!numbers) return false;
  numbers->resize(affine.factor.size(), numbers->front());
  const bool x_first = graph.input(id, 0) == x;
  if (node.is("Div") && !x_first) return false;
  for (std::size_t c = 0; c < affine.factor.size(); ++c) {
    double &a = affine.factor[c], &b = affine.offset[c];
    const double n = (*numbers)[c];
    if (node.is("Add")) b += n;
    if (node.is("Sub")) {
      b = x_first ? b - n : n - b;
      a = x_first ? a : -a;
    }
    if (node.is("Mul") || node.is("Div")) {
      a = node.is("Mul") ? a * n : a / n;
      b = node.is("Mul") ? b * n : b / n;
    }
  }
  return true;
}

// A Reshape of the pixels of each channel.
bool keeps_channels(const Graph& graph, NodeId id) {
  if (!graph.node(id).is("Reshape")) return false;
  const auto &from = graph.value(graph.input(id, 0)).shape,
             &to = graph.value(graph.output(id)).shape;
  return to && to->rank() > 2 && (*from)[0] == (*to)[0] && (*from)[1] == (*to)[1];
}

// The arithmetic behind the only input that takes pictures.
Result<Leading> find_leading(const Graph& graph, bool also_by_element) {
  std::optional<Leading> found;
  for (const ValueId in : graph.inputs) {
    const auto channels = channels_of(graph, in);
    if (!channels || graph.value(in).dtype != DType::kFloat32) continue;
    if (found) {
      return error(Code::kInvalidArgument, "inputs '", graph.value(found->input).name, "' and '",
                   graph.value(in).name, "' could both be pictures");
    }
    found = Leading{.input = in, .start = in, .end = in, .nodes = {}, .affine = {}};
    found->affine = {Numbers(*channels, 1.0), Numbers(*channels, 0.0)};
  }
  if (!found) {
    return error(Code::kInvalidArgument,
                 "no input is float32 [N,C,...] with a known number of channels");
  }
  while (graph.only_use(found->end)) {
    const NodeId user = graph.value(found->end).users.front();
    if (found->nodes.empty() && keeps_channels(graph, user)) {
      found->start = found->end = graph.output(user);
      continue;
    }
    if (!take(graph, user, found->end, found->affine)) {
      if (!also_by_element || !is_arithmetic(graph, user, found->end)) break;
      found->by_channel = false;
    }
    found->nodes.push_back(user);
    found->end = graph.output(user);
  }
  return *found;
}

std::string list_of(const Numbers& numbers) {
  const bool same = std::equal(numbers.begin() + 1, numbers.end(), numbers.begin());
  std::string text;
  for (std::size_t i = 0; i < (same ? 1 : numbers.size()); ++i)
    text += cat(i > 0 ? "," : "", static_cast<float>(numbers[i]));
  return text;
}

// (x * scale - mean) / std with scale 1: what `mini-infer run` takes.
std::string spelt(const Affine& affine) {
  Numbers mean, std;
  for (std::size_t c = 0; c < affine.factor.size(); ++c) {
    std.push_back(1 / affine.factor[c]);
    mean.push_back(-affine.offset[c] / affine.factor[c]);
  }
  return cat("--mean ", list_of(mean), " --std ", list_of(std));
}

void remove_leading(Graph& graph, const Leading& leading) {
  graph.replace_uses(leading.end, leading.start);
  remove_dead_nodes(graph);
}

// --- what the user says

std::optional<Numbers> parse_numbers(const std::string& text, std::size_t channels) {
  Numbers numbers;
  for (const std::string& each : split_text(text, ',')) {
    double number = 0;
    const auto [end, failure] = std::from_chars(each.data(), each.data() + each.size(), number);
    if (failure != std::errc() || end != each.data() + each.size()) return {};
    numbers.push_back(number);
  }
  if (numbers.size() == 1) numbers.resize(channels, numbers.front());
  return numbers.size() == channels ? std::optional(numbers) : std::nullopt;
}

Result<Affine> parse_affine(const std::string& text, std::size_t channels) {
  Numbers mean(channels, 0), std(channels, 1), scale(channels, 1);
  for (const std::string& part : split_text(text, '/')) {
    const std::size_t at = part.find('=');
    const std::string name = part.substr(0, at);
    Numbers* const target = name == "mean"    ? &mean
                            : name == "std"   ? &std
                            : name == "scale" ? &scale
                                              : nullptr;
    const auto numbers = at == std::string::npos || target == nullptr
                             ? std::nullopt
                             : parse_numbers(part.substr(at + 1), channels);
    if (!numbers) {
      return error(Code::kInvalidArgument, "'", part, "' is not mean=, std= or scale= with 1 or ",
                   channels, " numbers, such as mean=0.485,0.456,0.406/std=0.229,0.224,0.225");
    }
    *target = *numbers;
  }
  Affine affine{Numbers(channels), Numbers(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    affine.factor[c] = scale[c] / std[c];
    affine.offset[c] = -mean[c] / std[c];
  }
  return affine;
}

// --- folding

ValueId add_ints_constant(Graph& graph, UsedNames& names, const std::string& name,
                          const Ints& ints) {
  return graph.add_constant(
      names.unique(name),
      Tensor::from<std::int64_t>({static_cast<std::int64_t>(ints.size())}, ints));
}

ValueId pad_with(Graph& graph, UsedNames& names, NodeId near, ValueId x, const Ints& pads,
                 double value) {
  const std::string name = graph.value(x).name;
  const ValueId by = add_ints_constant(graph, names, name + "_pads", pads);
  const ValueId with = graph.add_constant(names.unique(name + "_border"),
                                          Tensor::scalar<float>(static_cast<float>(value)));
  return graph.output(graph.add_node(near, "Pad", {x, by, with}));
}

// x with what becomes zero around it; each channel by itself where they differ.
ValueId pad_channels(Graph& graph, NodeId conv, ValueId x, const Ints& pads,
                     const Numbers& values) {
  UsedNames names = used_names(graph);
  if (std::equal(values.begin() + 1, values.end(), values.begin())) {
    return pad_with(graph, names, conv, x, pads, values.front());
  }
  const Ints ones(values.size(), 1);
  std::vector<ValueId> inputs = {x};
  Attributes attributes = {{"axis", std::int64_t{1}}};
  if (graph.opset() < 13) {
    attributes["split"] = ones;
  } else {
    inputs.push_back(add_ints_constant(graph, names, graph.value(x).name + "_channels", ones));
  }
  const NodeId split = graph.add_node(conv, "Split", inputs, attributes, "", values.size());
  std::vector<ValueId> padded;
  for (std::size_t c = 0; c < values.size(); ++c) {
    padded.push_back(pad_with(graph, names, conv, graph.output(split, c), pads, values[c]));
  }
  return graph.output(graph.add_node(conv, "Concat", padded, {{"axis", std::int64_t{1}}}));
}

struct FirstConv {
  NodeId id;
  Ints pads;  // begins and ends of all axes, as Pad takes them
};

Result<FirstConv> find_conv(const Graph& graph, ValueId x) {
  const NodeId conv = graph.only_use(x) ? graph.value(x).users.front() : kNoNode;
  if (conv == kNoNode || !graph.node(conv).is("Conv") || graph.input(conv, 0) != x) {
    return error(Code::kInvalidArgument, "'", graph.value(x).name,
                 "' does not go into one convolution and nothing else; --extract-preprocess takes "
                 "the arithmetic out of the model instead");
  }
  const AttributeReader node(graph.node(conv));
  const Tensor* w = graph.constant(graph.input(conv, 1));
  const ValueId bias = graph.input(conv, 2);
  const bool plain = w != nullptr && w->dtype() == DType::kFloat32 &&
                     node.integer("group", 1) == 1 &&
                     (bias == kNoValue || graph.constant(bias) != nullptr);
  const std::string auto_pad = node.string("auto_pad", "NOTSET");
  if (!plain || (auto_pad != "NOTSET" && auto_pad != "VALID")) {
    return error(Code::kInvalidArgument, graph.node(conv).str(),
                 " must have constant float32 weights, one group and no auto_pad ", auto_pad);
  }
  const std::size_t spatial = w->shape().rank() - 2;
  const Ints own = auto_pad == "VALID" ? Ints() : node.ints("pads", Ints(2 * spatial, 0));
  Ints pads(2 * (spatial + 2), 0);
  for (std::size_t i = 0; i < spatial && own.size() == 2 * spatial; ++i) {
    pads[2 + i] = own[i];
    pads[spatial + 4 + i] = own[spatial + i];
  }
  return FirstConv{conv, pads};
}

// conv(factor * x + offset) as a convolution of x.
void fold(Graph& graph, NodeId conv, const Affine& affine) {
  const Tensor& old = *graph.constant(graph.input(conv, 1));
  const auto outs = static_cast<std::size_t>(old.shape()[0]);
  const std::size_t ins = affine.factor.size();
  const auto taps = static_cast<std::size_t>(old.elements()) / (outs * ins);
  Tensor weights = old.clone(), bias(DType::kFloat32, {old.shape()[0]});
  const Tensor* old_bias = graph.constant(graph.input(conv, 2));
  float* w = weights.mutable_data<float>();
  for (std::size_t o = 0; o < outs; ++o) {
    double sum = old_bias != nullptr ? static_cast<double>(old_bias->data<float>()[o]) : 0;
    for (std::size_t i = 0; i < ins; ++i) {
      for (std::size_t t = 0; t < taps; ++t, ++w) {
        const auto before = static_cast<double>(*w);
        sum += before * affine.offset[i];
        *w = static_cast<float>(before * affine.factor[i]);
      }
    }
    bias.mutable_data<float>()[o] = static_cast<float>(sum);
  }
  replace_constant(graph, conv, 1, std::move(weights));
  UsedNames names = used_names(graph);
  graph.set_input(
      conv, 2, graph.add_constant(names.unique(graph.node(conv).name + "_bias"), std::move(bias)));
}

bool is_usable(const Affine& affine) {
  const auto fine = [](double factor) { return factor != 0 && std::isfinite(factor); };
  return std::all_of(affine.factor.begin(), affine.factor.end(), fine);
}

}  // namespace

Result<std::string> fold_preprocess(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(Leading leading, find_leading(graph, false));
  if (!text.empty()) {
    leading.end = leading.start;
    leading.nodes.clear();
    MINI_TRY_ASSIGN(leading.affine, parse_affine(text, leading.affine.factor.size()));
  }
  const Affine& affine = leading.affine;
  if (text.empty() && leading.nodes.empty()) {
    return error(Code::kInvalidArgument, "input '", graph.value(leading.input).name,
                 "' meets no Sub, Div, Mul or Add with constants; say what to fold, such as "
                 "--fold-preprocess=mean=0.5/std=0.5");
  }
  if (!is_usable(affine)) return error(Code::kInvalidArgument, "a factor is 0 or not finite");
  MINI_TRY_ASSIGN(const FirstConv first, find_conv(graph, leading.end));
  const bool pads =
      std::any_of(first.pads.begin(), first.pads.end(), [](auto p) { return p != 0; });
  const bool shifts =
      std::any_of(affine.offset.begin(), affine.offset.end(), [](double b) { return b != 0; });
  if (pads && shifts && graph.opset() < 11) {
    return error(Code::kInvalidArgument, graph.node(first.id).str(),
                 " pads, which needs Pad of opset 11; raise it with --opset 11 first");
  }
  remove_leading(graph, leading);
  fold(graph, first.id, affine);
  std::string what = cat(spelt(affine), " folded into ", graph.node(first.id).str());
  if (!pads || !shifts) return what;
  Numbers values;
  for (std::size_t c = 0; c < affine.factor.size(); ++c)
    values.push_back(-affine.offset[c] / affine.factor[c]);
  graph.set_input(first.id, 0, pad_channels(graph, first.id, leading.start, first.pads, values));
  graph.node(first.id).attributes.erase("pads");
  return what + "; its border is padded with " + list_of(values);
}

Result<std::string> extract_preprocess(Edit& edit, const std::string&) {
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(const Leading leading, find_leading(graph, true));
  if (leading.nodes.empty()) {
    return error(Code::kInvalidArgument, "input '", graph.value(leading.input).name,
                 "' meets no Sub, Div, Mul or Add with constants");
  }
  const std::size_t count = leading.nodes.size();
  remove_leading(graph, leading);
  return cat(counted(count, "node"), " taken out; ",
             leading.by_channel ? "give pixels as " + spelt(leading.affine)
                                : "they had a number for each element, which no --mean says");
}

}  // namespace mini_infer
