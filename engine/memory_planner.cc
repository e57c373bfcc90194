#include "engine/memory_planner.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace mini_infer {
namespace {

constexpr std::size_t kAlignment = 64;
std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Bytes shared by one or more values.
struct Storage {
  Slot::Kind kind = Slot::Kind::kArena;
  std::size_t index = 0;  // of the input or output tensor
  std::size_t bytes = 0;
  int first = std::numeric_limits<int>::max();  // steps in which it is alive
  int last = -1;
};

class MemoryPlanner {
 public:
  MemoryPlanner(Plan& plan, const std::vector<std::size_t>& bytes, int threads)
      : plan_(plan),
        bytes_(bytes),
        threads_(threads),
        storage_of_(plan.slots.size(), -1),
        offset_(plan.slots.size(), 0),
        last_use_(plan.slots.size(), -1) {}

  void run() {
    find_last_uses();
    place_given();
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) place_outputs(static_cast<int>(s));
    assign_offsets();
    mark_outputs();
  }

 private:
  using Kind = Slot::Kind;
  static constexpr int kForever = std::numeric_limits<int>::max() - 1;

  Slot& slot(ValueId id) { return plan_.slots[static_cast<std::size_t>(id)]; }
  std::size_t bytes(ValueId id) const { return bytes_[static_cast<std::size_t>(id)]; }
  int& last_use(ValueId id) { return last_use_[static_cast<std::size_t>(id)]; }
  int& storage_of(ValueId id) { return storage_of_[static_cast<std::size_t>(id)]; }
  std::size_t& offset(ValueId id) { return offset_[static_cast<std::size_t>(id)]; }
  Storage& storage(ValueId id) { return storages_[static_cast<std::size_t>(storage_of(id))]; }

