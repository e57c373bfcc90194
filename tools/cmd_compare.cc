// mini-infer compare: two runs of a model, value by value.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "graph/onnx/importer.h"
#include "tools/bisect.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/input_options.h"
#include "tools/layers.h"
#include "tools/model_inputs.h"
#include "tools/node_view.h"
#include "tools/pixel_metadata.h"
#include "tools/progress.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::string model, other;
  std::vector<std::string> inputs, shapes;
  PixelOptions pixels;
  std::uint32_t seed = 1;
  ToleranceOptions tolerance{.magnitude = ToleranceOptions::Magnitude::kAuto};
  SessionOptions session;
  bool bisect = false;
  bool json = false;
};

bool is_open(const ValueInfo& input) {
  const auto open = [](const DimInfo& dim) { return dim.value < 0; };
  return !input.dims || std::any_of(input.dims->begin(), input.dims->end(), open);
}

Result<TensorMap> make_inputs(const Options& options, const Session& session) {
  PixelOptions pixels = options.pixels;
  use_metadata(session.model().metadata, pixels);
  MINI_TRY_ASSIGN(const ShapeMap shapes, parse_shapes(options.shapes, session.inputs()));
  MINI_TRY_ASSIGN(TensorMap inputs, read_inputs(options.inputs, session.inputs(), shapes, pixels));
  for (const ValueInfo& input : session.inputs()) {
    if (inputs.contains(input.name) || shapes.contains(input.name) || !is_open(input)) continue;
    note("open dimensions of " + describe(input) + " are taken as 1; --shape sets them");
  }
  MINI_TRY(add_synthetic(session.inputs(), shapes, inputs, options.seed));
  return inputs;
}

// The same inputs for another model, which must have inputs of the same names.
Result<TensorMap> inputs_for(const Session& other, const std::string& path,
                             const TensorMap& inputs) {
  TensorMap adapted;
  std::string missing;
  for (const ValueInfo& input : other.inputs()) {
    const auto found = inputs.find(input.name);
    if (found == inputs.end()) {
      missing += (missing.empty() ? "" : ", ") + describe(input);
    } else {
      MINI_TRY_ASSIGN(adapted[input.name], as_float_type(found->second, input.dtype));
    }
  }
  if (missing.empty()) return adapted;
  return Status(Code::kInvalidArgument,
                "'" + path + "' has inputs that the first model lacks: " + missing);
}

// Of the values that `other` computes from `other_inputs` those that `session` computes too.
Result<std::unique_ptr<Reference>> session_values(const Session& session, const Session& other,
                                                  const TensorMap& inputs, TensorMap other_inputs) {
  MINI_TRY_ASSIGN(const PlanInfo plan, plan_for(session, inputs));
  std::set<std::string> names;
  for (const StepInfo& step : plan.steps) names.insert(step.outputs.begin(), step.outputs.end());
  return run_session(other, std::move(other_inputs), std::move(names));
}

// The sessions that take part; the reference may be files.
struct Sides {
  explicit Sides(Session first) : session(std::move(first)) {}
  Session session;
  std::unique_ptr<Session> other;  // which the reference holds on to
  std::unique_ptr<Reference> reference;
};

Result<std::unique_ptr<Reference>> session_reference(const Options& options, Sides& sides,
                                                     const TensorMap& inputs) {
  const std::string& path = options.other.empty() ? options.model : options.other;
  SessionOptions plain = unoptimised(options.session);
  plain.log = nullptr;
  MINI_TRY_ASSIGN(Session other, Session::load(path, plain));
  sides.other = std::make_unique<Session>(std::move(other));
  MINI_TRY_ASSIGN(TensorMap adapted, inputs_for(*sides.other, path, inputs));
  return session_values(sides.session, *sides.other, inputs, std::move(adapted));
}

