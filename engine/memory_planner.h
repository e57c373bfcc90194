// Where the values of a plan lie: storage shared by values that overlap (views, in-place results,
// pieces of a concatenation), and offsets of the storages in one arena, by the greedy-by-size rule
// of Pisarchyk & Lee, arXiv 2001.03288.
#pragma once

#include "engine/plan.h"

namespace mini_infer {

// Fills slots (kind, offset, index), steps' scratch offsets, outputs' in_place and arena_bytes.
// Slots of kind kConstant, kInput and kHeap are given; `bytes[v]` is what value v takes in its
// layout. With several threads the scratch memory of steps shares no bytes with values, which other
// threads may have in their caches.
void plan_memory(Plan& plan, const std::vector<std::size_t>& bytes, int threads);

// Offsets for blocks of `size` bytes alive in steps [first, last], so that no two that are alive
// together overlap. Returns the size of the arena.
struct MemoryBlock {
  std::size_t size = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;
};
std::size_t place_blocks(std::vector<MemoryBlock>& blocks);

}  // namespace mini_infer
