#include "kernels/attention/scaled_dot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reduce/softmax.simd.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr float kOut = -std::numeric_limits<float>::infinity();
// Scores of a block that stay in the second-level cache.
constexpr std::int64_t kBlockScores = 131072;
constexpr std::int64_t kLeastRows = 8, kMostRows = 64;
constexpr std::int64_t kAlign = 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t aligned(std::int64_t floats) { return (floats + kAlign - 1) / kAlign * kAlign; }

std::int64_t scratch_floats(const GemmPlan& plan) {
  return aligned(static_cast<std::int64_t>(plan.scratch_bytes() / sizeof(float)));
}

}  // namespace

AttentionPlan::AttentionPlan(const AttentionProblem& problem, int threads, Isa isa)
    : p_(problem), isa_(isa), threads_(threads) {
  // Blocks as equal as whole tiles allow.
  const std::int64_t rows = std::max<std::int64_t>(p_.rows, 1), tile = gemm_tile(isa).mr;
  const std::int64_t most = std::clamp(kBlockScores / std::max<std::int64_t>(p_.keys, 1),
                                       kLeastRows, kMostRows / tile * tile);
  block_ = ceil_div(rows, ceil_div(rows, most));
  if (block_ < rows) block_ = ceil_div(block_, tile) * tile;
  if (blocks() > 1) {
    packed_keys_ = aligned(packed_b_floats(p_.size, p_.keys, isa));
    packed_values_ = aligned(packed_b_floats(p_.keys, p_.value_size, isa));
  }
  const GemmSource source = packed_keys_ > 0 ? GemmSource::kPacked : GemmSource::kStrided;
  const auto products = [&](std::int64_t m) {
    return plan_gemm({.m = m, .n = p_.keys, .k = p_.size, .b = source}, 1, isa);
  };
  const auto sums = [&](std::int64_t m) {
    return plan_gemm({.m = m, .n = p_.value_size, .k = p_.keys, .b = source}, 1, isa);
  };
  const std::int64_t tail = p_.rows % block_;
  products_ = products(block_);
  sums_ = sums(block_);
  products_tail_ = tail > 0 ? products(tail) : products_;
  sums_tail_ = tail > 0 ? sums(tail) : sums_;
  std::int64_t gemm_floats = 0;
  for (const GemmPlan* plan : {&products_, &products_tail_, &sums_, &sums_tail_}) {
    gemm_floats = std::max(gemm_floats, scratch_floats(*plan));
  }
  slot_floats_ = aligned(block_ * p_.keys) + gemm_floats;
}

std::size_t AttentionPlan::scratch_bytes() const {
  const std::int64_t packed = p_.batches * p_.kv_heads * (packed_keys_ + packed_values_);
  return static_cast<std::size_t>(packed + scratch_of_threads(slot_floats_, threads_)) *
         sizeof(float);
}

double AttentionPlan::flop() const {
  return 2.0 * static_cast<double>(p_.batches * p_.heads * p_.rows) * static_cast<double>(p_.keys) *
         static_cast<double>(p_.size + p_.value_size);
}

// Products to probabilities, in place.
void AttentionPlan::finish_row(const AttentionData& data, std::int64_t batch, std::int64_t head,
                               std::int64_t row, float* s) const {
  float* out = data.scores == nullptr
                   ? nullptr
                   : data.scores + ((batch * p_.heads + head) * p_.rows + row) * p_.keys;
  const auto hand_out = [&](ScoreOutput stage) {
    if (out != nullptr && p_.scores == stage) std::copy_n(s, p_.keys, out);
  };
  hand_out(ScoreOutput::kProducts);
  if (p_.softcap > 0) {
    for (std::int64_t j = 0; j < p_.keys; ++j) s[j] = p_.softcap * std::tanh(s[j] / p_.softcap);
  }
  hand_out(ScoreOutput::kCapped);
  std::int64_t seen = p_.keys;  // keys from here on are masked out
  if (data.lengths != nullptr) seen = std::clamp<std::int64_t>(data.lengths[batch], 0, seen);
  if (p_.causal) {
    const std::int64_t offset =
        p_.causal_by_length ? data.lengths[batch] - p_.rows : p_.causal_offset;
    seen = std::clamp<std::int64_t>(row + offset + 1, 0, seen);
  }
  if (p_.has_mask) {
    seen = std::min(seen, p_.mask_keys);
    const std::int64_t at = batch * p_.mask_batch + head * p_.mask_head + row * p_.mask_row;
    if (p_.mask_is_bool) {
      const bool* mask = static_cast<const bool*>(data.mask) + at;
      for (std::int64_t j = 0; j < seen; ++j) s[j] = mask[j * p_.mask_key] ? s[j] : kOut;
    } else {
      const float* mask = static_cast<const float*>(data.mask) + at;
      for (std::int64_t j = 0; j < seen; ++j) s[j] += mask[j * p_.mask_key];
    }
  }
  std::fill(s + seen, s + p_.keys, kOut);
  hand_out(ScoreOutput::kMasked);
  std::fill(s + seen, s + p_.keys, 0.f);
  // A row without any key gives zeros.
  if (std::all_of(s, s + seen, [](float x) { return x == kOut; })) {
    std::fill(s, s + seen, 0.f);
  } else {
    simd::softmax_rows_f32.get(isa_)(s, s, 1, seen, false);
  }
  hand_out(ScoreOutput::kProbabilities);
}

