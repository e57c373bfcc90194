// What the attention operators of com.microsoft have in common: rows of heads, with a bias and a
// past, brought into the order [batch][head][row][size]; masks of several kinds made one.
#pragma once

#include "kernels/attention/scaled_dot.h"
#include "kernels/op.h"

namespace mini_infer {

// Rows [batch][row] whose heads lie side by side, `row_stride` elements apart, and where they go:
// rows [first, first + rows) of [batch][head][total][size].
struct HeadRows {
  std::int64_t batches = 0, heads = 0, rows = 0, size = 0;
  std::int64_t row_stride = 0;
  std::int64_t first = 0, total = 0;

  std::int64_t elements() const { return batches * heads * total * size; }
};
// `bias` [heads * size] may be nullptr.
void spread_heads(const KernelContext& k, const HeadRows& r, const float* x, const float* bias,
                  float* out);
// The rows before: past is [batch][head][first][size].
void copy_past(const HeadRows& r, const float* past, float* out);

// A mask of int32 numbers of com.microsoft, by its rank and shape.
enum class PaddingMask {
  kNone,
  kLengths,        // [batch]: so many keys count
  kEndsAndStarts,  // [2 * batch]: all ends, then all starts
  kKeys,           // [batch, keys]: 0 is masked out
  kRowsAndKeys,    // [batch, rows, keys]
};
Result<PaddingMask> padding_mask(const Shape& mask, std::int64_t batches, std::int64_t rows,
                                 std::int64_t keys);

// Additive mask [batch][head or 1][row or 1][key] made of a padding mask and a bias of the scores.
struct MaskPlan {
  PaddingMask padding = PaddingMask::kNone;
  bool biased = false;
  std::int64_t bias_batch = 0, bias_head = 0;  // strides of the bias; 0 where it is broadcast
  std::int64_t batches = 0, heads = 1, rows = 1, keys = 0;
  float out = -10000.f;  // what a masked key gets

  bool needed() const { return padding != PaddingMask::kNone || biased; }
  std::int64_t elements() const { return needed() ? batches * heads * rows * keys : 0; }
};
// `bias` is [batch or 1, heads or 1, rows, keys] or empty.
Result<MaskPlan> plan_mask(const PrepareContext& c, std::size_t padding_input,
                           std::size_t bias_input, const AttentionProblem& p);
void build_mask(const MaskPlan& plan, const std::int32_t* padding, const float* bias, float* out);
// Tells the problem how the built mask lies.
void use_mask(const MaskPlan& plan, AttentionProblem& p);

}  // namespace mini_infer
