// mini-infer bench: how fast a model runs, and where the time goes.
#include <mini_infer/session.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/input_options.h"
#include "tools/memory_use.h"
#include "tools/model_inputs.h"
#include "tools/print.h"
#include "tools/progress.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::vector<std::string> models;
  std::vector<std::string> inputs, shapes;
  int threads = 0;
  double seconds = 2;
  bool json = false;
  bool profile = false;
};

struct Measurement {
  double load_ms = 0, first_ms = 0;
  std::vector<double> times_ms;  // sorted
  PlanInfo plan;
  double profiled_seconds = 0;  // time of the profiled runs from outside
  int profiled_runs = 0;
  double peak_rss_mb = 0;
  int threads = 0;
  double median() const { return times_ms[times_ms.size() / 2]; }
};

constexpr double kMega = 1 << 20;

// Three runs to warm up, then as many as fit into the time, at least five.
Status time_runs(const Session& session, const std::vector<Tensor>& inputs, double seconds,
                 Measurement& m) {
  constexpr int kWarmUp = 3;
  constexpr std::size_t kLeast = 5;
  for (int i = 0; i < kWarmUp; ++i) MINI_TRY(session.run(inputs).status());
  const double end = now_seconds() + seconds;
  while (now_seconds() < end || m.times_ms.size() < kLeast) {
    const double start = now_seconds();
    MINI_TRY(session.run(inputs).status());
    m.times_ms.push_back((now_seconds() - start) * 1e3);
  }
  std::sort(m.times_ms.begin(), m.times_ms.end());
  return ok();
}

Status profile_runs(const Session& session, const std::vector<Tensor>& inputs, double seconds,
                    Measurement& m) {
  constexpr int kLeast = 5;
  const double end = now_seconds() + seconds;
  while (now_seconds() < end || m.profiled_runs < kLeast) {
    const double start = now_seconds();
    MINI_TRY(session.profile(inputs, m.plan).status());
    m.profiled_seconds += now_seconds() - start;
    ++m.profiled_runs;
  }
  return ok();
}

Status measure(const std::string& model, const Options& options, Measurement& m) {
  Progress progress("loading " + model);
  reset_peak_memory();
  SessionOptions session_options;
  session_options.threads = options.threads;
  double start = now_seconds();
  MINI_TRY_ASSIGN(const Session session, Session::load(model, session_options));
  m.load_ms = (now_seconds() - start) * 1e3;
  m.threads = session.threads();
  MINI_TRY_ASSIGN(const ShapeMap shapes, parse_shapes(options.shapes, session.inputs()));
  MINI_TRY_ASSIGN(TensorMap tensors, read_inputs(options.inputs, session.inputs(), shapes, {}));
  MINI_TRY(add_synthetic(session.inputs(), shapes, tensors));
  const std::vector<Tensor> inputs = in_order(session.inputs(), tensors);

  progress.next("timing " + model);
  start = now_seconds();
  MINI_TRY(session.run(inputs).status());
  m.first_ms = (now_seconds() - start) * 1e3;
  MINI_TRY(time_runs(session, inputs, options.seconds, m));
  m.peak_rss_mb = peak_memory() / kMega;

  std::vector<Shape> input_shapes;
  for (const Tensor& input : inputs) input_shapes.push_back(input.shape());
  MINI_TRY_ASSIGN(m.plan, session.plan(input_shapes));
  if (options.profile) MINI_TRY(profile_runs(session, inputs, options.seconds, m));
  return ok();
}

Json profile_json(const Measurement& m) {
  Json steps = Json::array();
  for (const StepInfo& step : m.plan.steps) {
    steps.push_back({{"node", step.node},
                     {"op", step.op},
                     {"kernel", step.kernel},
                     {"output_shape", step.output_shape},
                     {"ms", step.seconds * 1e3 / m.profiled_runs},
                     {"gflop", step.flop / 1e9}});
  }
  return steps;
}

Json to_json(const std::string& model, const Measurement& m, bool profile) {
  const double gflop = m.plan.flop / 1e9;
  Json json = {{"model", model},
               {"threads", m.threads},
               {"isa", isa_name()},
               {"load_ms", m.load_ms},
               {"first_ms", m.first_ms},
               {"min_ms", m.times_ms.front()},
               {"median_ms", m.median()},
               {"p95_ms", m.times_ms[m.times_ms.size() * 95 / 100]},
               {"iterations", m.times_ms.size()},
               {"gflop", gflop},
               {"gflops", gflop / m.median() * 1e3},
               {"peak_rss_mb", m.peak_rss_mb},
               {"arena_mb", static_cast<double>(m.plan.arena_bytes) / kMega},
               {"weights_mb", static_cast<double>(m.plan.weight_bytes) / kMega}};
  if (profile) {
    json["profiled_ms"] = m.profiled_seconds * 1e3 / m.profiled_runs;
    json["steps"] = profile_json(m);
  }
  return json;
}

