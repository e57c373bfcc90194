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
#include "tools/peak.h"
#include "tools/print.h"
#include "tools/progress.h"
#include "tools/throughput.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::vector<std::string> models;
  std::vector<std::string> inputs, shapes;
  SessionOptions session;
  int streams = 1;
  std::int64_t batch = 0;  // 0: as the model and --shape say
  double seconds = 2;
  bool json = false;
  bool profile = false;
  bool throughput = false;
};

struct Measurement {
  double load_ms = 0, first_ms = 0;
  Timing timing;
  PlanInfo plan;
  double profiled_seconds = 0;  // time of the profiled runs from outside
  int profiled_runs = 0;
  double peak_rss_mb = 0;
  int threads = 0, streams = 1;
  std::int64_t batch = 1;
  double peak_gflops = 0;  // of as many threads as ran, at most the cores
  double median() const { return timing.median_ms(); }
  double p95() const { return timing.times_ms[timing.times_ms.size() * 95 / 100]; }
  double gflop() const { return plan.flop / 1e9; }
  double gflops() const { return gflop() / median() * 1e3 * streams; }
  double percent_of_peak() const { return gflops() / peak_gflops * 100; }
  double inferences_per_second() const {
    return timing.runs_per_second * static_cast<double>(batch);
  }
};

constexpr double kMega = 1 << 20;

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

Result<Session> load(const std::string& model, const Options& options, int threads) {
  SessionOptions session = options.session;
  session.threads = threads;
  session.log = note;
  return Session::load(model, session);
}

Result<std::vector<Tensor>> make_inputs(const Session& session, const Options& options,
                                        std::int64_t batch) {
  MINI_TRY_ASSIGN(ShapeMap shapes, parse_shapes(options.shapes, session.inputs()));
  if (batch > 0) MINI_TRY(set_batch(session.inputs(), batch, shapes));
  MINI_TRY_ASSIGN(TensorMap tensors, read_inputs(options.inputs, session.inputs(), shapes, {}));
  MINI_TRY(add_synthetic(session.inputs(), shapes, tensors));
  for (const ValueInfo& input : session.inputs()) {
    const Shape given = tensors[input.name].shape(), wanted = closed_shape(input, shapes);
    if (batch > 0 && given.rank() > 0 && wanted.rank() > 0 && given[0] != wanted[0]) {
      return Status(
          Code::kInvalidArgument,
          format("input '%s' has shape %s; --batch makes its first dimension %lld",
                 input.name.c_str(), given.str().c_str(), static_cast<long long>(wanted[0])));
    }
  }
  return in_order(session.inputs(), tensors);
}

