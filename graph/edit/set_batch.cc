// Sets the first dimension of the inputs. Where the batch goes is found by shape inference with a
// symbol in its place (batch.h).
#include <set>

#include "graph/edit/batch.h"
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Inputs and where the batch is in each.
struct Batch {
  std::optional<std::int64_t> old;  // no value: the file leaves it open
  std::vector<std::pair<ValueId, std::size_t>> axes;
};

// The names of first dimensions; empty when none is open.
std::set<std::string> open_batches(const Graph& graph) {
  std::set<std::string> names;
  for (const ValueId in : graph.inputs) {
    const auto& shape = graph.value(in).shape;
    if (shape && shape->rank() > 0 && !(*shape)[0].known()) names.insert((*shape)[0].symbol());
  }
  return names;
}

Result<Batch> find_batch(const Graph& graph) {
  Batch batch;
  Problems problems;
  const std::set<std::string> open = open_batches(graph);
  for (const ValueId in : graph.inputs) {
    const Value& value = graph.value(in);
    if (!value.shape) {
      problems.add(Code::kInvalidArgument, cat("input '", value.name,
                                               "' has no shape; give it one with "
                                               "--set-shape first"));
      continue;
    }
    const SymShape& shape = *value.shape;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
      if (!shape[i].known() && open.contains(shape[i].symbol())) batch.axes.emplace_back(in, i);
    }
    if (!open.empty() || shape.rank() == 0) continue;
    if (!batch.old) batch.old = shape[0].value();
    if (*batch.old == shape[0].value()) {
      batch.axes.emplace_back(in, 0);
    } else {
      problems.add(Code::kInvalidArgument,
                   cat("input '", value.name, "' ", shape, " does not begin with the batch ",
                       *batch.old, " of the other inputs; --set-shape sets inputs one by one"));
    }
  }
  if (problems.none() && batch.axes.empty()) {
    problems.add(Code::kInvalidArgument, "the model has no input with a dimension");
  }
  MINI_TRY(problems.status());
  return batch;
}

}  // namespace

Result<std::string> set_batch(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  const std::int64_t wanted = *parse_count(text);
  MINI_TRY_ASSIGN(const Batch batch, find_batch(graph));
  const auto set_inputs = [&](const Dim& dim) {
    for (const auto& [in, axis] : batch.axes) (*graph.value(in).shape)[axis] = dim;
  };
  set_inputs(BatchWalk::symbol());
  BatchWalk walk(graph, edit.ops, batch.old, wanted);
  walk.run();
  walk.finish();
  set_inputs(wanted);
  MINI_TRY(walk.problems().status());
  std::set<ValueId> inputs;
  for (const auto& [in, axis] : batch.axes) inputs.insert(in);
  std::string what = counted(inputs.size(), "input");
  for (const auto& [op, count] : walk.changed()) {
    what += cat(", ", counted(static_cast<std::size_t>(count), op + " constant"));
  }
  return what;
}

}  // namespace mini_infer
