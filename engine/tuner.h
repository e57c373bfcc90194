// SessionTuner: measures kernels on memory of its own when a plan is made.
#pragma once

#include <atomic>
#include <mutex>

#include "engine/tune_cache.h"
#include "kernels/op.h"

namespace mini_infer {

class SessionTuner : public KernelTuner {
 public:
  struct Options {
    bool measure = false;
    std::string cache;                        // path, or empty
    PrepareContext::Environment environment;  // of the kernels to measure
    std::size_t memory_limit = 0;             // layers that need more are not measured
  };
  explicit SessionTuner(Options options);

  // Measures while the lock is held: neither twice, nor two layers at a time.
  std::optional<Verdict> choose(const std::string& layer, const PrepareContext& context,
                                std::span<const KernelCandidate> candidates) override;
  int timed_layers() const { return timed_layers_; }

 private:
  Options options_;
  std::atomic<int> timed_layers_ = 0;
  std::mutex mutex_;
  TuneCache cache_;
};

}  // namespace mini_infer
