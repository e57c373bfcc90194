// Threads: the one place that knows of std::thread (or of OpenMP, where it was built with it).
//
// with_threads() opens one region for a whole run of a plan. Workers wait on a cache line of their
// own, which makes a parallel_for() within cheaper than a region of OpenMP. The caller computes the
// parts that no worker has begun, so a worker that the system has put aside holds nobody up. Nor
// does it at the end of a region, as long as the workers are ours: they stay, and no barrier waits
// for them.
#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "kernels/denormals.h"
#include "kernels/kernel_context.h"

#if defined(_OPENMP)
#include <omp.h>
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

// A caller, which hands out jobs, and its workers.
class Team {
  struct Place;

 public:
  int threads() const { return threads_; }
  bool busy() const { return busy_; }

  // Of the caller, between jobs: the next region has `threads` threads.
  void open(int threads) {
    while (places_.size() < static_cast<std::size_t>(threads)) places_.emplace_back();
    threads_ = threads;
  }

  // Of the caller. body(range, part) for all parts, 1 < parts <= threads(). Returns when all are
  // done; throws what the first failing part threw.
  void run(std::int64_t count, int parts, ParallelBody body) {
    job_ = {count, parts, &body};
    left_.store(parts, std::memory_order_relaxed);
    epoch_ = epoch_ == kLastEpoch ? 2 : epoch_ + 2;
    tell(epoch_, parts);
    busy_ = true;
    run_part(0);
    for (int part = 1; part < parts; ++part) {
      if (take(place(part))) run_part(part);
    }
    busy_ = false;
    await_all();
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

  // Of the caller, after the last job.
  void stop() { tell(kStop, static_cast<int>(places_.size())); }

  // Part `part`, by a worker that the caller hires: computes what is handed out until stop().
  auto worker(int part) {
    return [this, part, &place = place(part)] {
      const FlushDenormals flush;
      for (Backoff backoff;;) {
        const std::uint32_t seen = place.state.load(std::memory_order_acquire);
        if (seen == kStop) return;
        if (take(place)) {
          run_part(part);
          backoff = {};
        } else if (backoff.wait()) {
          sleep(place, seen);
          backoff = {};
        }
      }
    };
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
    std::atomic<bool> asleep{false};
  };
  // No part is ever taken in an epoch that would look like kStop.
  static constexpr std::uint32_t kStop = ~std::uint32_t{0}, kLastEpoch = kStop - 3;

  Place& place(int part) { return places_[static_cast<std::size_t>(part)]; }

  // The state of [1, parts). Both sides change sleepers_: either this one sees the sleeper, or the
  // sleeper sees the new state before it sleeps.
  void tell(std::uint32_t state, int parts) {
    for (int part = 1; part < parts; ++part)
      place(part).state.store(state, std::memory_order_release);
    if (sleepers_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
    for (int part = 1; part < parts; ++part) {
      if (place(part).asleep.load(std::memory_order_relaxed)) place(part).state.notify_one();
    }
  }
  void sleep(Place& place, std::uint32_t seen) {
    place.asleep.store(true, std::memory_order_relaxed);
    sleepers_.fetch_add(1, std::memory_order_acq_rel);
    place.state.wait(seen, std::memory_order_acquire);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    place.asleep.store(false, std::memory_order_relaxed);
  }
  void await_all() {
    for (Backoff backoff;;) {
      const int left = left_.load(std::memory_order_acquire);
      if (left == 0) return;
      if (backoff.wait()) left_.wait(left, std::memory_order_acquire);
    }
  }

  // Whoever has taken a part may read job_: it stays until the part is done.
  static bool take(Place& place) {
    std::uint32_t seen = place.state.load(std::memory_order_relaxed);
    return seen % 2 == 0 &&
           place.state.compare_exchange_strong(seen, seen + 1, std::memory_order_acq_rel);
  }
  void run_part(int part) {
    try {
      (*job_.body)(part_of(job_.count, part, job_.parts), part);
    } catch (...) {
      if (!failed_.exchange(true)) thrown_ = std::current_exception();
    }
    if (left_.fetch_sub(1) == 1) left_.notify_one();
  }

  int threads_ = 1;
  std::deque<Place> places_;  // workers keep references
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

template <class Worker>
void serve(const Worker& worker) {
  is_worker = true;
  worker();
  is_worker = false;
}

// The caller's side of a region. No exception leaves it.
std::exception_ptr lead(Team& team, FunctionRef<void()> body) noexcept {
  std::exception_ptr thrown;
  current_team = &team;
  try {
    body();
  } catch (...) {
    thrown = std::current_exception();
  }
  current_team = nullptr;
  return thrown;
}

#if !defined(_OPENMP)
// Whether the thread's crew is gone: destructors of what the thread or the program leaves behind
// may still run models.
thread_local bool crew_ended = false;

// The workers of one caller. They are told to end when its thread ends, and share the team with it
// because it does not wait for them.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    team_->stop();
    crew_ended = true;
  }

  // As many as the system gives; the caller computes the parts of the others.
  Team& of(int threads) {
    team_->open(threads);
    try {
      for (; hired_ < threads; ++hired_) {
        std::thread([team = team_, worker = team_->worker(hired_)] { serve(worker); }).detach();
      }
    } catch (const std::exception&) {
    }
    return *team_;
  }

 private:
  std::shared_ptr<Team> team_ = std::make_shared<Team>();
  int hired_ = 1;  // with the caller
};
#endif

// A region with a team of its own, or with the caller's.
std::exception_ptr open_region(int threads, FunctionRef<void()> body) {
#if defined(_OPENMP)
  Team team;
  team.open(threads);
  std::exception_ptr thrown;
  // OpenMP may give fewer threads than asked for; the caller computes the parts of the others.
#pragma omp parallel num_threads(threads)
  if (omp_get_thread_num() == 0) {
    thrown = lead(team, body);
    team.stop();
  } else {
    serve(team.worker(omp_get_thread_num()));
  }
  return thrown;
#else
  if (crew_ended) {
    Team alone;
    alone.open(threads);
    return lead(alone, body);
  }
  thread_local Crew crew;
  return lead(crew.of(threads), body);
#endif
}

}  // namespace

void with_threads(int threads, FunctionRef<void()> body) {
  if (threads <= 1 || current_team != nullptr || is_worker) return body();
  if (const std::exception_ptr thrown = open_region(threads, body)) std::rethrow_exception(thrown);
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
