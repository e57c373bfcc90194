// mini-infer doctor: one page about a model, for a person.
#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/doctor.h"
#include "tools/input_options.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  DoctorOptions doctor;
  bool json = false;
};

// The lines of a text, those after the first under it.
void print_observation(const Observation& o) {
  std::printf("%-8s  %-11s", finding_name(o.finding), o.topic.c_str());
  bool first = true;
  for (const std::string_view line : split(o.text, '\n')) {
    std::printf("%*s%s\n", first ? 0 : 21, "", printable(line).c_str());
    first = false;
  }
}

void print_page(const std::string& model, const Diagnosis& diagnosis) {
  std::printf("%s %s\n\n", printable(model).c_str(), diagnosis.runs() ? "runs" : "does not run");
  for (const Observation& o : diagnosis.observations) print_observation(o);
  if (!diagnosis.trial) return;
  constexpr double kMega = 1 << 20;
  const Trial& t = *diagnosis.trial;
  std::printf("\ntime      %.2f ms a run (median of %d, %s, %d thread%s), %.3f GFLOP\n",
              t.median_ms, t.runs, isa_name().c_str(), t.threads, t.threads == 1 ? "" : "s",
              t.plan.flop / 1e9);
  std::printf("          %.0f ms to load, %.0f ms for the first run, which packs the weights\n",
              t.load_ms, t.first_ms);
  std::printf(
      "memory    %.0f MB of the process; %.1f MB of weights, %.1f MB for what is computed\n",
      t.peak_bytes / kMega, static_cast<double>(t.plan.weight_bytes) / kMega,
      static_cast<double>(t.plan.arena_bytes) / kMega);
  std::printf("outputs   %s\n", diagnosis.outputs.c_str());
  std::printf("try       %s\n", diagnosis.command.c_str());
}

int run(const Options& options) {
  const Result<Diagnosis> diagnosis = examine(options.doctor);
  if (!diagnosis.ok()) return usage_error(diagnosis.status().message());
  if (options.json) {
    Json json = {{"model", options.doctor.model}};
    json.update(to_json(*diagnosis));
    std::printf("%s\n", dump(json).c_str());
  } else {
    print_page(options.doctor.model, *diagnosis);
  }
  return diagnosis->runs() ? kExitOk : kExitFailed;
}

}  // namespace

void add_doctor_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("doctor", "one page about a model: does it run, what it needs and costs");
  command->add_option("MODEL", options->doctor.model, "an .onnx file")->required();
  add_shape_option(*command, options->doctor.shapes);
  add_threads_option(*command, options->doctor.session.threads);
  command
      ->add_option("--seconds", options->doctor.seconds,
                   "how long to time runs; at least one is made")
      ->capture_default_str()
      ->check(not_negative());
  command->add_flag("--json", options->json, "the same as JSON");
  command->footer("Example:\n  mini-infer doctor model.onnx");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
