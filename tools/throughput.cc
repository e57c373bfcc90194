#include "tools/throughput.h"

#include <algorithm>
#include <barrier>
#include <thread>

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

struct Caller {
  Status status;
  std::vector<double> times_ms;
  double seconds = 0;  // from the common start to the end of its last run
};

Status warm_up(const Session& session, const std::vector<Tensor>& inputs) {
  constexpr int kWarmUp = 3;
  for (int i = 0; i < kWarmUp; ++i) MINI_TRY(session.run(inputs).status());
  return ok();
}

Status time_caller(const Session& session, const std::vector<Tensor>& inputs, double seconds,
                   Caller& caller) {
  constexpr std::size_t kLeast = 5;
  const double begin = now_seconds();
  for (double now = begin; now < begin + seconds || caller.times_ms.size() < kLeast;) {
    MINI_TRY(session.run(inputs).status());
    const double end = now_seconds();
    caller.times_ms.push_back((end - now) * 1e3);
    now = end;
  }
  caller.seconds = now_seconds() - begin;
  return ok();
}

std::vector<int> stream_counts(int cores) {
  std::vector<int> counts;
  for (int streams = 1; streams < cores; streams *= 2) counts.push_back(streams);
  counts.push_back(cores);
  return counts;
}

}  // namespace

Result<Timing> time_runs(const Session& session, const std::vector<Tensor>& inputs, int streams,
                         double seconds) {
  std::vector<Caller> callers(static_cast<std::size_t>(streams));
  std::barrier start(streams);
  const auto work = [&](Caller& caller) {
    caller.status = guarded([&] { return warm_up(session, inputs); });
    start.arrive_and_wait();
    if (!caller.status.ok()) return;
    caller.status = guarded([&] { return time_caller(session, inputs, seconds, caller); });
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < callers.size(); ++i)
      threads.emplace_back(work, std::ref(callers[i]));
    work(callers[0]);
  }
  Timing timing;
  for (const Caller& caller : callers) {
    MINI_TRY(caller.status);
    timing.times_ms.insert(timing.times_ms.end(), caller.times_ms.begin(), caller.times_ms.end());
    timing.runs_per_second += static_cast<double>(caller.times_ms.size()) / caller.seconds;
  }
  std::sort(timing.times_ms.begin(), timing.times_ms.end());
  return timing;
}

Result<ThroughputTable> search_throughput(ThroughputSearch search) {
  constexpr double kWorse = 0.97;  // of the best so far: larger batches will not make up for it
  ThroughputTable table;
  for (const int streams : stream_counts(search.cores)) {
    const int threads = search.cores / streams;
    MINI_TRY_ASSIGN(const Session session, search.load(threads));
    double best = 0;
    for (std::int64_t batch = 1; batch <= search.batch; batch *= 2) {
      const auto inputs = search.inputs(session, batch);
      const auto timing = inputs.ok() ? time_runs(session, *inputs, streams, search.seconds)
                                      : Result<Timing>(inputs.status());
      if (batch > 1 && !timing.ok()) {  // fixed in the model, or no room for it
        table.larger_batches = timing.status();
        search.batch = batch / 2;
        break;
      }
      MINI_TRY(timing.status());
      const double rate = timing->runs_per_second * static_cast<double>(batch);
      table.lines.push_back({streams, threads, batch, timing->median_ms(), rate});
      if (rate < kWorse * best) break;
      best = std::max(best, rate);
    }
  }
  return table;
}

const Throughput& ThroughputTable::best() const {
  return *std::max_element(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return a.inferences_per_second < b.inferences_per_second;
  });
}

}  // namespace mini_infer::tools
