// The part of a graph between values: these become its inputs, those its outputs.
#include <algorithm>
#include <set>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

struct Ends {
  std::vector<std::string> inputs, outputs;
};

// Names may hold colons (TensorFlow's do): of all ways to cut the text, the one that leaves the
// fewest names unknown.
Result<Ends> read_ends(const Graph& graph, const std::string& text) {
  std::optional<Ends> best;
  std::size_t fewest = 0;
  for (const auto& [left, right] : cuts(text, ':')) {
    Ends ends{split_text(left, ','), split_text(right, ',')};
    std::size_t unknown = 0;
    for (const auto* names : {&ends.inputs, &ends.outputs}) {
      for (const std::string& each : *names) unknown += find_value_id(graph, each) == kNoValue;
    }
    if (best && unknown >= fewest) continue;
    fewest = unknown;
    best = std::move(ends);
  }
  if (best) return *best;
  return error(Code::kInvalidArgument,
               "it takes IN,..:OUT,.., the values to begin and to end with");
}

std::vector<ValueId> find_all(const Graph& graph, const std::vector<std::string>& names,
                              Problems& problems) {
  std::vector<ValueId> found;
  for (const std::string& name : names) {
    const Result<ValueId> value = find_value(graph, name);
    if (!value.ok()) {
      problems.add(value.status());
    } else if (std::find(found.begin(), found.end(), *value) != found.end()) {
      problems.add(Code::kInvalidArgument, cat("value '", name, "' is named twice"));
    } else {
      found.push_back(*value);
    }
  }
  return found;
}

// A shape that an input can be written with: expressions are left open.
std::optional<SymShape> input_shape(const std::optional<SymShape>& shape, const std::string& name) {
  if (!shape) return shape;
  SymShape open = *shape;
  for (std::size_t i = 0; i < open.rank(); ++i) {
    const bool expression = !open[i].known() && open[i].symbol().find('(') != std::string::npos;
    if (expression) open[i] = Dim(cat("?", name, "_", i));
  }
  return open;
}

// The value becomes an input; what made it gives a value of another name from now on, if anybody
// needs it.
ValueId cut_before(Graph& graph, ValueId value) {
  if (graph.is_input(value)) return value;
  const std::string name = graph.value(value).name;
  const ValueId fresh =
      graph.add_value(name, graph.value(value).dtype, input_shape(graph.value(value).shape, name));
  graph.replace_uses(value, fresh);
  graph.value(value).name += "/before";
  return fresh;
}

}  // namespace

Result<std::string> extract(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(const Ends ends, read_ends(graph, text));
  Problems problems;
  std::vector<ValueId> inputs = find_all(graph, ends.inputs, problems);
  std::vector<ValueId> outputs = find_all(graph, ends.outputs, problems);
  MINI_TRY(problems.status());
  const std::size_t before = graph.node_count();
  while (!graph.outputs().empty()) graph.remove_output(graph.outputs().size() - 1);
  for (std::size_t i = 0; i < outputs.size(); ++i) graph.add_output(ends.outputs[i], outputs[i]);
  for (ValueId& in : inputs) in = cut_before(graph, in);
  std::vector<ValueId> old = graph.inputs;
  graph.inputs = inputs;
  remove_dead_nodes(graph);
  const auto needed = [&](ValueId id) {
    return !graph.value(id).users.empty() || graph.is_output(id);
  };
  for (const ValueId in : inputs) {
    if (needed(in)) continue;
    problems.add(Code::kInvalidArgument,
                 cat("no output depends on value '", graph.value(in).name, "'; leave it out"));
  }
  for (const ValueId in : old) {
    const bool kept = std::find(inputs.begin(), inputs.end(), in) != inputs.end();
    if (kept || !needed(in)) continue;
    problems.add(Code::kInvalidArgument, cat("the outputs depend on input '", graph.value(in).name,
                                             "' too; name it, or a value between"));
  }
  MINI_TRY(problems.status());
  return cat(counted(graph.node_count(), "node"), " of ", before);
}

}  // namespace mini_infer
