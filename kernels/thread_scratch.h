// Scratch memory of several threads, and the gaps between them.
//
// The hardware fetches ahead of a thread's streams, also of those that step over some KiB at a
// time. What lies closely behind a thread's scratch it takes from the cache of the thread that has
// it, again and again: Winograd layers with two threads on distant cores took 1.25 times as long.
#pragma once

#include <cstdint>

namespace mini_infer {

inline constexpr std::int64_t kScratchGap = 16 << 10;  // floats; less than 8 Ki is felt

// What `threads` threads need that have `floats` floats each, a whole number of cache lines.
constexpr std::int64_t scratch_of_threads(std::int64_t floats, int threads) {
  return floats == 0 ? 0 : threads * floats + (threads - 1) * kScratchGap;
}

// Where that of thread `thread` begins.
constexpr std::int64_t scratch_offset(std::int64_t floats, int thread) {
  return floats == 0 ? 0 : thread * (floats + kScratchGap);
}

}  // namespace mini_infer
