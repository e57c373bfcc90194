// before:  x: float16 -> Conv(W: float16) -> y: float16
// after:   x: float16 -> Cast(float32) -> Conv(W: float32) -> Cast(float16) -> y: float16
// when:    a value is float16 or bfloat16; inputs and outputs of the model keep their dtype
//
// Kernels compute in float32. Casts to float16 inside become casts to float32: the rounding they
// did is lost, which brings results nearer to what the model means. Subgraphs get no casts at their
// ends, since the values on both sides of them are widened alike. Runs whatever
// PassOptions::stop_after says.

#include <algorithm>
#include <memory>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr auto kFloat32Number = static_cast<std::int64_t>(DType::kFloat32);

bool is_narrow(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

bool is_narrow_number(std::int64_t dtype) {
  return dtype == static_cast<std::int64_t>(DType::kFloat16) ||
         dtype == static_cast<std::int64_t>(DType::kBFloat16);
}

template <class T>
std::shared_ptr<const void> widen(const Tensor& narrow) {
  Tensor wide(DType::kFloat32, narrow.shape());
  std::transform(narrow.data<T>(), narrow.data<T>() + narrow.elements(), wide.mutable_data<float>(),
                 [](T value) { return to_float(value); });
  return wide.owner();
}

// Widened when they are read, so that neither form stays in memory once they are packed.
Tensor widened(const Tensor& narrow) {
  const auto make = narrow.dtype() == DType::kFloat16 ? widen<Float16> : widen<BFloat16>;
  return Tensor::defer(DType::kFloat32, narrow.shape(),
                       [make, narrow = narrow.unread()] { return make(narrow.unread()); });
}

class Widener {
 public:
  Widener(Graph& graph, bool is_subgraph) : graph_(graph), is_subgraph_(is_subgraph) {}

  Result<int> run() {
    if (!is_subgraph_) {
      cast_inputs();
      cast_outputs();
    }
    widen_values();
    for (const NodeId id : graph_.order()) MINI_TRY(widen_node(graph_.node(id)));
    return changes_;
  }

 private:
  // A value of the model's face, which stays narrow: what cast_inputs and cast_outputs leave
  // behind.
  bool at_the_edge(ValueId id) const {
    if (is_subgraph_) return false;
    const Value& value = graph_.value(id);
    if (graph_.is_input(id)) return true;
    return value.users.empty() && graph_.is_output(id) &&
           (value.is_constant() || graph_.producer_of_type(id, "Cast") != kNoNode);
  }

  // The users of a narrow input read its Cast instead.
  void cast_inputs() {
    for (const ValueId input : graph_.inputs) {
      const DType narrow = graph_.value(input).dtype;
      if (!is_narrow(narrow)) continue;
      std::vector<std::pair<NodeId, std::size_t>> uses;
      for (const NodeId user : graph_.value(input).users) {
        if (is_widening_cast(user)) continue;
        for (std::size_t i = 0; i < graph_.node(user).inputs.size(); ++i) {
          if (graph_.input(user, i) == input) uses.emplace_back(user, i);
        }
      }
      std::sort(uses.begin(), uses.end());
      uses.erase(std::unique(uses.begin(), uses.end()), uses.end());
      if (uses.empty()) continue;
      const ValueId wide = add_cast(uses.front().first, input, DType::kFloat32);
      for (const auto& [user, index] : uses) graph_.set_input(user, index, wide);
    }
  }

  bool is_widening_cast(NodeId id) const {
    const auto* to = graph_.attribute<std::int64_t>(id, "to");
    return graph_.node(id).is("Cast") && to != nullptr && *to == kFloat32Number;
  }

  // A narrow output is a Cast of what is computed.
  void cast_outputs() {
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      const ValueId value = graph_.outputs()[i].value;
      const DType narrow = graph_.value(value).dtype;
      if (!is_narrow(narrow) || at_the_edge(value)) continue;
      graph_.set_output(i, add_cast(graph_.producer(value), value, narrow));
    }
  }

  ValueId add_cast(NodeId near, ValueId from, DType to) {
    const NodeId cast =
        graph_.add_node(near, "Cast", {from}, {{"to", static_cast<std::int64_t>(to)}});
    Node& node = graph_.node(cast);
    node.opset = std::max(graph_.opset(), 6);  // before, `to` was a string
    const ValueId out = graph_.output(cast);
    graph_.value(out).dtype = to;
    graph_.value(out).shape = graph_.value(from).shape;
    ++changes_;
    return out;
  }

  void widen_values() {
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.value_count()); ++id) {
      Value& value = graph_.value(id);
      if (!is_narrow(value.dtype) || at_the_edge(id)) continue;
      if (value.is_constant()) value.constant = widened(value.constant);
      value.dtype = DType::kFloat32;
      ++changes_;
    }
  }

  // Attributes that name a dtype or hold a tensor.
  Status widen_node(Node& node) {
    const bool keeps = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId out) {
      return out != kNoValue && is_narrow(graph_.value(out).dtype);
    });
    if (keeps) return ok();  // the Cast in front of an output
    for (auto& [name, attribute] : node.attributes) {
      auto* number = std::get_if<std::int64_t>(&attribute);
      const bool names_dtype =
          name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype";
      if (number != nullptr && names_dtype && is_narrow_number(*number)) *number = kFloat32Number;
      auto* tensor = std::get_if<Tensor>(&attribute);
      if (tensor != nullptr && is_narrow(tensor->dtype())) {
        *tensor = widened(*tensor);
      }
    }
    for (GraphPtr* subgraph : subgraphs_of(node)) {
      auto copy = std::make_shared<Graph>(**subgraph);
      MINI_TRY_ASSIGN(const int changes, Widener(*copy, true).run());
      if (changes == 0) continue;
      *subgraph = std::move(copy);
      changes_ += changes;
    }
    return ok();
  }

  Graph& graph_;
  bool is_subgraph_;
  int changes_ = 0;
};

}  // namespace

Result<int> widen_float16(Graph& graph, PassContext&) { return Widener(graph, false).run(); }

}  // namespace mini_infer
