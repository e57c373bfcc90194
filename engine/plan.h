// Plan: a graph made ready to run for one set of input shapes. Immutable; shared by threads.
#pragma once

#include <mini_infer/session.h>

#include <memory>
#include <string>
#include <vector>

#include "graph/passes/pass.h"
#include "kernels/op.h"

namespace mini_infer {

// Where the bytes of a value are.
struct Slot {
  enum class Kind {
    kNone,      // not used by any step
    kArena,     // at `offset` in the run's arena
    kConstant,  // in `constant`
    kInput,     // at `offset` in the caller's input tensor `index`
    kOutput,    // at `offset` in the output tensor `index`, which each run allocates
    kHeap,      // in a tensor that a dynamic step makes
  };
  Kind kind = Kind::kNone;
  std::size_t offset = 0;
  std::size_t index = 0;
  Tensor constant;
  DType dtype = DType::kUndefined;
  std::optional<Shape> shape;  // as far as it is known before the run
  Layout layout = Layout::kPlain;
  std::string name;
};

struct Step {
  Node node;
  const OpDef* op = nullptr;
  // Without a run function in dynamic steps: those infer, prepare and run when their inputs are
  // there.
  PreparedKernel kernel;
  bool dynamic = false;
  std::vector<ValueId> inputs;  // ids of slots, kNoValue where left out
  std::vector<ValueId> outputs;
  std::size_t scratch_offset = 0;  // in the arena
  std::vector<ValueId> last_uses;  // heap slots that nothing after this step needs
};

struct PlanOutput {
  std::string name;
  ValueId value = kNoValue;
  bool in_place =
      false;  // its slot is the output tensor itself; otherwise the run copies at the end
};

struct Plan {
  std::vector<Slot> slots;  // by ValueId
  std::vector<Step> steps;
  std::vector<ValueId> inputs;
  std::vector<PlanOutput> outputs;
  std::size_t arena_bytes = 0;
  std::vector<ArenaBlock> arena;
  std::size_t constant_bytes = 0;  // of constants that steps read as they are
  std::vector<PassReport> passes;
  std::int64_t images = 1;  // of a batch, which are run apart; see batch.h
  int image_threads = 1;    // that take them, and have one each; 1: one after the other
};

// Makes a plan from a graph whose inputs have known shapes and which has gone through the passes of
// the plan stage.
Result<std::shared_ptr<Plan>> make_plan(const Graph& graph, const OpLookup& ops,
                                        const PrepareContext::Environment& environment);

}  // namespace mini_infer
