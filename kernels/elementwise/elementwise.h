// What elementwise operators share: layouts, in-place hints, shape arithmetic.
#pragma once

#include <optional>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// Output 0 has input 0's dtype and shape.
Status infer_same(InferContext& c);
// Blocked if input 0 is; all other inputs plain.
LayoutChoice same_layout(const LayoutQuery& query);

// For operators that broadcast: blocked if one of the inputs is and the others fit: the same shape,
// one value per channel, one value per pixel, or one value in all.
LayoutChoice broadcast_layout(const LayoutQuery& query);

// The dense shape in which a value is stored: its own, or [N, ceil(C/c), spatial..., c] for a
// blocked one.
Shape storage_shape(const Shape& shape, Layout layout, int block);

// An operand of an operator with broadcasting, as its loop sees it.
struct Operand {
  Shape shape;                                 // as stored
  std::shared_ptr<const PackedBuffer> packed;  // read this instead of the input where not null

  const void* data(const KernelContext& k, std::size_t input) const {
    return packed != nullptr ? packed->data() : k.inputs[input];
  }
};
// Operand `input`, whose logical shape is `shape`, for an output with layout `out`. Per-channel
// constants of blocked operators are arranged in blocks.
Result<Operand> operand_of(PrepareContext& c, std::size_t input, const Shape& shape, Layout out);

// The hint that output 0 may overwrite `input` when both take the same storage.
void allow_in_place(PrepareContext& c, PreparedKernel& kernel, std::size_t input);

// Elements of an input as far as they are known: its contents, or its integers where it is a small
// constant.
std::optional<std::vector<Dim>> known_contents(const InferContext& c, std::size_t input);
// Contents of the output from those of the operands, broadcast; sets nothing where they are not
// known.
using DimFunction = std::optional<Dim> (*)(const Dim&, const Dim&);
void infer_contents(InferContext& c, DimFunction f);

}  // namespace mini_infer
