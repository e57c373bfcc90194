// mini-infer edit: changes a model, step by step in the order of the command line.
#include <cstdio>
#include <memory>
#include <span>

#include "graph/edit/edit.h"
#include "kernels/op_registry.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::string in, out;
  std::vector<StepCall> steps;
  bool json = false;
};

void print_json(const Options& options, const std::vector<StepReport>& reports,
                const std::vector<std::string>& notes, std::size_t bytes) {
  Json steps = Json::array();
  for (const StepReport& report : reports) {
    steps.push_back({{"step", report.step}, {"argument", report.argument}, {"what", report.what}});
  }
  const Json json = {{"model", options.in},
                     {"output", options.out},
                     {"steps", steps},
                     {"bytes", bytes},
                     {"notes", notes}};
  std::printf("%s\n", dump(json).c_str());
}

void print_text(const Options& options, const std::vector<StepReport>& reports,
                const std::vector<std::string>& notes, std::size_t bytes) {
  for (const std::string& text : notes) std::printf("note: %s\n", printable(text).c_str());
  for (const StepReport& report : reports) {
    std::printf("%s%s%s: %s\n", report.step.c_str(), report.argument.empty() ? "" : " ",
                printable(report.argument).c_str(), printable(report.what).c_str());
  }
  std::printf("%s: %.2f MB\n", options.out.c_str(), static_cast<double>(bytes) / (1 << 20));
}

int run(const Options& options) {
  if (options.steps.empty()) {
    return usage_error("edit needs a step, such as --set-batch 4; see mini-infer edit --help");
  }
  if (const Status calls = check_calls(options.steps); !calls.ok()) {
    return usage_error(calls.message());
  }
  std::vector<std::string> notes;
  const Progress progress("editing " + options.in);
  Result<ImportedModel> model =
      import_file(options.in, [&](const std::string& line) { notes.push_back(line); });
  if (!model.ok()) return fail(model.status());
  for (const std::string& lost : model->header.dropped) {
    notes.push_back("not kept in the new file: " + lost);
  }
  Edit edit{.model = std::move(*model), .output = {.ops = &op_registry()}, .ops = op_registry()};
  const Result<std::vector<StepReport>> reports = run_steps(edit, options.steps);
  if (!reports.ok()) return fail(reports.status());
  Result<StagedModel> staged = stage_model(edit.model, options.out, edit.output);
  if (!staged.ok()) return fail(staged.status());
  if (const Status done = staged->commit(); !done.ok()) return fail(done);
  (options.json ? print_json : print_text)(options, *reports, notes, staged->bytes());
  return kExitOk;
}

void add_step(CLI::App& command, const StepDef& step) {
  const std::string name = "--" + std::string(step.name), help(step.help);
  const bool optional =
      step.argument == StepArgument::kOptionalCount || step.argument == StepArgument::kOptionalText;
  CLI::Option* option = nullptr;
  if (step.argument == StepArgument::kNone || optional) {
    // A flag: "--to-external OUT" must not take the file for its argument.
    option = command.add_flag(name, help);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    option = command.add_option(name, help)->type_size(1)->expected(1, 1 << 20);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    option->type_name(std::string(step.placeholder));  // for what is said where it is missing
  }
  if (!step.placeholder.empty()) {
    option->option_text((optional ? "[=" : "") + std::string(step.placeholder) +
                        (optional ? "]" : ""));
  }
  option->group("Steps, in the order in which they are given");
}

// The steps in the order of the command line.
std::vector<StepCall> steps_of(const CLI::App& command) {
  std::vector<StepCall> calls;
  std::map<const CLI::Option*, std::size_t> seen;
  for (const CLI::Option* option : command.parse_order()) {
    const StepDef* step =
        option->get_lnames().empty() ? nullptr : find_step(option->get_lnames()[0]);
    if (step == nullptr) continue;
    const std::size_t place = seen[option]++;
    std::string argument = place < option->results().size() ? option->results()[place] : "";
    const bool flag = option->get_items_expected_min() == 0 && argument == "true";
    calls.push_back({step, flag ? "" : argument});
  }
  return calls;
}

}  // namespace

void add_edit_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("edit", "change a model and write it to another file");
  command->add_option("IN", options->in, "an .onnx file")->required();
  command->add_option("OUT", options->out, "the file to write; may be IN")->required();
  command->add_flag("--json", options->json, "what was done as JSON");
  for (const StepDef& step : all_steps()) add_step(*command, step);
  command->footer(
      "Example:\n"
      "  mini-infer edit model.onnx out.onnx --set-batch 4 --set-attr norm.epsilon=1e-3 "
      "--add-output features");
  command->callback([options, command, &action] {
    options->steps = steps_of(*command);
    action = [options] { return run(*options); };
  });
}

}  // namespace mini_infer::tools
