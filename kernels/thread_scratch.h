// Scratch memory of several threads, and the gaps between them.
//
// The hardware fetches ahead of a thread's streams, also of those that step over some KiB at a
// time. What lies closely behind a thread's scratch it takes from the cache of the thread that has
// it, again and again: Winograd layers with two threads on distant cores took 1.25 times as long.
#pragma once

#include <cstdint>

namespace mini_infer {

inline constexpr std::int64_t kScratchGap = 16 << 10;  // floats; less than 8 Ki is felt

// Where the scratch of thread `thread` begins, of threads with `floats` floats each: at a cache
// line. That of the first threads is at multiples of 1 MiB, so that kernels with about as much
// scratch, which run one after the other in the same memory, agree on which of it is whose; so many
// threads as follow would reserve too much that way.
constexpr std::int64_t scratch_offset(std::int64_t floats, int thread) {
  constexpr std::int64_t kLine = 16, kRound = 256 << 10, kRounded = 32;
  if (floats == 0) return 0;
  const auto round_up = [](std::int64_t count, std::int64_t to) {
    return (count + to - 1) / to * to;
  };
  const std::int64_t packed = round_up(floats, kLine) + kScratchGap;
  const std::int64_t first = thread < kRounded ? thread : kRounded;
  return first * round_up(packed, kRound) + (thread - first) * packed;
}

// What `threads` such threads need.
constexpr std::int64_t scratch_of_threads(std::int64_t floats, int threads) {
  return scratch_offset(floats, threads - 1) + floats;
}

}  // namespace mini_infer