Status measure(const std::string& model, const Options& options, Measurement& m) {
  Progress progress("loading " + model);
  reset_peak_memory();
  double start = now_seconds();
  MINI_TRY_ASSIGN(const Session session, load(model, options, options.session.threads));
  m.load_ms = (now_seconds() - start) * 1e3;
  m.threads = session.threads();
  m.streams = options.streams;
  m.batch = std::max<std::int64_t>(1, options.batch);
  MINI_TRY_ASSIGN(const std::vector<Tensor> inputs, make_inputs(session, options, options.batch));

  progress.next((options.session.tune ? "tuning " : "timing ") + model);
  start = now_seconds();
  MINI_TRY(session.run(inputs).status());
  progress.next("timing " + model);
  m.first_ms = (now_seconds() - start) * 1e3;
  MINI_TRY_ASSIGN(m.timing, time_runs(session, inputs, m.streams, options.seconds));
  m.peak_rss_mb = peak_memory() / kMega;
  m.peak_gflops = peak_flops(std::min(m.threads * m.streams, default_threads())) / 1e9;

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
  Json json = {{"model", model},
               {"threads", m.threads},
               {"streams", m.streams},
               {"batch", m.batch},
               {"isa", isa_name()},
               {"load_ms", m.load_ms},
               {"first_ms", m.first_ms},
               {"min_ms", m.timing.times_ms.front()},
               {"median_ms", m.median()},
               {"p95_ms", m.p95()},
               {"iterations", m.timing.times_ms.size()},
               {"inferences_per_s", m.inferences_per_second()},
               {"gflop", m.gflop()},
               {"gflops", m.gflops()},
               {"peak_gflops", m.peak_gflops},
               {"percent_of_peak", m.percent_of_peak()},
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

std::string threads_text(int threads) {
  return format("%d thread%s", threads, threads == 1 ? "" : "s");
}

void print_measurement(const std::string& model, const Measurement& m) {
  std::string callers;
  if (m.streams > 1) callers = format("%d streams of ", m.streams);
  std::printf("%s: %s%s, batch %lld, %s\n", model.c_str(), callers.c_str(),
              threads_text(m.threads).c_str(), static_cast<long long>(m.batch), isa_name().c_str());
  std::printf("  median %.3f ms  min %.3f  p95 %.3f  of %zu runs;  load %.1f ms  first %.1f ms\n",
              m.median(), m.timing.times_ms.front(), m.p95(), m.timing.times_ms.size(), m.load_ms,
              m.first_ms);
  std::printf("  %.2f inferences/s;  %.3f GFLOP  %.1f GFLOP/s, %.0f %% of the peak, %.1f\n",
              m.inferences_per_second(), m.gflop(), m.gflops(), m.percent_of_peak(), m.peak_gflops);
  std::printf("  peak memory %.1f MB  arena %.1f MB  weights %.1f MB\n", m.peak_rss_mb,
              static_cast<double>(m.plan.arena_bytes) / kMega,
              static_cast<double>(m.plan.weight_bytes) / kMega);
}

Status bench(const std::string& model, const Options& options) {
  Measurement m;
  MINI_TRY(measure(model, options, m));
  if (options.json) {
    std::printf("%s\n", dump(to_json(model, m, options.profile), -1).c_str());
    return ok();
  }
  print_measurement(model, m);
  if (options.profile) {
    print_profile(m);
    print_kernel_sums(m);
  }
  return ok();
}

Json to_json(const Throughput& line) {
  return {{"streams", line.streams},
          {"threads", line.threads},
          {"batch", line.batch},
          {"median_ms", line.median_ms},
          {"inferences_per_s", line.inferences_per_second}};
}

void print_throughput(const std::string& model, const ThroughputTable& found) {
  Table table({0, 1, 2, 3, 4});
  table.add({"streams", "threads each", "batch", "ms a run", "inferences/s"});
  for (const Throughput& line : found.lines) {
    table.add({std::to_string(line.streams), std::to_string(line.threads),
               std::to_string(line.batch), format("%.3f", line.median_ms),
               format("%.2f", line.inferences_per_second)});
  }
  const Throughput& best = found.best();
  std::printf("%s: %s\n%sbest: --streams %d --threads %d --batch %lld, %.2f inferences/s\n",
              model.c_str(), isa_name().c_str(), table.str().c_str(), best.streams, best.threads,
              static_cast<long long>(best.batch), best.inferences_per_second);
}

Status throughput(const std::string& model, const Options& options) {
  constexpr std::int64_t kLargestBatch = 16;
  Progress progress("timing " + model);
  ThroughputSearch search;
  search.cores = options.session.threads > 0 ? options.session.threads : default_threads();
  search.seconds = options.seconds;
  search.batch = options.batch > 0 ? options.batch : kLargestBatch;
  search.load = [&](int threads) { return load(model, options, threads); };
  search.inputs = [&](const Session& session, std::int64_t batch) {
    return make_inputs(session, options, batch);
  };
  MINI_TRY_ASSIGN(const ThroughputTable table, search_throughput(search));
  progress.clear();
  if (!table.larger_batches.ok()) note(table.larger_batches.message());
  if (!options.json) {
    print_throughput(model, table);
    return ok();
  }
  Json json = {{"model", model}, {"isa", isa_name()}, {"best", to_json(table.best())}};
  for (const Throughput& line : table.lines) json["tried"].push_back(to_json(line));
  std::printf("%s\n", dump(json, -1).c_str());
  return ok();
}

int run(const Options& options) {
  int exit_code = kExitOk;
  for (const std::string& model : options.models) {
    const Status status = guarded(
        [&] { return options.throughput ? throughput(model, options) : bench(model, options); });
    if (!status.ok()) {
      exit_code = fail(options.models.size() == 1 ? status : Status(status).at(model));
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
  add_threads_option(*command, options->session.threads);
  add_tune_options(*command, options->session);
  constexpr int kMostStreams = 1024;
  CLI::Option* streams =
      command->add_option("--streams", options->streams, "callers that run the model at once")
          ->check(CLI::Range(1, kMostStreams));
  constexpr std::int64_t kMostBatch = 1 << 20;
  command
      ->add_option("--batch", options->batch,
                   "size of the first dimension of inputs that leave it open")
      ->check(CLI::Range(std::int64_t{1}, kMostBatch));
  command->add_option("--seconds", options->seconds, "how long to measure each model")
      ->capture_default_str()
      ->check(not_negative());
  add_shape_option(*command, options->shapes);
  add_input_option(*command, options->inputs);
  CLI::Option* profile = command->add_flag("--profile", options->profile,
                                           "time of each step and of each kind of kernel");
  command
      ->add_flag("--throughput", options->throughput,
                 "find the streams and the batch (up to --batch, or 16) with the most inferences a "
                 "second; the streams share --threads")
      ->excludes(streams)
      ->excludes(profile);
  command->add_flag("--json", options->json, "one line of JSON for each model");
  command->footer("Example:\n  mini-infer bench resnet18.onnx --threads 1 --seconds 5 --profile");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
