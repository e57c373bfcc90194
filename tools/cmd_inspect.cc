// mini-infer inspect: what a model is, what the passes did to it, and the plan for running it.
#include <mini_infer/session.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "graph/passes/pass.h"
#include "tools/arena_plot.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/file_graph.h"
#include "tools/html_page.h"
#include "tools/input_options.h"
#include "tools/model_inputs.h"
#include "tools/nearest.h"
#include "tools/node_view.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> shapes, disabled;
  SessionOptions session;
  NodeQuery query;
  std::string html;
  bool profile = false;
  bool json = false;
  bool graph = false;
  bool memory = false;
};

struct Report {
  const Session& session;
  std::vector<std::string> notes;
  Result<PlanInfo> plan;
  std::vector<Shape> input_shapes;
};

constexpr double kMega = 1 << 20;

std::vector<std::pair<std::string, int>> by_count(const std::map<std::string, int>& counts) {
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

// A multiplication and an addition are two operations.
double macs(const PlanInfo& plan) { return plan.flop / 2; }

Json plan_json(const PlanInfo& plan) {
  Json json = {{"macs", macs(plan)},
               {"arena_bytes", plan.arena_bytes},
               {"weight_bytes", plan.weight_bytes},
               {"images", plan.images},
               {"image_threads", plan.image_threads}};
  json["passes"] = Json::array();
  for (const PassInfo& pass : plan.passes) {
    json["passes"].push_back({{"name", pass.name},
                              {"stage", pass.stage},
                              {"rewrites", pass.rewrites},
                              {"ms", pass.seconds * 1e3},
                              {"disabled", pass.disabled}});
  }
  json["steps"] = Json::array();
  for (const StepInfo& step : plan.steps) {
    json["steps"].push_back({{"node", step.node},
                             {"op", step.op},
                             {"kernel", step.kernel},
                             {"why", step.why},
                             {"output_shape", step.output_shape},
                             {"macs", step.flop / 2}});
  }
  return json;
}

Json to_json(const Options& options, const Report& report) {
  const ModelInfo& model = report.session.model();
  Json json = {{"model", options.model},         {"ir_version", model.ir_version},
               {"producer", model.producer},     {"opsets", model.opsets},
               {"metadata", model.metadata},     {"file_bytes", model.file_bytes},
               {"parameters", model.parameters}, {"operators", model.op_counts},
               {"notes", report.notes}};
  for (const auto& [key, values] : {std::pair("inputs", &report.session.inputs()),
                                    std::pair("outputs", &report.session.outputs())}) {
    json[key] = Json::array();
    for (const ValueInfo& value : *values) json[key].push_back(describe_json(value));
  }
  if (report.plan.ok()) {
    json["plan"] = plan_json(*report.plan);
  } else {
    json["plan_error"] = report.plan.status().message();
  }
  if (options.graph) json["graph"] = report.session.print();
  if (options.memory && report.plan.ok()) json["memory"] = arena_json(*report.plan);
  return json;
}

void print_model(const Options& options, const Report& report) {
  const ModelInfo& model = report.session.model();
  std::printf("%s: IR version %lld", options.model.c_str(),
              static_cast<long long>(model.ir_version));
  for (const auto& [domain, version] : model.opsets) {
    std::printf(", %s opset %lld", domain.empty() ? "ai.onnx" : printable(domain).c_str(),
                static_cast<long long>(version));
  }
  if (!model.producer.empty()) std::printf(", made by %s", printable(model.producer).c_str());
  std::printf("\n%.2f MB, %lld parameters\n", static_cast<double>(model.file_bytes) / kMega,
              static_cast<long long>(model.parameters));
  for (const std::string& text : report.notes) std::printf("note: %s\n", printable(text).c_str());
  for (const ValueInfo& value : report.session.inputs())
    std::printf("input   %s\n", describe(value).c_str());
  for (const ValueInfo& value : report.session.outputs())
    std::printf("output  %s\n", describe(value).c_str());
  for (const auto& [key, value] : model.metadata) {
    constexpr std::size_t kMost = 100;
    std::printf("metadata  %s: %s%s\n", printable(key).c_str(),
                printable(value.substr(0, kMost)).c_str(), value.size() > kMost ? "..." : "");
  }
  std::printf("\noperators of the file\n");
  for (const auto& [op, count] : by_count(model.op_counts))
    std::printf("%6d  %s\n", count, printable(op).c_str());
}

void print_passes(const PlanInfo& plan) {
  std::printf("\npasses (those that changed something)\n");
  Table table({2, 3});
  for (const PassInfo& pass : plan.passes) {
    if (pass.disabled) table.add({"  " + pass.name, pass.stage, "disabled", ""});
    if (pass.rewrites > 0) {
      table.add({"  " + pass.name, pass.stage, format("%d rewrites", pass.rewrites),
                 format("%.2f ms", pass.seconds * 1e3)});
    }
  }
  std::fputs(table.str().c_str(), stdout);
}

void print_plan(const Report& report) {
  const PlanInfo& plan = *report.plan;
  print_passes(plan);
  std::printf("\nplan for");
  for (const Shape& shape : report.input_shapes) std::printf(" %s", shape.str().c_str());
  std::printf(": %zu steps, %.1f million MACs, arena %.2f MB, weights %.2f MB\n", plan.steps.size(),
              macs(plan) / 1e6, static_cast<double>(plan.arena_bytes) / kMega,
              static_cast<double>(plan.weight_bytes) / kMega);
  if (plan.images > 1) {
    const std::string how = plan.image_threads > 1
                                ? format("on %d threads, an image each", plan.image_threads)
                                : "one after the other";
    std::printf("the %lld images of the batch run %s; the steps are those of one\n",
                static_cast<long long>(plan.images), how.c_str());
  }
  Table table({4});
  table.add({"  node", "op", "kernel", "output", "MMAC", "why"});
  for (const StepInfo& step : plan.steps) {
    table.add({"  " + printable(step.node), printable(step.op), step.kernel, step.output_shape,
               step.flop > 0 ? format("%.2f", step.flop / 2e6) : "", step.why});
  }
  std::fputs(table.str().c_str(), stdout);
}

// --node, --op and --match need no plan, and no operator to exist.
int show_nodes(const Options& options) {
  Progress progress("reading " + options.model);
  const Result<ImportedModel> model = read_graph(options.model);
  if (!model.ok()) return fail(model.status());
  const Result<std::vector<NodePlace>> nodes = find_nodes(model->graph, options.query);
  if (!nodes.ok()) return fail(nodes.status());
  std::string text;
  if (options.json) {
    Json json = {{"model", options.model}, {"nodes", Json::array()}};
    for (const NodePlace& place : *nodes) json["nodes"].push_back(node_json(place));
    text = dump(json) + '\n';
  } else {
    for (const NodePlace& place : *nodes) text += (text.empty() ? "" : "\n") + print_node(place);
  }
  progress.clear();
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

// Runs on made-up inputs for about a second and adds the times of the steps to the plan.
Status profile(const Options& options, const Session& session, PlanInfo& plan) {
  const Progress progress("running " + options.model);
  MINI_TRY_ASSIGN(const ShapeMap shapes, parse_shapes(options.shapes, session.inputs()));
  TensorMap inputs;
  MINI_TRY(add_synthetic(session.inputs(), shapes, inputs));
  const std::vector<Tensor> ordered = in_order(session.inputs(), inputs);
  MINI_TRY(session.run(ordered).status());
  const double start = now_seconds();
  do {
    MINI_TRY(session.profile(ordered, plan).status());
  } while (now_seconds() - start < 1);
  return ok();
}

Status write_html(const Options& options, Report& report) {
  const bool planned = report.plan.ok();
  if (options.profile) {
    MINI_TRY(report.plan.status());
    MINI_TRY(profile(options, report.session, *report.plan));
  }
  const Progress progress("drawing " + options.model);
  MINI_TRY_ASSIGN(const ImportedModel model, read_graph(options.model));
  const std::string page = make_page(
      {.model = options.model, .graph = model.graph, .plan = planned ? &*report.plan : nullptr});
  return write_bytes(options.html, page.data(), page.size());
}

// Options that do not go together, and passes that do not exist.
std::string misuse(const Options& options) {
  if (options.profile && options.html.empty()) {
    return "--profile colours the page of --html FILE; times alone: mini-infer bench --profile";
  }
  for (const std::string& name : options.disabled) {
    const auto is_it = [&](const Pass& pass) { return pass.name == name; };
    if (std::any_of(all_passes().begin(), all_passes().end(), is_it)) continue;
    std::vector<std::string> known;
    for (const Pass& pass : all_passes()) known.emplace_back(pass.name);
    return "--disable: " + not_found("pass", name, known);
  }
  const std::pair<const char*, bool> of_plan[] = {
      {"--shape", !options.shapes.empty()}, {"--disable", !options.disabled.empty()},
      {"--tune", options.session.tune},     {"--tune-cache", !options.session.tune_cache.empty()},
      {"--graph", options.graph},           {"--memory", options.memory},
      {"--html", !options.html.empty()}};
  for (const auto& [name, given] : of_plan) {
    if (given && options.query.any()) {
      return std::string("--node, --op and --match show nodes of the file alone: leave out ") +
             name;
    }
  }
  return "";
}

void print_report(const Options& options, const Report& report) {
  if (options.json) {
    std::printf("%s\n", dump(to_json(options, report)).c_str());
    return;
  }
  print_model(options, report);
  if (report.plan.ok()) {
    print_plan(report);
  } else if (options.shapes.empty()) {
    std::printf("\nno plan with open dimensions taken as 1; --shape sets them: %s\n",
                report.plan.status().message().c_str());
  }
  if (options.graph) std::printf("\n%s", report.session.print().c_str());
  if (options.memory && report.plan.ok()) std::fputs(plot_arena(*report.plan).c_str(), stdout);
}

int run(const Options& options) {
  if (const std::string wrong = misuse(options); !wrong.empty()) return usage_error(wrong);
  if (options.query.any()) return show_nodes(options);
  std::vector<std::string> notes;
  SessionOptions session_options = options.session;
  session_options.disabled_passes = options.disabled;
  session_options.log = [&](const std::string& line) { notes.push_back(line); };
  const Result<Session> session = [&] {
    const Progress progress("loading " + options.model);
    return Session::load(options.model, session_options);
  }();
  if (!session.ok()) return fail(session.status());
  const Result<ShapeMap> shapes = parse_shapes(options.shapes, session->inputs());
  if (!shapes.ok()) return usage_error(shapes.status().message());
  std::vector<Shape> input_shapes;
  for (const ValueInfo& input : session->inputs())
    input_shapes.push_back(closed_shape(input, *shapes));
  Result<PlanInfo> plan = [&] {
    const Progress progress((options.session.tune ? "tuning " : "planning ") + options.model);
    return session->plan(input_shapes);
  }();
  Report report{*session, notes, std::move(plan), input_shapes};
  if (!options.html.empty()) {
    const Status status = write_html(options, report);
    if (!status.ok()) return fail(status);
  }
  print_report(options, report);
  // Without --shape a missing plan is no fault of the caller.
  if (!report.plan.ok() && !options.shapes.empty()) return fail(report.plan.status());
  return kExitOk;
}

void add_query_options(CLI::App& command, NodeQuery& query) {
  command
      .add_option("--node", query.names, "only the node of this name in the file's graph, in full")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command.add_option("--op", query.ops, "only the nodes of this operator, in full")
      ->type_name("TYPE")
      ->allow_extra_args(false);
  command
      .add_option("--match", query.patterns,
                  "only the nodes where this is found in their name or in a name of their outputs")
      ->type_name("REGEX")
      ->allow_extra_args(false)
      ->check(CLI::Validator(pattern_problem, ""));
}

}  // namespace

void add_inspect_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "show what a model is and how it will run");
  command->add_option("MODEL", options->model, "an .onnx file")->required();
  add_shape_option(*command, options->shapes);
  command->add_option("--disable", options->disabled, "leave a pass out")
      ->type_name("PASS")
      ->allow_extra_args(false);
  add_threads_option(*command, options->session.threads);
  add_tune_options(*command, options->session);
  command->add_flag("--graph", options->graph, "also the simplified graph");
  command->add_flag("--memory", options->memory, "also what lies where in the arena, step by step");
  add_query_options(*command, options->query);
  command
      ->add_option("--html", options->html, "also a page that shows the file's graph in a browser")
      ->type_name("FILE");
  command->add_flag("--profile", options->profile,
                    "run the model on made-up inputs first: the page's colours show the time");
  command->add_flag("--json", options->json, "everything as JSON");
  command->footer(
      "Examples:\n"
      "  mini-infer inspect model.onnx --shape images=1x3x640x640\n"
      "  mini-infer inspect model.onnx --op Conv --match 'head.*cls'\n"
      "  mini-infer inspect model.onnx --html model.html --profile");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
