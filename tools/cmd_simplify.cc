// mini-infer simplify: a model without what exporters leave behind, as a standard ONNX file.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "engine/simplifier.h"
#include "graph/onnx/exporter.h"
#include "graph/passes/raise_opset.h"
#include "kernels/op_registry.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/input_options.h"
#include "tools/model_check.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::string input, output;
  std::vector<std::string> shapes;
  std::optional<std::string> target;  // the operators, or a file that lists them
  SimplifyOptions simplify;
  ExportOptions write;
  int runs = 1;
  bool json = false;
};

using Counts = std::map<std::string, int>;

struct Report {
  Counts before, after;
  std::size_t bytes_before = 0, bytes_after = 0;
  std::vector<PassReport> passes;
  ModelCheck check;
};

int total(const Counts& counts) {
  int sum = 0;
  for (const auto& [type, count] : counts) sum += count;
  return sum;
}

int count_of(const Counts& counts, const std::string& type) {
  const auto found = counts.find(type);
  return found == counts.end() ? 0 : found->second;
}

std::set<std::string> types_of(const Report& report) {
  std::set<std::string> types;
  for (const Counts* counts : {&report.before, &report.after}) {
    for (const auto& [type, count] : *counts) types.insert(type);
  }
  return types;
}

std::string megabytes(std::size_t bytes) {
  return format("%.2f MB", static_cast<double>(bytes) / (1 << 20));
}

void print_report(const Report& report) {
  Table table({1, 2});
  table.add({"operator", "before", "after"});
  for (const std::string& type : types_of(report)) {
    table.add({printable(type), format("%d", count_of(report.before, type)),
               format("%d", count_of(report.after, type))});
  }
  table.add({"all nodes", format("%d", total(report.before)), format("%d", total(report.after))});
  table.add({"size", megabytes(report.bytes_before), megabytes(report.bytes_after)});
  std::fputs(table.str().c_str(), stdout);
  if (report.check.runs > 0) {
    std::printf("outputs agree on %d random input%s, largest difference %.3g\n", report.check.runs,
                report.check.runs == 1 ? "" : "s", report.check.largest_difference);
  }
}

Json report_json(const Options& options, const Report& report) {
  Json json = {{"input", options.input}, {"output", options.output}};
  json["operators"] = Json::array();
  for (const std::string& type : types_of(report)) {
    json["operators"].push_back({{"type", type},
                                 {"before", count_of(report.before, type)},
                                 {"after", count_of(report.after, type)}});
  }
  json["nodes"] = {{"before", total(report.before)}, {"after", total(report.after)}};
  json["bytes"] = {{"before", report.bytes_before}, {"after", report.bytes_after}};
  json["passes"] = Json::array();
  for (const PassReport& pass : report.passes) {
    json["passes"].push_back({{"name", pass.name},
                              {"rewrites", pass.rewrites},
                              {"ms", pass.seconds * 1e3},
                              {"skipped", pass.disabled}});
  }
  json["check"] = {{"runs", report.check.runs},
                   {"largest_difference", report.check.largest_difference}};
  if (!report.check.skipped.empty()) json["check"]["skipped"] = report.check.skipped;
  return json;
}

// --shape may also name an input that is no longer there after the passes.
Result<ShapeMap> shapes_for(const Options& options, const Graph& graph) {
  std::vector<ValueInfo> inputs;
  for (const ValueId in : graph.inputs) inputs.push_back({.name = graph.value(in).name});
  return parse_shapes(options.shapes, inputs);
}

// Names with commas or white space between; a file holds them, if there is one of that name.
Result<OperatorSet> parse_operators(const std::string& text) {
  OperatorSet known, set;
  for (const OperatorInfo& info : supported_operators()) {
    if (info.domain.empty()) known.insert(info.type);
  }
  std::string list = text;
  std::error_code error;
  if (std::filesystem::is_regular_file(text, error)) {
    MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(text));
    list.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::replace_if(
      list.begin(), list.end(), [](char c) { return std::isspace(static_cast<unsigned char>(c)); },
      ',');
  for (const std::string_view name : split(list, ',')) {
    if (name.empty()) continue;
    if (!known.contains(name)) {
      return Status(Code::kInvalidArgument, "--target-ops: there is no operator or file '" +
                                                printable(name) + "'; see mini-infer ops");
    }
    set.emplace(name);
  }
  if (set.empty()) {
    return Status(Code::kInvalidArgument,
                  "--target-ops '" + printable(text) + "' names no operator; see mini-infer ops");
  }
  return set;
}

// Operators of the result that are not among the target's.
std::string outside(const OperatorSet& target, const Counts& counts) {
  std::string text;
  for (const auto& [type, count] : counts) {
    if (target.contains(type)) continue;
    text += format("%s%s (%d)", text.empty() ? "" : ", ", printable(type).c_str(), count);
  }
  return text;
}

