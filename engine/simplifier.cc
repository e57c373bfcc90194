#include "engine/simplifier.h"

#include <algorithm>

#include "engine/node_runner.h"
#include "graph/ir/text.h"
#include "graph/passes/raise_opset.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

// Constants may grow by this many bytes in all.
constexpr std::size_t kFoldBudget = std::size_t{256} << 20;

// Older ones are executed by few, and old.
constexpr int kOldestOpset = 7;

// Passes ask for mini-infer's own operators before they use them.
class FileOperators : public OpLookup {
 public:
  const OpDef* find(std::string_view domain, std::string_view type, int opset) const override {
    return domain == kInternalDomain ? nullptr : op_registry().find(domain, type, opset);
  }
};

template <class Names>
std::string list(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

// --- shapes of inputs

using Extents = std::map<std::string, std::int64_t>;  // by symbol

// The shape for one input; its symbols go to `extents`.
Status fix_shape(Value& input, const Shape& shape, Extents& extents) {
  const auto wrong = [&](const std::string& why) {
    return error(Code::kInvalidArgument, "--shape ", input.name, "=...: ", why);
  };
  if (input.shape && input.shape->rank() != shape.rank()) {
    return wrong(cat("the input has shape ", *input.shape, ", not one of rank ", shape.rank()));
  }
  for (std::size_t i = 0; input.shape && i < shape.rank(); ++i) {
    const Dim& dim = (*input.shape)[i];
    if (dim.known() && dim.value() != shape[i]) {
      return wrong(
          cat("extent ", i, " of ", *input.shape, " is fixed and cannot become ", shape[i]));
    }
    if (dim.known()) continue;
    const auto [at, added] = extents.emplace(dim.symbol(), shape[i]);
    if (!added && at->second != shape[i]) {
      return wrong(cat("'", dim.symbol(), "' would be ", at->second, " and ", shape[i]));
    }
  }
  input.shape = SymShape(shape);
  return ok();
}

Status fix_shapes(Graph& graph, const std::map<std::string, Shape>& shapes) {
  Extents extents;
  for (const auto& [name, shape] : shapes) {
    const auto in = std::find_if(graph.inputs.begin(), graph.inputs.end(),
                                 [&](ValueId id) { return graph.value(id).name == name; });
    if (in == graph.inputs.end()) {
      return error(Code::kInvalidArgument, "--shape ", name,
                   "=...: the model has no such input; it has ", list(input_names(graph)));
    }
    MINI_TRY(fix_shape(graph.value(*in), shape, extents));
  }
  // The same symbols elsewhere: in other inputs, and in what is declared for outputs.
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    if (!graph.value(id).shape) continue;
    for (std::size_t i = 0; i < graph.value(id).shape->rank(); ++i) {
      Dim& dim = (*graph.value(id).shape)[i];
      const auto known = dim.known() ? extents.end() : extents.find(dim.symbol());
      if (known != extents.end()) dim = Dim(known->second);
    }
  }
  return ok();
}

// --- inputs and outputs

Status remove_outputs(Graph& graph, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::vector<std::string> all = output_names(graph);
    const auto at = std::find(all.begin(), all.end(), name);
    if (at == all.end()) {
      return error(Code::kInvalidArgument, "--unused-output ", name,
                   ": the model has no such output; it has ", list(all));
    }
    if (all.size() == 1) {
      return error(Code::kInvalidArgument, "--unused-output ", name,
                   ": it is the only output left; a model needs one");
    }
    graph.remove_output(static_cast<std::size_t>(at - all.begin()));
  }
  return ok();
}

void remove_unused_inputs(Graph& graph) {
  std::erase_if(graph.inputs,
                [&](ValueId id) { return graph.value(id).users.empty() && !graph.is_output(id); });
}

// An extent that a file can hold by name or number.
bool is_plain(const Dim& dim) {
  return dim.known() || (!dim.made_up() && dim.symbol().find('(') == std::string::npos);
}

void keep_declared(Graph& graph, const std::map<std::string, Value>& declared) {
  for (const GraphOutput& out : graph.outputs()) {
    const Value& said = declared.at(out.name);
    Value& value = graph.value(out.value);
    if (value.is_constant() || graph.is_input(out.value)) continue;
    if (value.dtype == DType::kUndefined) value.dtype = said.dtype;
    if (!value.shape) value.shape = said.shape;
    if (!said.shape || said.shape->rank() != value.shape->rank()) continue;
    for (std::size_t i = 0; i < value.shape->rank(); ++i) {
      if (!is_plain((*value.shape)[i])) (*value.shape)[i] = (*said.shape)[i];
    }
  }
}

// Shapes are inferred before, and the old graph is kept where nobody asked for another opset.
Status change_opset(Graph& graph, const SimplifyOptions& options) {
  const int newest = newest_opset(graph);
  if (options.opset > 0 && newest > options.opset) {
    return error(Code::kInvalidArgument, "--opset ", options.opset, ": the model is in opset ",
                 newest, "; it can only be raised");
  }
  const int opset = std::max({options.opset, newest, kOldestOpset});
  Graph raised = graph;
  MINI_TRY(infer_shapes(raised, file_operators()));
  const Status status = raise_opset(raised, opset);
  if (status.ok()) graph = std::move(raised);
  if (status.ok() || options.opset > 0) return status;
  if (options.log) options.log("stays in its opset: " + status.message());
  return ok();
}

}  // namespace

const OpLookup& file_operators() {
  static const FileOperators operators;
  return operators;
}

Result<std::vector<PassReport>> simplify(ImportedModel& model, const SimplifyOptions& options) {
  Graph& graph = model.graph;
  MINI_TRY(remove_outputs(graph, options.unused_outputs));
  MINI_TRY(fix_shapes(graph, options.shapes));
  std::map<std::string, Value> declared;
  for (const GraphOutput& out : graph.outputs()) declared[out.name] = graph.value(out.value);

  MINI_TRY(change_opset(graph, options));
  model.info.opsets[""] = graph.opset();
  const std::size_t memory = std::max(std::size_t{768} << 20, 32 * model.info.file_bytes);
  NodeEvaluator evaluator(op_registry(), {}, memory);
  PassContext context{.ops = file_operators(),
                      .evaluator = evaluator,
                      .log = options.log,
                      .fold_budget = kFoldBudget,
                      .largest_folded = options.largest_constant,
                      .for_file = true};
  PassOptions pass_options{.disabled = options.skip};
  if (!options.target.empty()) {
    const std::vector<std::string> outside = passes_outside(options.target);
    pass_options.disabled.insert(pass_options.disabled.end(), outside.begin(), outside.end());
  }
  MINI_TRY_ASSIGN(std::vector<PassReport> reports,
                  run_passes(graph, PassStage::kSimplify, context, pass_options));
  if (!options.target.empty()) {
    MINI_TRY_ASSIGN(const int replaced, restrict_operators(graph, options.target, context));
    // What became constant is folded.
    if (replaced > 0) {
      MINI_TRY_ASSIGN(reports, run_passes(graph, PassStage::kSimplify, context, pass_options));
    }
  }
  if (!options.keep_unused_inputs) remove_unused_inputs(graph);
  keep_declared(graph, declared);
  return reports;
}

}  // namespace mini_infer