// A row of the profile: time of one run, its share, and the speed.
std::vector<std::string> profile_row(std::vector<std::string> names, double seconds, double flop,
                                     const Measurement& m) {
  const double ms = seconds * 1e3 / m.profiled_runs;
  const double share = m.profiled_seconds > 0 ? seconds / m.profiled_seconds * 100 : 0;
  names.push_back(format("%.3f", ms));
  names.push_back(format("%.1f %%", share));
  names.push_back(flop > 0 && ms > 0 ? format("%.1f", flop / ms / 1e6) : "");
  return names;
}

// What the steps do not account for: looking up the plan, taking the arena, making the outputs.
double outside_steps(const Measurement& m) {
  double steps = 0;
  for (const StepInfo& step : m.plan.steps) steps += step.seconds;
  return m.profiled_seconds - steps;
}

void print_profile(const Measurement& m) {
  Table steps({4, 5, 6});
  steps.add({"node", "op", "kernel", "output", "ms", "share", "GFLOP/s"});
  for (const StepInfo& step : m.plan.steps) {
    steps.add(profile_row({step.node, step.op, step.kernel, step.output_shape}, step.seconds,
                          step.flop, m));
  }
  steps.add(profile_row({"(outside the steps)", "", "", ""}, outside_steps(m), 0, m));
  steps.add(profile_row({"total", "", "", ""}, m.profiled_seconds, m.plan.flop, m));
  std::printf("\n%s", steps.str().c_str());
}

void print_kernel_sums(const Measurement& m) {
  struct Sum {
    std::string name;
    int steps = 0;
    double seconds = 0, flop = 0;
  };
  std::map<std::string, Sum> by_kernel;
  for (const StepInfo& step : m.plan.steps) {
    Sum& sum = by_kernel[step.kernel];
    sum.name = step.kernel;
    ++sum.steps;
    sum.seconds += step.seconds;
    sum.flop += step.flop;
  }
  std::vector<Sum> sums;
  for (const auto& [name, sum] : by_kernel) sums.push_back(sum);
  std::sort(sums.begin(), sums.end(),
            [](const Sum& a, const Sum& b) { return a.seconds > b.seconds; });
  Table table({1, 2, 3, 4});
  table.add({"kernel", "steps", "ms", "share", "GFLOP/s"});
  for (const Sum& sum : sums)
    table.add(profile_row({sum.name, std::to_string(sum.steps)}, sum.seconds, sum.flop, m));
  table.add(profile_row({"(outside the steps)", ""}, outside_steps(m), 0, m));
  table.add(profile_row({"total", std::to_string(m.plan.steps.size())}, m.profiled_seconds,
                        m.plan.flop, m));
  std::printf("\n%s", table.str().c_str());
}

void print_measurement(const std::string& model, const Measurement& m) {
  const double gflop = m.plan.flop / 1e9;
  std::printf("%s: %d thread%s, %s\n", model.c_str(), m.threads, m.threads == 1 ? "" : "s",
              isa_name().c_str());
  std::printf("  median %.3f ms  min %.3f  p95 %.3f  of %zu runs;  load %.1f ms  first %.1f ms\n",
              m.median(), m.times_ms.front(), m.times_ms[m.times_ms.size() * 95 / 100],
              m.times_ms.size(), m.load_ms, m.first_ms);
  std::printf("  %.3f GFLOP  %.1f GFLOP/s;  peak memory %.1f MB  arena %.1f MB  weights %.1f MB\n",
              gflop, gflop / m.median() * 1e3, m.peak_rss_mb,
              static_cast<double>(m.plan.arena_bytes) / kMega,
              static_cast<double>(m.plan.weight_bytes) / kMega);
}

int run(const Options& options) {
  int exit_code = kExitOk;
  for (const std::string& model : options.models) {
    Measurement m;
    const Status status = guarded([&] { return measure(model, options, m); });
    if (!status.ok()) {
      exit_code = fail(options.models.size() == 1 ? status : Status(status).at(model));
      continue;
    }
    if (options.json) {
      std::printf("%s\n", dump(to_json(model, m, options.profile), -1).c_str());
    } else {
      print_measurement(model, m);
      if (options.profile) {
        print_profile(m);
        print_kernel_sums(m);
      }
    }
    std::fflush(stdout);
  }
  return exit_code;
}

}  // namespace

void add_bench_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "measure how fast models run");
  command->add_option("MODEL", options->models, ".onnx files")->required();
  add_threads_option(*command, options->threads);
  command->add_option("--seconds", options->seconds, "how long to measure each model")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_shape_option(*command, options->shapes);
  add_input_option(*command, options->inputs);
  command->add_flag("--profile", options->profile, "time of each step and of each kind of kernel");
  command->add_flag("--json", options->json, "one line of JSON for each model");
  command->footer("Example:\n  mini-infer bench resnet18.onnx --threads 1 --seconds 5 --profile");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
