#include "tools/model_check.h"

#include <algorithm>
#include <set>

#include "graph/onnx/importer.h"
#include "graph/passes/pass.h"
#include "tools/common.h"
#include "tools/compare.h"
#include "tools/test_folder.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

// Open extents but the first are tried with these.
constexpr std::int64_t kExtents[] = {1, 32, 224, 640};

SessionOptions options_without_passes(std::vector<std::string> extra_outputs) {
  SessionOptions options;
  options.threads = 1;
  options.extra_outputs = std::move(extra_outputs);
  for (const Pass& pass : all_passes()) {
    // These make a graph that can run at all.
    if (pass.name == "infer_shapes" || pass.name == "widen_float16") continue;
    options.disabled_passes.emplace_back(pass.name);
  }
  return options;
}

// Floats as everywhere; of other numbers 0 and 1, which most indices, masks and lengths can be.
Result<Tensor> random_input(const ValueInfo& input, const Shape& shape, std::uint32_t seed) {
  MINI_TRY_ASSIGN(Tensor tensor, synthetic(input.dtype, shape, seed));
  if (is_float(input.dtype) || input.dtype == DType::kString) return tensor;
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  std::uint32_t state = seed;
  for (double& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<double>(state >> 31);
  }
  MINI_TRY(set_all(tensor, values));
  return tensor;
}

Result<TensorMap> random_inputs(const Session& session, const ShapeMap& shapes, std::int64_t open,
                                std::uint32_t seed) {
  TensorMap tensors;
  for (const ValueInfo& input : session.inputs()) {
    Shape shape = closed_shape(input, shapes);
    for (std::size_t i = 1; i < shape.rank() && !shapes.contains(input.name); ++i) {
      if ((*input.dims)[i].value < 0) shape[i] = open;
    }
    MINI_TRY_ASSIGN(tensors[input.name], random_input(input, shape, ++seed));
  }
  return tensors;
}

// The inputs that `session` has.
Result<TensorMap> run_on(const Session& session, const TensorMap& inputs) {
  TensorMap own;
  for (const ValueInfo& input : session.inputs()) {
    const auto found = inputs.find(input.name);
    if (found != inputs.end()) own.insert(*found);
  }
  return session.run(own);
}

// What differs between the values that both have, in the order of `names`; only the first where
// `first` is set.
std::string differences(const TensorMap& got, const TensorMap& want,
                        const std::vector<std::string>& names, double factor, bool first,
                        ModelCheck& check) {
  std::string text;
  for (const std::string& name : names) {
    const auto a = got.find(name), b = want.find(name);
    if (a == got.end() || b == want.end()) continue;
    const Comparison comparison =
        compare(a->second, b->second, {1e-3, factor * largest_magnitude(b->second)});
    check.largest_difference = std::max(check.largest_difference, comparison.largest_difference);
    if (comparison.problem.empty()) continue;
    text += (text.empty() ? "'" : "; '") + name + "': " + comparison.problem;
    if (first) break;
  }
  return text;
}

// Values that nodes of the original compute and the other has as well, in order; and their nodes.
struct Common {
  std::vector<std::string> values;
  std::map<std::string, std::string> nodes;
};
Common common_values(const Graph& original, const Graph& changed) {
  std::set<std::string> names;
  for (const NodeId id : changed.order()) {
    for (const ValueId out : changed.node(id).outputs) {
      if (out != kNoValue) names.insert(changed.value(out).name);
    }
  }
  Common common;
  for (const NodeId id : original.order()) {
    for (const ValueId out : original.node(id).outputs) {
      if (out == kNoValue || !names.contains(original.value(out).name)) continue;
      if (original.is_output(out) ||
          changed.is_output(changed.find_value(original.value(out).name)))
        continue;
      common.values.push_back(original.value(out).name);
      common.nodes[original.value(out).name] = original.node(id).str();
    }
  }
  return common;
}

// The first value that differs, with its node; empty where none between does or they cannot be had.
std::string first_difference(const std::string& original, const std::string& changed,
                             const TensorMap& inputs) {
  const auto before = import_file(original), after = import_file(changed);
  if (!before.ok() || !after.ok()) return "";
  const Common common = common_values(before->graph, after->graph);
  const auto a = Session::load(original, options_without_passes(common.values));
  const auto b = Session::load(changed, options_without_passes(common.values));
  if (!a.ok() || !b.ok()) return "";
  const auto want = run_on(*a, inputs), got = run_on(*b, inputs);
  if (!want.ok() || !got.ok()) return "";
  ModelCheck ignored;
  for (const std::string& name : common.values) {
    const std::string text =
        differences(*got, *want, {name}, auto_factor(a->model()), true, ignored);
    if (!text.empty()) return "the first node that differs is " + common.nodes.at(name);
  }
  return "";
}

}  // namespace

Result<ModelCheck> check_models(const std::string& original, const std::string& changed,
                                const ShapeMap& shapes, int runs) {
  ModelCheck check;
  if (runs == 0) return check;
  const auto before = Session::load(original, options_without_passes({}));
  if (!before.ok()) {
    check.skipped = before.status().message();
    return check;
  }
  MINI_TRY_ASSIGN(const Session after, Session::load(changed, options_without_passes({})));
  std::vector<std::string> names;
  for (const ValueInfo& output : after.outputs()) names.push_back(output.name);
  std::int64_t open = 0;
  for (int run = 0; run < runs; ++run) {
    const auto seed = static_cast<std::uint32_t>(100 * run);
    Result<TensorMap> want = Status(Code::kInternal, "not run");
    TensorMap inputs;
    for (const std::int64_t extent : kExtents) {
      if (open != 0 && extent != open) continue;
      MINI_TRY_ASSIGN(inputs, random_inputs(*before, shapes, extent, seed));
      want = run_on(*before, inputs);
      if (!want.ok()) continue;
      open = extent;
      break;
    }
    if (!want.ok()) {
      check.skipped = want.status().message();
      return check;
    }
    MINI_TRY_ASSIGN(const TensorMap got, run_on(after, inputs));
    ++check.runs;
    check.problem = differences(got, *want, names, auto_factor(before->model()), false, check);
    if (check.problem.empty()) continue;
    const std::string first = first_difference(original, changed, inputs);
    if (!first.empty()) check.problem = first + "; outputs: " + check.problem;
    return check;
  }
  return check;
}

}  // namespace mini_infer::tools
