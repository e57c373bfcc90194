// How many runs of a session fit into a second, when several callers run it at once.
#pragma once

#include <mini_infer/session.h>

#include <functional>
#include <vector>

#include "tools/model_inputs.h"

namespace mini_infer::tools {

struct Timing {
  std::vector<double> times_ms;  // of all callers' runs, sorted; never empty
  double runs_per_second = 0;    // of all callers together
  double median_ms() const { return times_ms[times_ms.size() / 2]; }
};

// `streams` callers at once, each three runs to warm up, then as many as fit into the time, at
// least five.
Result<Timing> time_runs(const Session& session, const std::vector<Tensor>& inputs, int streams,
                         double seconds);

// One line of the search for the most inferences a second.
struct Throughput {
  int streams = 1;
  int threads = 1;  // of each stream
  std::int64_t batch = 1;
  double median_ms = 0;
  double inferences_per_second = 0;
};

// What the search varies within: streams 1, 2, 4 ... `cores` share the cores; batches 1, 2, 4 ...
// `batch`, as long as they gain.
struct ThroughputSearch {
  int cores = 1;
  std::int64_t batch = 1;
  std::function<Result<Session>(int threads)> load;
  std::function<Result<std::vector<Tensor>>(const Session&, std::int64_t batch)> inputs;
  double seconds = 0;  // for each pair
};
struct ThroughputTable {
  std::vector<Throughput> lines;
  Status larger_batches;  // why none were tried, where that was no matter of speed
  const Throughput& best() const;
};
Result<ThroughputTable> search_throughput(ThroughputSearch search);

}  // namespace mini_infer::tools
