#include "engine/tuner.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <list>

#include "engine/cpu.h"
#include "engine/weight_cache.h"
#include "graph/ir/text.h"
#include "kernels/denormals.h"

namespace mini_infer {
namespace {

constexpr std::size_t kMostMeasured = 4;
// Candidates take turns; the least time of each counts.
constexpr int kLeastRounds = 5, kMostRounds = 100;
constexpr double kSeconds = 0.04;  // for all rounds, once there are enough

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Bytes that stand for small positive numbers in all floating-point types.
constexpr int kFill = 0x3c;

// Memory for one node: constants are the model's own.
class Bench {
 public:
  // kResourceExhausted where it would be more than `memory_limit`.
  static Result<Bench> make(const PrepareContext& c, std::size_t scratch_bytes,
                            std::size_t memory_limit) {
    Bench bench;
    std::size_t left = memory_limit;
    for (std::size_t i = 0; i < c.input_count(); ++i) {
      const PrepareInput& in = c.input(i);
      const void* data = nullptr;
      if (in.constant != nullptr) {
        data = in.constant->data();
      } else if (in.present) {
        MINI_TRY_ASSIGN(data, bench.add(c, in.dtype, in.shape, in.layout, left));
      }
      bench.in_.push_back(data);
    }
    for (std::size_t i = 0; i < c.output_count(); ++i) {
      const PrepareOutput& out = c.output(i);
      void* data = nullptr;
      if (out.present) {
        MINI_TRY_ASSIGN(data, bench.add(c, out.dtype, c.output_shape(i), out.layout, left));
      }
      bench.out_.push_back(data);
    }
    const Shape scratch{static_cast<std::int64_t>(scratch_bytes)};
    MINI_TRY_ASSIGN(bench.scratch_, bench.add(c, DType::kUInt8, scratch, Layout::kPlain, left));
    return bench;
  }

  // Seconds.
  Result<double> time(const PreparedKernel& kernel, int threads) const {
    const double start = now_seconds();
    MINI_TRY(kernel.run({.inputs = in_,
                         .outputs = out_,
                         .scratch = static_cast<std::byte*>(scratch_),
                         .threads = threads,
                         .dynamic_outputs = {}}));
    return now_seconds() - start;
  }

 private:
  Result<void*> add(const PrepareContext& c, DType dtype, const Shape& shape, Layout layout,
                    std::size_t& left) {
    const Shape stored{static_cast<std::int64_t>(c.storage_elements(shape, layout))};
    MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(dtype, stored));
    if (bytes > left) return error(Code::kResourceExhausted, "the layer is too large to measure");
    left -= bytes;
    MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(dtype, stored));
    std::memset(tensor.mutable_data(), kFill, bytes);
    memory_.push_back(tensor);
    return memory_.back().mutable_data();
  }

  std::vector<Tensor> memory_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  void* scratch_ = nullptr;
};

// What is measured. Its weights are its own: those of candidates that lose must not stay.
struct Measured {
  SessionWeights weights;
  PreparedKernel kernel;
  double least_ms = std::numeric_limits<double>::infinity();

  // In a network, other layers have pushed the weights out of the caches since the last run, and
  // the layer before has just written the input.
  void evict_weights() const {
    weights.for_each(
        [](const PackedBuffer& buffer) { evict_from_caches(buffer.data(), buffer.bytes()); });
  }
};

// Finds the least time of each kernel.
Status measure(const PrepareContext& c, std::list<Measured>& all, std::size_t memory_limit) {
  std::size_t scratch_bytes = 0;
  for (const Measured& m : all) scratch_bytes = std::max(scratch_bytes, m.kernel.scratch_bytes);
  MINI_TRY_ASSIGN(const Bench bench, Bench::make(c, scratch_bytes, memory_limit));
  const FlushDenormals flush;
  for (const Measured& m : all) MINI_TRY(bench.time(m.kernel, c.threads()).status());
  const double end = now_seconds() + kSeconds;
  for (int round = 0; round < kMostRounds && (round < kLeastRounds || now_seconds() < end);
       ++round) {
    for (Measured& m : all) {
      m.evict_weights();
      MINI_TRY_ASSIGN(const double seconds, bench.time(m.kernel, c.threads()));
      m.least_ms = std::min(m.least_ms, seconds * 1e3);
    }
  }
  return ok();
}

// What a kernel must take of the estimate's time to be preferred to it: differences of a few
// percent come and go with the machine's load.
constexpr double kClearlyFaster = 0.97;

// The verdict of these times, which are sorted, where one of them is a candidate's. Candidates come
// in the order of the estimate.
std::optional<KernelTuner::Verdict> verdict_of(const KernelTimes& times,
                                               std::span<const KernelCandidate> candidates) {
  std::optional<KernelTuner::Verdict> verdict;
  double least_ms = 0;
  for (const KernelTime& time : times) {
    const auto found = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const KernelCandidate& candidate) { return candidate.name == time.kernel; });
    if (found == candidates.end()) continue;
    const auto index = static_cast<std::size_t>(found - candidates.begin());
    if (!verdict) {
      verdict = {index, "tuned:"};
      least_ms = time.ms;
    } else if (index == 0 && least_ms > kClearlyFaster * time.ms) {
      verdict->choice = 0;
    }
    std::array<char, 32> ms{};
    std::snprintf(ms.data(), ms.size(), time.ms < 0.1 ? "%.3f" : "%.2f", time.ms);
    verdict->why +=
        cat(verdict->why.ends_with(':') ? " " : ", ", time.kernel, ' ', ms.data(), " ms");
  }
  return verdict;
}

}  // namespace

SessionTuner::SessionTuner(Options options)
    : options_(std::move(options)),
      cache_(options_.cache,
             cat(cpu_model(), '\t', isa_name(options_.environment.isa), '\t',
                 options_.environment.threads),
             options_.environment.log) {}

std::optional<KernelTuner::Verdict> SessionTuner::choose(
    const std::string& layer, const PrepareContext& context,
    std::span<const KernelCandidate> candidates) {
  const std::lock_guard lock(mutex_);
  if (const KernelTimes* times = cache_.find(layer)) {
    if (auto verdict = verdict_of(*times, candidates)) return verdict;
  }
  if (!options_.measure) return std::nullopt;
  const auto promising = candidates.first(std::min(candidates.size(), kMostMeasured));
  std::list<Measured> measured;
  PrepareContext::Environment environment = options_.environment;
  for (const KernelCandidate& candidate : promising) {
    environment.weights = &measured.emplace_back().weights;
    measured.back().kernel = candidate.prepare(PrepareContext(context, environment));
  }
  if (!measure(context, measured, options_.memory_limit).ok()) return std::nullopt;
  ++timed_layers_;
  KernelTimes times;
  for (const Measured& m : measured) times.push_back({promising[times.size()].name, m.least_ms});
  std::stable_sort(times.begin(), times.end(),
                   [](const KernelTime& a, const KernelTime& b) { return a.ms < b.ms; });
  auto verdict = verdict_of(times, promising);
  cache_.add(layer, std::move(times));
  return verdict;
}

}  // namespace mini_infer