  void find_last_uses() {
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      for (const ValueId in : plan_.steps[s].inputs) {
        if (in != kNoValue) last_use(in) = static_cast<int>(s);
      }
    }
    for (const PlanOutput& out : plan_.outputs) last_use(out.value) = kForever;
  }

  int new_storage(Kind kind, std::size_t index, std::size_t size) {
    storages_.push_back({.kind = kind, .index = index, .bytes = size});
    return static_cast<int>(storages_.size()) - 1;
  }

  void join(ValueId id, int to, std::size_t at, int step) {
    storage_of(id) = to;
    offset(id) = at;
    Storage& target = storages_[static_cast<std::size_t>(to)];
    target.first = std::min(target.first, step);
    target.last = std::max({target.last, step, last_use(id)});
  }

  // Inputs and constants lie where they lie; an output that is an arena value gets the caller's
  // tensor for storage.
  void place_given() {
    for (std::size_t v = 0; v < plan_.slots.size(); ++v) {
      const Slot& given = plan_.slots[v];
      if (given.kind != Kind::kInput && given.kind != Kind::kConstant) continue;
      const ValueId id = static_cast<ValueId>(v);
      join(id, new_storage(given.kind, given.kind == Kind::kInput ? given.index : v, bytes(id)), 0,
           0);
    }
  }

  int output_index(ValueId id) const {
    for (std::size_t i = 0; i < plan_.outputs.size(); ++i) {
      if (plan_.outputs[i].value == id) return static_cast<int>(i);
    }
    return -1;
  }

  // Whether `id` is the whole of a storage that may still become part of another.
  bool whole_arena(ValueId id) {
    return storage_of(id) >= 0 && storage(id).kind == Kind::kArena && offset(id) == 0 &&
           storage(id).bytes == bytes(id);
  }

  void place_outputs(int step) {
    Step& now = plan_.steps[static_cast<std::size_t>(step)];
    for (std::size_t o = 0; o < now.outputs.size(); ++o) {
      const ValueId out = now.outputs[o];
      if (out == kNoValue || slot(out).kind == Kind::kHeap) continue;
      if (place_alias(now, o, step)) continue;
      const int index = output_index(out);
      join(out,
           new_storage(index >= 0 ? Kind::kOutput : Kind::kArena,
                       static_cast<std::size_t>(std::max(index, 0)), bytes(out)),
           0, step);
      absorb_inputs(now, o, step);
    }
  }

  bool place_alias(const Step& now, std::size_t o, int step) {
    for (const Alias& alias : now.kernel.aliases) {
      if (static_cast<std::size_t>(alias.output) != o || alias.kind == Alias::Kind::kInputInOutput)
        continue;
      const ValueId in = now.inputs[static_cast<std::size_t>(alias.input)], out = now.outputs[o];
      if (in == kNoValue || storage_of(in) < 0) continue;
      const bool fits = alias.kind == Alias::Kind::kInPlace
                            ? bytes(in) == bytes(out) && may_overwrite(now, alias, step)
                            : alias.offset + bytes(out) <= bytes(in);
      if (!fits) continue;
      const int index = output_index(out);
      if (index >= 0) {
        // The storage becomes the output tensor: only when the output is all of it.
        if (!whole_arena(in) || bytes(in) != bytes(out) || alias.offset != 0) continue;
        storage(in).kind = Kind::kOutput;
        storage(in).index = static_cast<std::size_t>(index);
      }
      join(out, storage_of(in), offset(in) + alias.offset, step);
      return true;
    }
    return false;
  }

  // Whether nobody needs the storage of the alias' input after this step, and this step does not
  // read it through another input either, but for the same value where the kernel may overwrite
  // that input as well: Add(x, x), not Conv(x) + x.
  bool may_overwrite(const Step& now, const Alias& alias, int step) {
    const ValueId in = now.inputs[static_cast<std::size_t>(alias.input)];
    const Storage& shared = storage(in);
    if (shared.kind != Kind::kArena && shared.kind != Kind::kOutput) return false;
    if (shared.last > step) return false;
    for (std::size_t i = 0; i < now.inputs.size(); ++i) {
      const ValueId other = now.inputs[i];
      if (other == kNoValue || storage_of(other) != storage_of(in)) continue;
      if (other != in || !in_place(now, i, alias.output)) return false;
    }
    for (const ValueId other : now.outputs) {
      if (other != kNoValue && storage_of(other) == storage_of(in)) return false;
    }
    return true;
  }

  static bool in_place(const Step& now, std::size_t input, int output) {
    return std::ranges::any_of(now.kernel.aliases, [&](const Alias& alias) {
      return alias.kind == Alias::Kind::kInPlace && alias.output == output &&
             static_cast<std::size_t>(alias.input) == input;
    });
  }

  // Concat: the storages of inputs become parts of the output's.
  void absorb_inputs(const Step& now, std::size_t o, int step) {
    const ValueId out = now.outputs[o];
    for (const Alias& alias : now.kernel.aliases) {
      if (static_cast<std::size_t>(alias.output) != o || alias.kind != Alias::Kind::kInputInOutput)
        continue;
      const ValueId in = now.inputs[static_cast<std::size_t>(alias.input)];
      if (in == kNoValue || !whole_arena(in) || storage_of(in) == storage_of(out)) continue;
      if (alias.offset + bytes(in) > bytes(out)) continue;
      const int from = storage_of(in), to = storage_of(out);
      Storage& target = storages_[static_cast<std::size_t>(to)];
      const Storage& source = storages_[static_cast<std::size_t>(from)];
      target.first = std::min(target.first, source.first);
      target.last = std::max({target.last, source.last, step});
      for (std::size_t v = 0; v < storage_of_.size(); ++v) {
        if (storage_of_[v] != from) continue;
        storage_of_[v] = to;
        offset_[v] += offset(out) + alias.offset;
      }
      storages_[static_cast<std::size_t>(from)].last = -1;  // gone
    }
  }

  void assign_offsets() {
    std::vector<MemoryBlock> blocks;
    std::vector<int> block_of(storages_.size(), -1);
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      const Storage& shared = storages_[i];
      if (shared.kind != Kind::kArena || shared.last < shared.first) continue;
      block_of[i] = static_cast<int>(blocks.size());
      blocks.push_back({.size = aligned(shared.bytes), .first = shared.first, .last = shared.last});
    }
    const std::size_t first_scratch = blocks.size();
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      blocks.push_back({.size = aligned(plan_.steps[s].kernel.scratch_bytes),
                        .first = static_cast<int>(s),
                        .last = static_cast<int>(s)});
    }
    if (threads_ > 1) share_scratch(blocks, first_scratch);
    plan_.arena_bytes = place_blocks(blocks);
    describe_arena(blocks, block_of);
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      plan_.steps[s].scratch_offset = blocks[std::min(first_scratch + s, blocks.size() - 1)].offset;
    }
    for (std::size_t v = 0; v < plan_.slots.size(); ++v) {
      if (storage_of_[v] < 0) continue;
      const Storage& shared = storages_[static_cast<std::size_t>(storage_of_[v])];
      Slot& target = plan_.slots[v];
      target.kind = shared.kind;
      target.index = shared.index;
      target.offset = offset_[v];
      const int block = block_of[static_cast<std::size_t>(storage_of_[v])];
      if (shared.kind == Kind::kArena)
        target.offset += blocks[static_cast<std::size_t>(block)].offset;
    }
  }

  // One block for the scratch memory of all steps: a thread's part of it is then always written by
  // that thread, and stays in its cache.
  static void share_scratch(std::vector<MemoryBlock>& blocks, std::size_t first) {
    MemoryBlock shared;
    for (std::size_t b = first; b < blocks.size(); ++b) {
      shared.size = std::max(shared.size, blocks[b].size);
      shared.last = blocks[b].last;
    }
    blocks.resize(first);
    blocks.push_back(shared);
  }

  void describe_arena(const std::vector<MemoryBlock>& blocks, const std::vector<int>& block_of) {
    std::vector<std::string> names(blocks.size());
    for (std::size_t v = plan_.slots.size(); v-- > 0;) {
      const int block =
          storage_of_[v] < 0 ? -1 : block_of[static_cast<std::size_t>(storage_of_[v])];
      if (block >= 0) names[static_cast<std::size_t>(block)] = plan_.slots[v].name;
    }
    const int end = static_cast<int>(plan_.steps.size()) - 1;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (blocks[b].size == 0) continue;
      plan_.arena.push_back({.name = std::move(names[b]),
                             .offset = blocks[b].offset,
                             .bytes = blocks[b].size,
                             .first = blocks[b].first,
                             .last = std::min(blocks[b].last, end)});
    }
  }

  void mark_outputs() {
    for (std::size_t i = 0; i < plan_.outputs.size(); ++i) {
      const Slot& from = slot(plan_.outputs[i].value);
      plan_.outputs[i].in_place = from.kind == Kind::kOutput && from.index == i;
    }
  }

  Plan& plan_;
  const std::vector<std::size_t>& bytes_;
  int threads_;
  std::vector<Storage> storages_;
  std::vector<int> storage_of_;      // by value, -1: none
  std::vector<std::size_t> offset_;  // by value, in its storage
  std::vector<int> last_use_;        // by value, the last step that reads it
};

}  // namespace

std::size_t place_blocks(std::vector<MemoryBlock>& blocks) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].size > blocks[b].size; });
  std::size_t arena = 0;
  std::vector<const MemoryBlock*> placed;  // ascending offset
  for (const std::size_t i : order) {
    MemoryBlock& block = blocks[i];
    if (block.size == 0) continue;
    // The lowest gap between blocks that are alive at the same time.
    std::size_t at = 0;
    for (const MemoryBlock* other : placed) {
      if (other->last < block.first || block.last < other->first) continue;
      if (other->offset >= at + block.size) break;
      at = std::max(at, other->offset + other->size);
    }
    block.offset = at;
    arena = std::max(arena, at + block.size);
    const auto where = std::upper_bound(
        placed.begin(), placed.end(), at,
        [](std::size_t value, const MemoryBlock* other) { return value < other->offset; });
    placed.insert(where, &block);
  }
  return arena;
}

void plan_memory(Plan& plan, const std::vector<std::size_t>& bytes, int threads) {
  MemoryPlanner(plan, bytes, threads).run();
}

}  // namespace mini_infer