Status work(Options& options, Report& report) {
  Progress progress("reading " + options.input, 4);
  std::vector<std::string> notes;
  options.simplify.log = [&](const std::string& line) { notes.push_back(line); };
  MINI_TRY_ASSIGN(ImportedModel model, import_file(options.input));
  MINI_TRY_ASSIGN(const ShapeMap shapes, shapes_for(options, model.graph));
  options.simplify.shapes = shapes;
  report.before = model.info.op_counts;
  report.bytes_before = model.info.file_bytes;
  if (options.target) {
    MINI_TRY_ASSIGN(options.simplify.target, parse_operators(*options.target));
  }
  progress.next("simplifying " + options.input);
  MINI_TRY_ASSIGN(report.passes, simplify(model, options.simplify));
  progress.next("writing " + options.output);
  options.write.ops = &op_registry();
  MINI_TRY_ASSIGN(StagedModel staged, stage_model(model, options.output, options.write));
  report.bytes_after = staged.bytes();
  MINI_TRY_ASSIGN(const ImportedModel written, import_file(staged.path()));
  report.after = written.info.op_counts;
  progress.next("checking " + options.output);
  MINI_TRY_ASSIGN(report.check, check_models(options.input, staged.path(), shapes, options.runs));
  progress.clear();
  if (!report.check.problem.empty()) {
    return {Code::kInternal, "the simplified model gives other results, nothing was written: " +
                                 report.check.problem};
  }
  for (const std::string& line : notes) note(printable(line));
  for (const std::string& line : model.header.dropped) note("not kept: " + printable(line));
  return staged.commit();
}

int run(Options options) {
  Report report;
  const Status status = guarded([&] { return work(options, report); });
  if (status.code() == Code::kInvalidArgument) return usage_error(status.message());
  if (!status.ok()) return fail(status);
  if (!report.check.skipped.empty()) {
    note("not checked, the original does not run on random inputs: " + report.check.skipped);
  }
  const OperatorSet& target = options.simplify.target;
  const std::string left = target.empty() ? "" : outside(target, report.after);
  if (!left.empty()) note("operators outside of --target-ops remain: " + left);
  if (options.json) {
    std::printf("%s\n", dump(report_json(options, report)).c_str());
  } else {
    print_report(report);
  }
  return kExitOk;
}

// "64", "10KB", "1M": bytes.
std::optional<std::size_t> parse_bytes(const std::string& text) {
  std::size_t number = 0;
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, number);
  std::string unit(used, end);
  if (unit.size() > 1 && unit.back() == 'B') unit.pop_back();
  const std::string units = "BKMG";
  const std::size_t power = unit.empty() ? 0 : units.find(unit);
  if (error != std::errc() || unit.size() > 1 || power == units.npos) return {};
  if (number > std::numeric_limits<std::size_t>::max() >> (10 * power)) return {};
  return number << (10 * power);
}

void add_bytes_option(CLI::App& command, const char* name, std::size_t& target, const char* help,
                      const std::function<void()>& chosen = {}) {
  command
      .add_option_function<std::string>(
          name,
          [&target, chosen, name](const std::string& text) {
            const auto bytes = parse_bytes(text);
            if (!bytes) {
              throw CLI::ValidationError(name,
                                         "'" + text + "' is no size; write 65536, 64KB or 1MB");
            }
            target = *bytes;
            if (chosen) chosen();
          },
          help)
      ->type_name("SIZE");
}

void add_options(CLI::App& command, Options& options) {
  constexpr int kMostRuns = 1000, kOldest = 7;
  command.add_option("IN", options.input, "an .onnx file")->required();
  command.add_option("OUT", options.output, "the file to write, which may be IN")->required();
  add_shape_option(command, options.shapes);
  command.get_option("--shape")->description("fix the shape of an input that leaves extents open");
  command.add_option("--skip", options.simplify.skip, "leave a pass out")
      ->type_name("PASS")
      ->allow_extra_args(false);
  add_bytes_option(command, "--no-large-tensor", options.simplify.largest_constant,
                   "compute no constant larger than SIZE from smaller ones");
  command.add_flag("--keep-unused-input", options.simplify.keep_unused_inputs,
                   "keep inputs that nothing uses");
  command.add_option("--unused-output", options.simplify.unused_outputs, "drop an output")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      .add_option("--target-ops", options.target,
                  "use these operators alone where that is possible: Conv,Relu,... or a file")
      ->type_name("FILE|LIST");
  command.add_option("--opset", options.simplify.opset, "raise the model's opset first")
      ->type_name("N")
      ->check(CLI::Range(kOldest, kNewestRaised));
  add_bytes_option(command, "--external-data", options.write.external_threshold,
                   "put tensors of SIZE bytes and more into OUT.data (else as in IN)",
                   [&] { options.write.external_data = ExportOptions::ExternalData::kAlways; });
  command
      .add_option("--check", options.runs,
                  "compare with the original on so many random inputs, 0 = not")
      ->type_name("N")
      ->check(CLI::Range(0, kMostRuns))
      ->capture_default_str();
  command.add_flag("--json", options.json, "the report as JSON");
}

}  // namespace

void add_simplify_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("simplify", "write a model without what exporters leave behind");
  add_options(*command, *options);
  command->footer(
      "Example:\n  mini-infer simplify model.onnx small.onnx --shape images=1x3x640x640");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
