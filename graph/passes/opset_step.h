// What steps from opset to opset share, in both directions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "graph/ir/graph.h"

namespace mini_infer {

// A name for what is added for the node.
inline std::string name_of(const Graph& graph, NodeId id, const char* what) {
  return graph.node(id).name + "_" + what;
}

// The attribute, taken away from the node; no value where it is of another kind.
template <class T>
std::optional<T> take(Graph& graph, NodeId id, std::string_view name) {
  Attributes& attributes = graph.node(id).attributes;
  const auto at = attributes.find(name);
  if (at == attributes.end()) return std::nullopt;
  const T* value = std::get_if<T>(&at->second);
  std::optional<T> taken = value != nullptr ? std::optional(*value) : std::nullopt;
  attributes.erase(at);
  return taken;
}

// A constant with one element, of the dtype of `like`.
inline std::optional<ValueId> add_scalar(Graph& graph, std::string name, ValueId like,
                                         float number) {
  switch (graph.value(like).dtype) {
    case DType::kFloat64:
      return graph.add_constant(std::move(name), Tensor::scalar(static_cast<double>(number)));
    case DType::kFloat16:
      return graph.add_constant(std::move(name), Tensor::scalar(to_float16(number)));
    case DType::kFloat32:
    case DType::kUndefined:
      return graph.add_constant(std::move(name), Tensor::scalar(number));
    default:
      return std::nullopt;
  }
}

// Takes the outputs behind the first away; false where one of them is used.
inline bool keep_first_output(Graph& graph, NodeId id) {
  for (std::size_t i = 1; i < graph.node(id).outputs.size(); ++i) {
    const ValueId out = graph.output(id, i);
    if (out != kNoValue && (!graph.value(out).users.empty() || graph.is_output(out))) return false;
    graph.set_node_output(id, i, kNoValue);
  }
  graph.node(id).outputs.resize(1);
  return true;
}

}  // namespace mini_infer
