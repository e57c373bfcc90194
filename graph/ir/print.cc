// Graph::print and the text of attributes.
#include <algorithm>

#include "graph/ir/graph.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

constexpr std::size_t kLongestList = 8;

template <class T>
std::string list_str(const std::vector<T>& values) {
  const std::size_t shown = std::min(values.size(), kLongestList);
  std::string text =
      cat(std::vector<T>(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(shown)));
  if (shown < values.size()) text.insert(text.size() - 1, cat(",... ", values.size(), " in all"));
  return text;
}

std::string tensor_str(const Tensor& tensor) { return cat(tensor.dtype(), tensor.shape()); }

struct AttributeText {
  std::string operator()(std::int64_t value) const { return cat(value); }
  std::string operator()(float value) const { return cat(value); }
  std::string operator()(const std::string& value) const { return cat('"', value, '"'); }
  std::string operator()(const Tensor& value) const { return tensor_str(value); }
  std::string operator()(const GraphPtr& value) const {
    return cat("graph(", value != nullptr ? value->node_count() : 0, " nodes)");
  }
  template <class T>
  std::string operator()(const std::vector<T>& values) const {
    if constexpr (std::is_same_v<T, Tensor> || std::is_same_v<T, GraphPtr>) {
      return cat(values.size(), " items");
    } else {
      return list_str(values);
    }
  }
};

std::string value_str(const Graph& graph, ValueId id) {
  return id == kNoValue ? "-" : "%" + graph.value(id).name;
}

std::string typed_str(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "-";
  const Value& value = graph.value(id);
  return cat("%", value.name, ": ", value.dtype, value.shape ? value.shape->str() : "[?]",
             value.layout == Layout::kBlocked ? " blocked" : "");
}

std::string node_line(const Graph& graph, const Node& node) {
  std::string line = "  ";
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    line += (i > 0 ? ", " : "") + typed_str(graph, node.outputs[i]);
  }
  line += " = " + (node.domain.empty() ? "" : node.domain + ".") + node.op_type + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    line += (i > 0 ? ", " : "") + value_str(graph, node.inputs[i]);
  }
  line += ")";
  std::string attributes;
  for (const auto& [name, attribute] : node.attributes) {
    attributes += (attributes.empty() ? "" : ", ") + name + "=" + attribute_str(attribute);
  }
  if (!attributes.empty()) line += " {" + attributes + "}";
  return line + "  # " + node.name + "\n";
}

}  // namespace

const char* attribute_kind(const Attribute& attribute) {
  static constexpr const char* kKinds[] = {"int",  "float",  "string",  "tensor",  "graph",
                                           "ints", "floats", "strings", "tensors", "graphs"};
  return kKinds[attribute.index()];
}

std::string attribute_str(const Attribute& attribute) {
  return std::visit(AttributeText{}, attribute);
}

std::string Graph::print() const {
  std::string text = "graph " + name + "\n";
  for (const ValueId in : inputs) text += "  input " + typed_str(*this, in) + "\n";
  for (const NodeId id : order()) text += node_line(*this, node(id));
  for (const GraphOutput& out : outputs_) {
    text += cat("  output ", out.name, " = ", typed_str(*this, out.value), "\n");
  }
  return text;
}

}  // namespace mini_infer
