// softmax(scale Q K^T + mask) V for every batch and head, in float32.
//
// A task is a block of query rows of one head: their scores stay in the cache from the first
// product to the second. Where a head has several blocks, its keys and values are packed before.
// Threads share tasks, never sums, so that every thread count gives the same bits.
#pragma once

#include <cstdint>

#include "graph/ir/attribute.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel_context.h"

namespace mini_infer {

// Where [batch][head][row] lies, in elements; a row is contiguous.
struct HeadStrides {
  std::int64_t batch = 0, head = 0, row = 0;
};

// What is handed out of the scores, besides the result.
enum class ScoreOutput { kNone, kProducts, kCapped, kMasked, kProbabilities };

struct AttentionProblem {
  std::int64_t batches = 0, heads = 0, kv_heads = 0;  // heads is a multiple of kv_heads
  std::int64_t rows = 0, keys = 0, size = 0, value_size = 0;
  HeadStrides q, k, v, y;
  float scale = 1.f;
  float softcap = 0.f;             // 0: none
  bool causal = false;             // row i sees the keys up to i + causal_offset
  std::int64_t causal_offset = 0;  // taken from lengths[batch] - rows where lengths are given
  bool causal_by_length = false;
  // A mask element for [batch][head][row][key]; strides of 0 where it is broadcast. Keys past
  // mask_keys are masked out.
  bool has_mask = false, mask_is_bool = false;
  std::int64_t mask_batch = 0, mask_head = 0, mask_row = 0, mask_key = 0, mask_keys = 0;
  ScoreOutput scores = ScoreOutput::kNone;
};

struct AttentionData {
  const float *q, *k, *v;
  float* y;
  const void* mask = nullptr;             // float, or bool: true takes part
  const std::int64_t* lengths = nullptr;  // keys of each batch that count; nullptr: all
  float* scores = nullptr;                // [batch][head][row][key]
};

class AttentionPlan {
 public:
  AttentionPlan(const AttentionProblem& problem, int threads, Isa isa);

  std::size_t scratch_bytes() const;
  double flop() const;
  // `scratch` is aligned to 64 bytes.
  void run(const KernelContext& k, const AttentionData& data, std::byte* scratch) const;

 private:
  std::int64_t blocks() const { return (p_.rows + block_ - 1) / block_; }
  void pack(const KernelContext& k, const AttentionData& data, float* packed) const;
  void run_block(const AttentionData& data, std::int64_t batch, std::int64_t head,
                 std::int64_t first, const float* packed, float* scores) const;
  void finish_row(const AttentionData& data, std::int64_t batch, std::int64_t head,
                  std::int64_t row, float* scores) const;

  AttentionProblem p_;
  Isa isa_;
  int threads_;
  std::int64_t block_ = 1;        // rows of a task
  std::int64_t slot_floats_ = 0;  // scratch of a thread: scores, then that of a product
  std::int64_t packed_keys_ = 0, packed_values_ = 0;  // floats of a head; 0: not packed
  GemmPlan products_, products_tail_, sums_, sums_tail_;
};

}  // namespace mini_infer
