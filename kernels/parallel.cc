// Threads: the one place that knows of OpenMP (or, without it, of std::thread).
//
// with_threads() opens one parallel region for a whole run of a plan. Its workers wait on a cache
// line of their own, which makes a parallel_for() within cheaper than a region of OpenMP. The
// caller computes the parts that no worker has begun, so a worker that the system has put aside
// holds nobody up.
#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "kernels/denormals.h"
#include "kernels/kernel_context.h"

#if defined(_OPENMP)
#include <omp.h>
#else
#include <vector>
#endif

namespace mini_infer {
namespace {

constexpr std::size_t kCacheLine = 64;

// Waits for a value to change: by turns of the processor at first, for about as long as the system
// takes to wake a thread, then letting other threads have the processor, then asleep.
class Backoff {
 public:
  // True if the caller should go to sleep now.
  bool wait() {
    ++turns_;
    if (turns_ > kTurns + kYields) return true;
    if (turns_ > kTurns) {
      std::this_thread::yield();
      return false;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    return false;
  }

 private:
  static constexpr int kTurns = 4000, kYields = 100;
  int turns_ = 0;
};

// Part `part` of `parts` nearly equal ones of [0, count).
Range part_of(std::int64_t count, int part, int parts) {
  const std::int64_t each = count / parts, rest = count % parts;
  const std::int64_t begin = part * each + std::min<std::int64_t>(part, rest);
  return {begin, begin + each + (part < rest ? 1 : 0)};
}

// The threads of one region: its caller, which hands out jobs, and workers.
class Team {
 public:
  explicit Team(int threads)
      : threads_(threads), places_(new Place[static_cast<std::size_t>(threads)]) {}
  int threads() const { return threads_; }

  // Of the caller. body(range, part) for all parts, 1 < parts <= threads(). Returns when all are
  // done; throws what the first failing part threw.
  void run(std::int64_t count, int parts, ParallelBody body) {
    job_ = {count, parts, &body};
    left_.store(parts, std::memory_order_relaxed);
    epoch_ += 2;
    for (int part = 1; part < parts; ++part) state(part).store(epoch_, std::memory_order_release);
    wake(parts);
    busy_ = true;
    run_part(0);
    for (int part = 1; part < parts; ++part) {
      if (take(part)) run_part(part);
    }
    busy_ = false;
    await_all();
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }
  bool busy() const { return busy_; }

  // Of worker 0 < part < threads(): computes what is handed out until stop().
  void work(int part) {
    const FlushDenormals flush;
    for (Backoff backoff;;) {
      const std::uint32_t seen = state(part).load(std::memory_order_acquire);
      if (seen == kStop) return;
      if (take(part)) {
        run_part(part);
        backoff = {};
      } else if (backoff.wait()) {
        sleepers_.fetch_add(1, std::memory_order_acq_rel);
        state(part).wait(seen, std::memory_order_acquire);
        sleepers_.fetch_sub(1, std::memory_order_relaxed);
        backoff = {};
      }
    }
  }
  void stop() {
    for (int part = 1; part < threads_; ++part) state(part).store(kStop, std::memory_order_release);
    wake(threads_);
  }

 private:
  struct Job {
    std::int64_t count;
    int parts;
    const ParallelBody* body;
  };
  // Even: a part of the job of that epoch that nobody has begun. Odd: none.
  struct alignas(kCacheLine) Place {
    std::atomic<std::uint32_t> state{1};
  };
  static constexpr std::uint32_t kStop = ~std::uint32_t{0};

  std::atomic<std::uint32_t>& state(int part) {
    return places_[static_cast<std::size_t>(part)].state;
  }

  // After the states of [1, parts) were set. Both sides change sleepers_: either this one sees the
  // sleeper, or the sleeper sees the new state before it sleeps.
  void wake(int parts) {
    if (sleepers_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
    for (int part = 1; part < parts; ++part) state(part).notify_one();
  }
  void await_all() {
    for (Backoff backoff;;) {
      const int left = left_.load(std::memory_order_acquire);
      if (left == 0) return;
      if (backoff.wait()) left_.wait(left, std::memory_order_acquire);
    }
  }

  // Whoever has taken a part may read job_: it stays until the part is done.
  bool take(int part) {
    std::uint32_t seen = state(part).load(std::memory_order_relaxed);
    return seen % 2 == 0 &&
           state(part).compare_exchange_strong(seen, seen + 1, std::memory_order_acq_rel);
  }
  void run_part(int part) {
    try {
      (*job_.body)(part_of(job_.count, part, job_.parts), part);
    } catch (...) {
      if (!failed_.exchange(true)) thrown_ = std::current_exception();
    }
    if (left_.fetch_sub(1) == 1) left_.notify_one();
  }

  const int threads_;
  std::unique_ptr<Place[]> places_;
  Job job_{};
  std::uint32_t epoch_ = 0;
  bool busy_ = false;
  std::atomic<bool> failed_{false};  // with thrown_: what the first failing part threw
  std::exception_ptr thrown_;
  alignas(kCacheLine) std::atomic<int> sleepers_{0};
  alignas(kCacheLine) std::atomic<int> left_{0};
};

// Of the thread that opened the region; workers have none, and compute nested calls alone.
thread_local Team* current_team = nullptr;
thread_local bool is_worker = false;

void work(Team& team, int part) {
  is_worker = true;
  team.work(part);
  is_worker = false;
}

// The caller's side of a region. No exception may leave the region itself.
void lead(Team& team, FunctionRef<void()> body, std::exception_ptr& thrown) {
  current_team = &team;
  try {
    body();
  } catch (...) {
    thrown = std::current_exception();
  }
  current_team = nullptr;
  team.stop();
}

}  // namespace

void with_threads(int threads, FunctionRef<void()> body) {
  if (threads <= 1 || current_team != nullptr || is_worker) return body();
  Team team(threads);
  std::exception_ptr thrown;
#if defined(_OPENMP)
// OpenMP may give fewer threads than asked for; the caller computes the parts of the others.
#pragma omp parallel num_threads(threads)
  if (omp_get_thread_num() == 0) {
    lead(team, body, thrown);
  } else {
    work(team, omp_get_thread_num());
  }
#else
  std::vector<std::thread> workers;
  try {
    for (int part = 1; part < threads; ++part) {
      workers.emplace_back([&, part] { work(team, part); });
    }
  } catch (const std::exception&) {  // as above: as many as the system gives
  }
  lead(team, body, thrown);
  for (std::thread& worker : workers) worker.join();
#endif
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

void parallel_for(int threads, std::int64_t count, double work_per_item, ParallelBody body) {
  if (count <= 0) return;
  const int parts = static_cast<int>(std::min<std::int64_t>(threads, count));
  const bool serial =
      parts <= 1 || is_worker || static_cast<double>(count) * work_per_item < kParallelThreshold;
  Team* const team = current_team;
  if (serial || (team != nullptr && (team->busy() || team->threads() < parts))) {
    body({0, count}, 0);
  } else if (team != nullptr) {
    team->run(count, parts, body);
  } else {
    with_threads(parts, [&] { parallel_for(threads, count, work_per_item, body); });
  }
}

}  // namespace mini_infer
