// Broadcasting as a loop nest: what every operator with several operands runs on.
#pragma once

#include <span>
#include <vector>

#include "kernels/elementwise/tile.h"
#include "kernels/kernel_context.h"

namespace mini_infer {

// The elements of `out`, in order, with the places of the operands' elements that belong to them.
// Neighbouring dimensions along which all operands go the same way are one.
class BroadcastLoop {
 public:
  // Each operand's shape must broadcast to `out`; at most kMostOperands of them.
  BroadcastLoop(const Shape& out, std::span<const Shape> operands);

  std::int64_t elements() const { return elements_; }
  // Calls body with tiles that cover the output elements [range.begin, range.end).
  void run(Range range, FunctionRef<void(const Tile&)> body) const;
  // The same for all elements, by the context's threads.
  void run_parallel(const KernelContext& context, double work_per_element,
                    FunctionRef<void(const Tile&)> body) const;

 private:
  struct LoopDim {
    std::int64_t extent = 1;
    std::int64_t stride[kMostOperands] = {};
  };
  Tile tile_at(std::int64_t row, std::int64_t column) const;

  std::int64_t elements_ = 0;
  std::vector<LoopDim> dims_;  // innermost last; at least two
};

// Numpy broadcasting of `shape` to exactly `out`.
bool broadcasts_to(const Shape& shape, const Shape& out);

}  // namespace mini_infer
