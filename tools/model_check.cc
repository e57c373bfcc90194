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

// A random input and what the original makes of it.
struct Trial {
  TensorMap inputs, want;
};

std::size_t bytes_of(const TensorMap& tensors) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.bytes();
  return bytes;
}

// With the first extent for open ones that the original runs with, which `open` then keeps.
Result<Trial> try_original(const Session& original, const ShapeMap& shapes, std::uint32_t seed,
                           std::int64_t& open) {
  Result<TensorMap> want = Status(Code::kInternal, "not run");
  for (const std::int64_t extent : kExtents) {
    if (open != 0 && extent != open) continue;
    MINI_TRY_ASSIGN(TensorMap inputs, random_inputs(original, shapes, extent, seed));
    want = run_on(original, inputs);
    if (!want.ok()) continue;
    open = extent;
    return Trial{std::move(inputs), *std::move(want)};
  }
  return want.status();
}

// Both models, one after the other: their packed weights need not be in memory together.
class Checker {
 public:
  Checker(const std::string& original, const std::string& changed, const ShapeMap& shapes)
      : original_(original), changed_(changed), shapes_(shapes) {}

  // Runs up to `runs` in all, or until outputs differ.
  Status run(int runs, ModelCheck& check) {
    while (check.runs < runs && check.problem.empty() && check.skipped.empty()) {
      MINI_TRY_ASSIGN(const std::vector<Trial> trials, try_some(runs - check.runs, check));
      MINI_TRY(compare_with(trials, check));
    }
    return ok();
  }

 private:
  // As many as together have outputs of a modest size, at least one.
  Result<std::vector<Trial>> try_some(int most, ModelCheck& check) {
    constexpr std::size_t kMostBytes = std::size_t{64} << 20;
    std::vector<Trial> trials;
    const auto session = Session::load(original_, options_without_passes({}));
    if (!session.ok()) {
      check.skipped = session.status().message();
      return trials;
    }
    factor_ = auto_factor(session->model());
    std::size_t bytes = 0;
    for (int i = 0; i < most && bytes < kMostBytes; ++i) {
      const auto seed = static_cast<std::uint32_t>(100 * (check.runs + i));
      Result<Trial> trial = try_original(*session, shapes_, seed, open_);
      if (!trial.ok()) {
        check.skipped = trial.status().message();
        break;
      }
      bytes += bytes_of(trial->inputs) + bytes_of(trial->want);
      trials.push_back(*std::move(trial));
    }
    return trials;
  }

  Status compare_with(const std::vector<Trial>& trials, ModelCheck& check) {
    if (trials.empty()) return ok();
    MINI_TRY_ASSIGN(const Session session, Session::load(changed_, options_without_passes({})));
    std::vector<std::string> names;
    for (const ValueInfo& output : session.outputs()) names.push_back(output.name);
    for (const Trial& trial : trials) {
      MINI_TRY_ASSIGN(const TensorMap got, run_on(session, trial.inputs));
      ++check.runs;
      check.problem = differences(got, trial.want, names, factor_, false, check);
      if (check.problem.empty()) continue;
      const std::string first = first_difference(original_, changed_, trial.inputs);
      if (!first.empty()) check.problem = first + "; outputs: " + check.problem;
      break;
    }
    return ok();
  }

  const std::string &original_, &changed_;
  const ShapeMap& shapes_;
  double factor_ = 0;
  std::int64_t open_ = 0;
};

}  // namespace

Result<ModelCheck> check_models(const std::string& original, const std::string& changed,
                                const ShapeMap& shapes, int runs) {
  ModelCheck check;
  MINI_TRY(Checker(original, changed, shapes).run(runs, check));
  return check;
}

}  // namespace mini_infer::tools
