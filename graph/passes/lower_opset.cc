#include "graph/passes/lower_opset.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "graph/ir/sequence.h"
#include "graph/ir/text.h"
#include "graph/passes/lower_opset_steps.h"
#include "graph/passes/match.h"
#include "graph/passes/raise_opset.h"

namespace mini_infer {
namespace {

using namespace undo;

constexpr OpsetChange kChanges[] = {
#define MINI_OPSET_CHANGE(type, version, dtypes, attributes, undo) \
  {type, version, dtypes, attributes, undo},
#include "graph/passes/lower_opset.def"
#undef MINI_OPSET_CHANGE
};

// The next word of `text`, which loses it.
std::string_view next_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

bool is_dtype(DType dtype, std::string_view name) {
  return name == "sequence" ? dtype == kSequence : dtype == dtype_from_name(name);
}

// The first of `names` that the node's first input or output has; empty: none.
std::string_view new_dtype(const Graph& graph, NodeId id, std::string_view names) {
  while (!names.empty()) {
    const std::string_view name = next_word(names);
    for (const ValueId value : {graph.input(id, 0), graph.output(id)}) {
      if (value != kNoValue && is_dtype(graph.value(value).dtype, name)) return name;
    }
  }
  return {};
}

bool has_value(const Attribute& attribute, std::string_view text) {
  if (const auto* string = std::get_if<std::string>(&attribute)) return *string == text;
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (const auto* one = std::get_if<std::int64_t>(&attribute)) return *one == number;
  const auto* list = std::get_if<Ints>(&attribute);
  return list != nullptr &&
         std::all_of(list->begin(), list->end(), [&](std::int64_t each) { return each == number; });
}

// Takes the new attributes away where they do nothing; says which one does something.
std::string drop_attributes(Graph& graph, NodeId id, std::string_view words) {
  Attributes& attributes = graph.node(id).attributes;
  while (!words.empty()) {
    const std::string_view word = next_word(words);
    const std::size_t equals = std::min(word.find('='), word.size());
    const auto at = attributes.find(word.substr(0, equals));
    if (at == attributes.end()) continue;
    if (equals < word.size() && !has_value(at->second, word.substr(equals + 1))) {
      return cat("its attribute '", at->first, "' is ", attribute_str(at->second));
    }
    attributes.erase(at);
  }
  return "";
}

// One version back; what hinders it, or nothing.
std::string undo_change(Graph& graph, NodeId id, const OpsetChange& change) {
  const std::string_view dtype = new_dtype(graph, id, change.dtypes);
  if (!dtype.empty()) return cat("it takes ", dtype, " from opset ", change.version, " on only");
  std::string reason = drop_attributes(graph, id, change.attributes);
  if (!reason.empty() || change.undo == nullptr) return reason;
  // Loops alone may do without.
  const bool whole = graph.output(id) != kNoValue && graph.input(id, 0) != kNoValue;
  if (!whole && change.type != "Loop") return "its first input or output is missing";
  return change.undo(graph, id);
}

// What a subgraph can know of the values that it captures.
void describe_captures(const Graph& graph, const Node& node, Graph& body) {
  const auto count = static_cast<std::size_t>(node.captures);
  if (count > node.inputs.size() || count > body.inputs.size()) return;
  for (std::size_t i = 1; i <= count; ++i) {
    const ValueId from = node.inputs[node.inputs.size() - i];
    Value& to = body.value(body.inputs[body.inputs.size() - i]);
    if (from == kNoValue) continue;
    const Value& outer = graph.value(from);
    if (to.dtype == DType::kUndefined) to.dtype = outer.dtype;
    if (!to.shape) to.shape = outer.shape;
    const auto ints = known_ints(graph, from);
    if (ints) to.contents = std::vector<Dim>(ints->begin(), ints->end());
  }
}

class Lowerer {
 public:
  Lowerer(Graph& graph, int opset, const OpLookup& ops, std::string& problems)
      : graph_(graph), opset_(opset), ops_(ops), problems_(problems) {}

  void run() {
    // New nodes are written in the newest opset, and lowered in their turn: they come at the end.
    graph_.opsets[""] = newest_opset(graph_);
    for (NodeId id = 0; id < static_cast<NodeId>(graph_.node_slots()); ++id) {
      if (graph_.alive(id) && graph_.node(id).domain.empty()) lower(id);
    }
    graph_.opsets[""] = opset_;
  }

 private:
  // The newest change that the node has and the old opset lacks, or nullptr.
  const OpsetChange* last_change(const Node& node) const {
    const OpsetChange* last = nullptr;
    for (const OpsetChange& change : kChanges) {
      if (change.type != node.op_type || change.version > node.opset || change.version <= opset_)
        continue;
      if (last == nullptr || change.version > last->version) last = &change;
    }
    return last;
  }

  // What hinders it, or nothing.
  std::string lower_node(NodeId id) {
    while (const OpsetChange* change = last_change(graph_.node(id))) {
      const std::string reason = undo_change(graph_, id, *change);
      if (!reason.empty()) return reason;
      if (!graph_.alive(id)) return "";  // others say it
      graph_.node(id).opset = change->version - 1;
    }
    const Node& node = graph_.node(id);
    if (ops_.find("", node.op_type, opset_) != nullptr) return "";
    const OpDef* now = ops_.find("", node.op_type, node.opset);
    if (now == nullptr) return "what it was then is not known here";
    return cat("the operator came with opset ", now->since.front());
  }

  void lower(NodeId id) {
    if (graph_.node(id).opset <= opset_ && !has_subgraph(graph_.node(id))) return;
    const std::string spelt = graph_.node(id).str();
    each_subgraph(id, [&](Graph& body) {
      describe_captures(graph_, graph_.node(id), body);
      static_cast<void>(infer_shapes(body, ops_));  // as far as it goes
    });
    const std::string reason = graph_.node(id).opset > opset_ ? lower_node(id) : "";
    if (!reason.empty()) {
      problems_ += cat(problems_.empty() ? "" : "\n", spelt, ": cannot be said in opset ", opset_,
                       ": ", reason);
    }
    if (!graph_.alive(id)) return;
    graph_.node(id).opset = std::min(graph_.node(id).opset, opset_);
    each_subgraph(id, [&](Graph& body) { Lowerer(body, opset_, ops_, problems_).run(); });
  }

  template <class F>
  void each_subgraph(NodeId id, F&& change) {
    for (GraphPtr* subgraph : subgraphs_of(graph_.node(id))) {
      auto copy = std::make_shared<Graph>(**subgraph);
      change(*copy);
      *subgraph = std::move(copy);
    }
  }

  Graph& graph_;
  int opset_;
  const OpLookup& ops_;
  std::string& problems_;
};

}  // namespace

std::span<const OpsetChange> opset_changes() { return kChanges; }

Status lower_opset(Graph& graph, int opset, const OpLookup& ops) {
  std::string problems;
  Lowerer(graph, opset, ops, problems).run();
  return problems.empty() ? ok() : not_implemented(problems);
}

}  // namespace mini_infer