// Without a second argument the plan is what is compared; otherwise the file, whose every value is
// there in the plan without optimisation.
Result<Sides> open_sides(const Options& options, TensorMap& inputs) {
  SessionOptions chosen = options.other.empty() ? options.session : unoptimised(options.session);
  chosen.batch_by_image = false;  // values of all images at once
  MINI_TRY_ASSIGN(Session session, Session::load(options.model, chosen));
  Sides sides(std::move(session));
  MINI_TRY_ASSIGN(inputs, make_inputs(options, sides.session));
  std::error_code error;
  const bool files =
      std::filesystem::is_directory(options.other, error) || options.other.ends_with(".npz");
  if (files) {
    MINI_TRY_ASSIGN(sides.reference, open_files(options.other));
  } else {
    MINI_TRY_ASSIGN(sides.reference, session_reference(options, sides, inputs));
  }
  return sides;
}

// What a comparison leaves out, so that "0 differ" is not taken for more than it is.
void note_bodies(const Graph& graph) {
  std::size_t nodes = 0;
  std::string first;
  for (const NodePlace& place : all_nodes(graph)) {
    if (place.where.empty()) continue;
    if (nodes++ == 0) first = place.where;
  }
  if (nodes == 0) return;
  note(
      format("the values of %zu node%s in bodies of If, Loop and Scan are not compared, only what "
             "the bodies give out; the first is in the %s",
             nodes, nodes == 1 ? "" : "s", printable(first).c_str()));
}

Result<LayerReport> compare_all(const Options& options) {
  TensorMap inputs;
  MINI_TRY_ASSIGN(const ImportedModel imported, import_file(options.model));
  MINI_TRY_ASSIGN(Sides sides, open_sides(options, inputs));
  note_bodies(imported.graph);
  const ModelInfo& reference_model = (sides.other ? *sides.other : sides.session).model();
  MINI_TRY_ASSIGN(LayerReport report, compare_layers({.session = sides.session,
                                                      .graph = imported.graph,
                                                      .inputs = inputs,
                                                      .tolerance = options.tolerance,
                                                      .reference_model = reference_model},
                                                     *sides.reference));
  if (!report.rows.empty()) return report;
  return Status(Code::kInvalidArgument,
                "'" + options.other + "' has no value that '" + options.model + "' computes");
}

// --- bisect

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Empty when all outputs agree with `want`.
std::string compare_outputs(const Options& options, const Session& session,
                            const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Tolerance tolerance = tolerance_for(options.tolerance, session.model(), want[i]);
    const std::string problem = compare(got[i], want[i], tolerance).problem;
    if (!problem.empty()) return "output '" + session.outputs()[i].name + "': " + problem;
  }
  return "";
}

// The outputs that are right: of the plan without rewrites, by the kernels of the lowest
// instruction set.
Result<std::vector<Tensor>> right_outputs(const Options& options, TensorMap& inputs) {
  SessionOptions plain = unoptimised(options.session);
  plain.isa = isa_names().front();
  MINI_TRY_ASSIGN(const Session session, Session::load(options.model, plain));
  MINI_TRY_ASSIGN(inputs, make_inputs(options, session));
  return session.run(in_order(session.inputs(), inputs));
}

Result<Session> load_limited(const Options& options, long long rewrites, const std::string& isa) {
  SessionOptions limited = options.session;
  limited.log = nullptr;
  limited.max_rewrites = rewrites;
  limited.isa = isa;
  return Session::load(options.model, limited);
}

Result<Attempt> try_plan(const Options& options, const TensorMap& inputs,
                         const std::vector<Tensor>& want, long long rewrites,
                         const std::string& isa) {
  MINI_TRY_ASSIGN(const Session session, load_limited(options, rewrites, isa));
  MINI_TRY_ASSIGN(PlanInfo plan, plan_for(session, inputs));
  MINI_TRY_ASSIGN(const std::vector<Tensor> got, session.run(in_order(session.inputs(), inputs)));
  Attempt attempt{.problem = compare_outputs(options, session, got, want),
                  .passes = std::move(plan.passes),
                  .steps = {}};
  for (const StepInfo& step : plan.steps) {
    attempt.steps.push_back(join(step.outputs) + " = " + step.op + "(" + join(step.inputs) +
                            ")  # " + step.node);
  }
  return attempt;
}

