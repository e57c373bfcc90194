// parallel_for() and with_threads(): every item once, the cut, nested and concurrent calls,
// exceptions, the workers' lives.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "kernels/kernel_context.h"

namespace mini_infer {
namespace {

constexpr double kMuch = 1e6;  // work of an item that is worth a thread

// How often each item was computed.
std::vector<int> visits(int threads, int count) {
  std::vector<int> seen(static_cast<std::size_t>(count), 0);
  parallel_for(threads, count, kMuch, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) ++seen[static_cast<std::size_t>(i)];
  });
  return seen;
}

TEST(Parallel, ComputesEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    for (const int count : {1, 2, 3, 13, 64}) {
      const std::vector<int> once(static_cast<std::size_t>(count), 1);
      EXPECT_EQ(visits(threads, count), once) << threads << " threads, " << count << " items";
      with_threads(threads, [&] { EXPECT_EQ(visits(threads, count), once); });
    }
  }
}

TEST(Parallel, CutDependsOnCountAndThreadsAlone) {
  const auto cut = [] {
    std::vector<Range> parts(3);
    parallel_for(3, 10, kMuch,
                 [&](Range range, int part) { parts[static_cast<std::size_t>(part)] = range; });
    return parts;
  };
  const auto check = [](const std::vector<Range>& parts) {
    EXPECT_EQ(parts[0].end, 4);
    EXPECT_EQ(parts[1].begin, 4);
    EXPECT_EQ(parts[1].end, 7);
    EXPECT_EQ(parts[2].end, 10);
  };
  check(cut());
  with_threads(3, [&] { check(cut()); });
  with_threads(5, [&] { check(cut()); });
}

TEST(Parallel, FewerThreadsThanPartsIsSerial) {
  with_threads(2, [&] {
    int calls = 0;
    parallel_for(4, 8, kMuch, [&](Range range, int) {
      ++calls;
      EXPECT_EQ(range.end - range.begin, 8);
    });
    EXPECT_EQ(calls, 1);
  });
}

TEST(Parallel, NestedCallsAreSerial) {
  std::atomic<int> items{0}, inner_calls{0};
  with_threads(3, [&] {
    parallel_for(3, 3, kMuch, [&](Range outer, int) {
      for (std::int64_t i = outer.begin; i < outer.end; ++i) {
        parallel_for(3, 5, kMuch, [&](Range range, int) {
          ++inner_calls;
          items += static_cast<int>(range.end - range.begin);
        });
      }
    });
  });
  EXPECT_EQ(items, 15);
  EXPECT_EQ(inner_calls, 3);
}

TEST(Parallel, CallersDoNotDisturbEachOther) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&wrong, caller] {
      for (int round = 0; round < 20; ++round) {
        with_threads(1 + (round + caller) % 4, [&] {
          for (int i = 0; i < 20; ++i) {
            const int count = 1 + i * 7 % 50;
            wrong +=
                visits(1 + i % 4, count) != std::vector<int>(static_cast<std::size_t>(count), 1);
          }
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Parallel, ExceptionsOfTheBodyReachTheCaller) {
  EXPECT_THROW(with_threads(3, [] { throw std::runtime_error("no memory"); }), std::runtime_error);
  EXPECT_EQ(visits(3, 5), std::vector<int>(5, 1));  // and leave nothing behind
}

TEST(Parallel, ExceptionsOfAPartReachTheCallerWhenAllPartsAreDone) {
  for (int failing = 0; failing < 3; ++failing) {
    with_threads(3, [&] {
      std::vector<int> done(3, 0);
      EXPECT_THROW(parallel_for(3, 3, kMuch,
                                [&](Range, int part) {
                                  if (part == failing) throw std::runtime_error("no memory");
                                  done[static_cast<std::size_t>(part)] = 1;
                                }),
                   std::runtime_error);
      for (int part = 0; part < 3; ++part) {
        EXPECT_EQ(done[static_cast<std::size_t>(part)], part == failing ? 0 : 1);
      }
      EXPECT_EQ(visits(3, 5), std::vector<int>(5, 1));
    });
  }
}

TEST(Parallel, WorkersThatFellAsleepWakeUp) {
  with_threads(3, [] {
    for (int round = 0; round < 3; ++round) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      std::atomic<int> parts{0};
      parallel_for(3, 3, kMuch, [&](Range, int) {
        ++parts;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // others wait asleep
      });
      EXPECT_EQ(parts, 3);
    }
  });
}

TEST(Parallel, DestructorsOfAThreadMayStillCall) {
  static std::vector<int> seen;
  struct Late {
    ~Late() {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the workers are gone
      seen = visits(3, 13);
    }
  };
  std::thread([] {
    thread_local Late late;  // made first, so destroyed last
    static_cast<void>(&late);
    visits(3, 13);
  }).join();
  EXPECT_EQ(seen, std::vector<int>(13, 1));
}

#if defined(__linux__)
std::ptrdiff_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST(Parallel, WorkersEndWithTheirCaller) {
  const std::ptrdiff_t before = threads_of_process();
  for (int i = 0; i < 20; ++i) std::thread([] { visits(4, 8); }).join();
  for (int tries = 0; tries < 500 && threads_of_process() > before; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LE(threads_of_process(), before);
}

TEST(Parallel, AForkedProcessWorksWithoutTheWorkers) {
#if defined(MINI_INFER_OPENMP)
  GTEST_SKIP() << "OpenMP's threads do not survive a fork";
#endif
  const std::vector<int> once(13, 1);
  EXPECT_EQ(visits(3, 13), once);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);  // should it hang
    _exit(visits(3, 13) == once ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace mini_infer
