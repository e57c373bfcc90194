// Puts another model behind this one: outputs of the first become inputs of the second.
#include <algorithm>
#include <map>
#include <set>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

struct Pair {
  std::size_t output;  // of the first, an index
  ValueId input;       // of the second
};

std::optional<std::size_t> place_of(const std::vector<std::string>& names,
                                    const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<std::size_t>(it - names.begin());
}

Result<std::vector<Pair>> pairs_by_name(const Graph& first, const Graph& second) {
  const std::vector<std::string> outputs = output_names(first), inputs = input_names(second);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (const auto place = place_of(inputs, outputs[i]))
      pairs.push_back({i, second.inputs[*place]});
  }
  if (!pairs.empty()) return pairs;
  return error(Code::kInvalidArgument, "no output of the first model, ", outputs,
               ", has the name of an input of the second, ", inputs, "; pair them: FILE,OUT=IN");
}

Result<std::vector<Pair>> pairs_as_told(const Graph& first, const Graph& second,
                                        const std::vector<std::string>& told) {
  const std::vector<std::string> outputs = output_names(first), inputs = input_names(second);
  std::vector<Pair> pairs;
  Problems problems;
  for (const std::string& each : told) {
    std::optional<Pair> pair;
    for (const auto& [left, right] : cuts(each, '=')) {
      const auto out = place_of(outputs, left), in = place_of(inputs, right);
      if (out && in) pair = Pair{*out, second.inputs[*in]};
    }
    if (pair) {
      pairs.push_back(*pair);
    } else {
      problems.add(Code::kInvalidArgument,
                   cat("'", each, "' is no OUT=IN: outputs of the first model are ", outputs,
                       ", inputs of the second ", inputs));
    }
  }
  MINI_TRY(problems.status());
  return pairs;
}

Status check_pairs(const Graph& first, const Graph& second, const std::vector<Pair>& pairs) {
  Problems problems;
  std::set<ValueId> fed;
  for (const Pair& pair : pairs) {
    const GraphOutput& output = first.outputs()[pair.output];
    const Value &from = first.value(output.value), &to = second.value(pair.input);
    if (!fed.insert(pair.input).second) {
      problems.add(Code::kInvalidArgument, cat("input '", to.name, "' is fed twice"));
    }
    // A named extent of an input takes any number.
    Value open = to;
    if (open.shape) {
      for (std::size_t i = 0; i < open.shape->rank(); ++i) {
        if (!(*open.shape)[i].known()) (*open.shape)[i] = Dim(std::string("?"));
      }
    }
    if (!may_be_same_type(from, open)) {
      problems.add(Code::kInvalidArgument, cat("output '", output.name, "' is ", type_str(from),
                                               ", input '", to.name, "' takes ", type_str(to)));
    }
  }
  return problems.status();
}

Status check_opsets(const Graph& first, const Graph& second) {
  Problems problems;
  std::set<std::string> domains;
  for (const NodeId id : second.order()) domains.insert(second.node(id).domain);
  for (const std::string& domain : domains) {
    const auto there = first.opsets.find(domain);
    if (there == first.opsets.end() || there->second == second.opset(domain)) continue;
    problems.add(Code::kInvalidArgument,
                 cat("the first model has opset ", there->second, " of domain '",
                     domain.empty() ? "ai.onnx" : domain, "', the second ", second.opset(domain),
                     "; bring one to the other's with --opset first"));
  }
  return problems.status();
}

// Copies the second graph into the first.
class Copier {
 public:
  Copier(Graph& into, const Graph& from) : into_(into), from_(from), values_(used_names(into)) {
    for (const NodeId id : into.order()) nodes_.unique(into.node(id).name);
  }

  void feed(ValueId inner, ValueId outer) { ids_[inner] = outer; }

  void copy() {
    for (const ValueId in : from_.inputs) {
      if (!ids_.contains(in)) into_.inputs.push_back(value(in));
    }
    for (const NodeId id : from_.order()) {
      Node node = from_.node(id);
      for (ValueId& each : node.inputs) each = value(each);
      for (ValueId& each : node.outputs) each = value(each);
      const std::string name = nodes_.unique(node.name);
      renamed_ += name == node.name ? 0 : 1;
      node.name = name;
      into_.add_node(std::move(node));
    }
    UsedNames outputs;
    for (const std::string& name : output_names(into_)) outputs.unique(name);
    for (const ValueId in : into_.inputs) outputs.unique(into_.value(in).name);
    for (const GraphOutput& out : from_.outputs()) {
      const std::string name = outputs.unique(out.name);
      renamed_ += name == out.name ? 0 : 1;
      into_.add_output(name, value(out.value));
    }
    for (const auto& [domain, version] : from_.opsets) into_.opsets.emplace(domain, version);
  }

  std::size_t renamed() const { return renamed_; }

 private:
  ValueId value(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto [it, added] = ids_.try_emplace(id, kNoValue);
    if (!added) return it->second;
    const Value& from = from_.value(id);
    const std::string name = values_.unique(from.name);
    renamed_ += name == from.name ? 0 : 1;
    it->second = from.is_constant() ? into_.add_constant(name, from.constant)
                                    : into_.add_value(name, from.dtype, from.shape);
    return it->second;
  }

  Graph& into_;
  const Graph& from_;
  UsedNames values_, nodes_;
  std::map<ValueId, ValueId> ids_;
  std::size_t renamed_ = 0;
};

}  // namespace

Result<std::string> merge(Edit& edit, const std::string& text) {
  std::vector<std::string> told = split_text(text, ',');
  const std::string path = told.front();
  told.erase(told.begin());
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(ImportedModel other, import_file(path));
  MINI_TRY(check_opsets(graph, other.graph));
  MINI_TRY_ASSIGN(std::vector<Pair> pairs, told.empty() ? pairs_by_name(graph, other.graph)
                                                        : pairs_as_told(graph, other.graph, told));
  MINI_TRY(check_pairs(graph, other.graph, pairs));
  std::set<std::size_t> used;
  std::map<ValueId, ValueId> fed;
  for (const Pair& pair : pairs) {
    used.insert(pair.output);
    fed[pair.input] = graph.outputs()[pair.output].value;
  }
  for (auto it = used.rbegin(); it != used.rend(); ++it) graph.remove_output(*it);
  Copier copier(graph, other.graph);
  for (const auto& [inner, outer] : fed) copier.feed(inner, outer);
  copier.copy();
  ModelInfo& info = edit.model.info;
  info.ir_version = std::max(info.ir_version, other.info.ir_version);
  info.metadata.insert(other.info.metadata.begin(), other.info.metadata.end());
  return cat(counted(pairs.size(), "value"), " passed on, ",
             counted(other.graph.node_count(), "node"), " added, ", copier.renamed(), " renamed");
}

}  // namespace mini_infer
