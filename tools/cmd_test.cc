// mini-infer test: runs ONNX backend-test folders.
#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/input_options.h"
#include "tools/isolate.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/test_folder.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::vector<std::string> folders;
  std::vector<std::string> filters;
  TestOptions test;
  double timeout = 600;
  bool json = false;
  bool verbose = false;
  bool in_process = false;
};

constexpr const char* kVerdictNames[] = {"passed", "failed", "skipped"};

Json to_json(const TestOutcome& outcome) {
  return {{"verdict", static_cast<int>(outcome.verdict)},
          {"problems", outcome.problems},
          {"notes", outcome.notes},
          {"load_ms", outcome.load_ms},
          {"run_ms", outcome.run_ms},
          {"largest_difference", outcome.largest_difference}};
}

TestOutcome from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  TestOutcome outcome;
  if (json.is_discarded()) {
    return {.verdict = Verdict::kFailed, .problems = {"its process gave no result"}};
  }
  outcome.verdict = static_cast<Verdict>(json.value("verdict", 0));
  outcome.problems = json.value("problems", outcome.problems);
  outcome.notes = json.value("notes", outcome.notes);
  outcome.load_ms = json.value("load_ms", 0.0);
  outcome.run_ms = json.value("run_ms", 0.0);
  outcome.largest_difference = json.value("largest_difference", 0.0);
  return outcome;
}

// In a process of its own, so that whatever happens there ends this test only.
TestOutcome run_one(const std::string& folder, const Options& options) {
  if (options.in_process) return run_test(folder, options.test);
  const Result<std::string> text =
      run_isolated([&] { return dump(to_json(run_test(folder, options.test))); }, options.timeout);
  if (!text.ok()) return {.verdict = Verdict::kFailed, .problems = {text.status().message()}};
  return from_json(*text);
}

void print_outcome(const std::string& folder, const TestOutcome& outcome, bool verbose) {
  const char* verdict = kVerdictNames[static_cast<int>(outcome.verdict)];
  for (const std::string& problem : outcome.problems) {
    std::printf("%s  %s: %s\n", verdict, folder.c_str(), printable(problem).c_str());
  }
  for (const std::string& text : outcome.notes) {
    std::printf("note    %s: %s\n", folder.c_str(), printable(text).c_str());
  }
  if (verbose && outcome.verdict == Verdict::kPassed) {
    std::printf("passed  %s: load %.1f ms, run %.1f ms, largest difference %.3g\n", folder.c_str(),
                outcome.load_ms, outcome.run_ms, outcome.largest_difference);
  }
  std::fflush(stdout);
}

Result<std::vector<std::string>> chosen_tests(const Options& options) {
  std::vector<std::string> tests;
  std::size_t all = 0;
  for (const std::string& folder : options.folders) {
    MINI_TRY_ASSIGN(const std::vector<std::string> found, find_tests(folder));
    all += found.size();
    for (const std::string& test : found) {
      bool chosen = options.filters.empty();
      for (const std::string& filter : options.filters) chosen |= test.find(filter) != test.npos;
      if (chosen) tests.push_back(test);
    }
  }
  if (!tests.empty()) return tests;
  return Status(Code::kInvalidArgument, format("none of the %zu tests has '%s' in its path", all,
                                               printable(options.filters.front()).c_str()));
}

int run(Options& options) {
  const Result<std::vector<std::string>> tests = chosen_tests(options);
  if (!tests.ok()) return fail(tests.status());

  std::size_t counts[3] = {0, 0, 0};
  Json json = {{"tests", Json::array()}};
  Progress progress("", tests->size());
  for (const std::string& folder : *tests) {
    progress.next(folder);
    const TestOutcome outcome = run_one(folder, options);
    ++counts[static_cast<int>(outcome.verdict)];
    progress.clear();
    if (!options.json) {
      print_outcome(folder, outcome, options.verbose);
      continue;
    }
    Json entry = {{"test", folder}};
    entry.update(to_json(outcome));
    entry["verdict"] = kVerdictNames[static_cast<int>(outcome.verdict)];
    json["tests"].push_back(std::move(entry));
  }
  progress.clear();
  if (options.json) {
    for (int v = 0; v < 3; ++v) json[kVerdictNames[v]] = counts[v];
    std::printf("%s\n", dump(json).c_str());
  } else {
    std::printf("%zu passed, %zu failed, %zu skipped\n", counts[0], counts[1], counts[2]);
  }
  return counts[1] == 0 ? kExitOk : kExitFailed;
}

}  // namespace

void add_test_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("test", "run ONNX backend-test folders");
  command
      ->add_option("DIR", options->folders,
                   "folders with model.onnx and test_data_set_N/{input,output}_K.pb, in them or "
                   "anywhere below")
      ->required();
  add_tolerance_options(*command, options->test.tolerance);
  add_threads_option(*command, options->test.threads);
  command->add_option("--filter", options->filters, "only the tests whose path contains TEXT")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command->add_option("--timeout", options->timeout, "seconds after which a test has failed")
      ->capture_default_str()
      ->check(positive());
  command->add_flag("--json", options->json, "the results as JSON");
  command->add_flag("--verbose", options->verbose,
                    "also name the tests that pass, with their times");
  command->add_flag("--in-process", options->in_process,
                    "no process for each test, to run under a debugger");
  command->footer(
      "Example:\n"
      "  mini-infer test --atol auto models/*\n"
      "\n"
      "A model with an operator that is not implemented counts as failed; test data with sequences "
      "or optionals is\n"
      "skipped. The last line counts: N passed, N failed, N skipped.");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