// Keys and values of every head as panels.
void AttentionPlan::pack(const KernelContext& k, const AttentionData& data, float* packed) const {
  const double work = static_cast<double>(p_.keys * (p_.size + p_.value_size));
  k.parallel_for(p_.batches * p_.kv_heads, work, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t batch = i / p_.kv_heads, head = i % p_.kv_heads;
      float* const keys = packed + i * (packed_keys_ + packed_values_);
      pack_b({.data = data.k + batch * p_.k.batch + head * p_.k.head,
              .row_stride = 1,
              .column_stride = p_.k.row},
             p_.size, p_.keys, keys, isa_);
      pack_b({.data = data.v + batch * p_.v.batch + head * p_.v.head, .row_stride = p_.v.row},
             p_.keys, p_.value_size, keys + packed_keys_, isa_);
    }
  });
}

void AttentionPlan::run_block(const AttentionData& data, std::int64_t batch, std::int64_t head,
                              std::int64_t first, const float* packed, float* scores) const {
  const std::int64_t rows = std::min(block_, p_.rows - first);
  const std::int64_t kv_head = head / (p_.heads / p_.kv_heads);
  float* const gemm_scratch = scores + aligned(block_ * p_.keys);
  GemmInput k{.data = data.k + batch * p_.k.batch + kv_head * p_.k.head,
              .row_stride = 1,
              .column_stride = p_.k.row};
  GemmInput v{.data = data.v + batch * p_.v.batch + kv_head * p_.v.head, .row_stride = p_.v.row};
  if (packed_keys_ > 0) {
    k = {.data = packed + (batch * p_.kv_heads + kv_head) * (packed_keys_ + packed_values_)};
    v = {.data = k.data + packed_keys_};
  }
  gemm(rows == block_ ? products_ : products_tail_,
       {.a = {.data = data.q + batch * p_.q.batch + head * p_.q.head + first * p_.q.row,
              .row_stride = p_.q.row},
        .b = k,
        .c = scores,
        .c_stride = p_.keys,
        .epilogue = {.alpha = p_.scale}},
       gemm_scratch);
  for (std::int64_t r = 0; r < rows; ++r) {
    finish_row(data, batch, head, first + r, scores + r * p_.keys);
  }
  gemm(rows == block_ ? sums_ : sums_tail_,
       {.a = {.data = scores, .row_stride = p_.keys},
        .b = v,
        .c = data.y + batch * p_.y.batch + head * p_.y.head + first * p_.y.row,
        .c_stride = p_.y.row},
       gemm_scratch);
}

void AttentionPlan::run(const KernelContext& k, const AttentionData& data,
                        std::byte* scratch) const {
  const std::int64_t results = p_.batches * p_.heads * p_.rows;
  if (p_.keys == 0 || p_.size == 0) std::fill_n(data.y, results * p_.value_size, 0.f);
  if (results * p_.keys * p_.size == 0) return;
  float* const packed = reinterpret_cast<float*>(scratch);
  if (packed_keys_ > 0) pack(k, data, packed);
  float* const slots = packed + p_.batches * p_.kv_heads * (packed_keys_ + packed_values_);
  const double work =
      static_cast<double>(block_ * p_.keys) * static_cast<double>(p_.size + p_.value_size + 8);
  k.parallel_for(p_.batches * p_.heads * blocks(), work, [&](Range range, int thread) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t head = i / blocks();
      run_block(data, head / p_.heads, head % p_.heads, i % blocks() * block_, packed,
                slots + scratch_offset(slot_floats_, thread));
    }
  });
}

}  // namespace mini_infer