// The step at which the same plan parts by the kernels of two instruction sets.
Status name_kernel(const Options& options, const TensorMap& inputs, Culprit& culprit) {
  MINI_TRY_ASSIGN(const ImportedModel imported, import_file(options.model));
  MINI_TRY_ASSIGN(const Session wrong, load_limited(options, culprit.rewrite, ""));
  MINI_TRY_ASSIGN(const Session right, load_limited(options, culprit.rewrite, culprit.right_isa));
  MINI_TRY_ASSIGN(const std::unique_ptr<Reference> reference,
                  session_values(wrong, right, inputs, inputs));
  MINI_TRY_ASSIGN(const LayerReport report, compare_layers({.session = wrong,
                                                            .graph = imported.graph,
                                                            .inputs = inputs,
                                                            .tolerance = options.tolerance,
                                                            .reference_model = right.model()},
                                                           *reference));
  if (!report.first) return ok();
  culprit.node = report.first->row.node;
  culprit.kernel = report.first->row.kernel;
  return ok();
}

// Instruction sets up to the one in use, which MINI_ISA may have chosen.
std::vector<std::string> isas_in_reach() {
  std::vector<std::string> names = isa_names();
  names.erase(std::find(names.begin(), names.end(), isa_name()) + 1, names.end());
  return names;
}

Result<Culprit> find_culprit(const Options& options) {
  const Progress progress("looking for the rewrite in " + options.model);
  TensorMap inputs;
  MINI_TRY_ASSIGN(const std::vector<Tensor> want, right_outputs(options, inputs));
  const auto attempt = [&](long long rewrites, const std::string& isa) {
    return try_plan(options, inputs, want, rewrites, isa);
  };
  MINI_TRY_ASSIGN(Culprit culprit, bisect(attempt, isas_in_reach()));
  if (culprit.kind == Culprit::Kind::kKernel) MINI_TRY(name_kernel(options, inputs, culprit));
  return culprit;
}

int run_bisect(const Options& options) {
  const Result<Culprit> culprit = find_culprit(options);
  if (!culprit.ok()) return fail(culprit.status());
  std::fputs(options.json ? (dump(culprit_json(*culprit)) + '\n').c_str()
                          : print_culprit(*culprit).c_str(),
             stdout);
  return culprit->problem.empty() ? kExitOk : kExitFailed;
}

int run(Options& options) {
  options.session.log = note;
  const std::string pixels = unused_pixel_option(options.pixels, {}, options.inputs);
  if (!pixels.empty()) {
    return usage_error(pixels + " is for pictures; --input names none");
  }
  if (options.bisect && !options.other.empty()) {
    return usage_error("--bisect looks for a fault of the model's own plan: leave out '" +
                       options.other + "'");
  }
  if (options.bisect) return run_bisect(options);
  const Result<LayerReport> report = [&] {
    const Progress progress("comparing " + options.model);
    return compare_all(options);
  }();
  if (!report.ok()) return fail(report.status());
  if (options.json) {
    Json json = {{"model", options.model}, {"other", options.other}};
    json.update(layers_json(*report));
    std::printf("%s\n", dump(json).c_str());
  } else {
    std::fputs(print_layers(*report).c_str(), stdout);
  }
  return report->different == 0 ? kExitOk : kExitFailed;
}

}  // namespace

void add_compare_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "find where two runs of a model part");
  command->add_option("MODEL", options->model, "an .onnx file")->required();
  command->add_option(
      "OTHER", options->other,
      "a folder of .npy and .pb files, a .npz file, or another .onnx file: values of "
      "the same names are compared. Without it, the optimised plan is compared "
      "with the plan without optimisation");
  add_input_option(*command, options->inputs);
  add_shape_option(*command, options->shapes);
  add_pixel_options(*command, options->pixels);
  command->add_option("--seed", options->seed, "of the random inputs that have no --input")
      ->capture_default_str();
  add_tolerance_options(*command, options->tolerance);
  command->add_flag("--bisect", options->bisect,
                    "find the pass or the kernel that makes the optimised plan's outputs wrong");
  add_threads_option(*command, options->session.threads);
  command->add_flag("--json", options->json, "the comparison as JSON");
  command->footer(
      "Examples:\n"
      "  mini-infer compare model.onnx\n"
      "  mini-infer compare float.onnx int8.onnx --input photo.jpg\n"
      "  mini-infer compare model.onnx values.npz --input x=x.npy\n"
      "\n"
      "Exit code 1 says that something differs.");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
