#include "kernels/attention/heads.h"

#include <algorithm>

namespace mini_infer {

void spread_heads(const KernelContext& k, const HeadRows& r, const float* x, const float* bias,
                  float* out) {
  const double work = static_cast<double>(r.heads * r.size);
  k.parallel_for(r.batches * r.rows, work, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t batch = i / r.rows, row = i % r.rows;
      for (std::int64_t head = 0; head < r.heads; ++head) {
        const float* from = x + i * r.row_stride + head * r.size;
        float* to = out + ((batch * r.heads + head) * r.total + r.first + row) * r.size;
        std::copy_n(from, r.size, to);
        for (std::int64_t e = 0; e < r.size && bias != nullptr; ++e) {
          to[e] += bias[head * r.size + e];
        }
      }
    }
  });
}

void copy_past(const HeadRows& r, const float* past, float* out) {
  for (std::int64_t i = 0; i < r.batches * r.heads; ++i) {
    std::copy_n(past + i * r.first * r.size, r.first * r.size, out + i * r.total * r.size);
  }
}

Result<PaddingMask> padding_mask(const Shape& mask, std::int64_t batches, std::int64_t rows,
                                 std::int64_t keys) {
  if (mask == Shape{batches}) return PaddingMask::kLengths;
  if (mask == Shape{2 * batches}) return PaddingMask::kEndsAndStarts;
  if (mask == Shape{batches, keys}) return PaddingMask::kKeys;
  if (mask == Shape{batches, rows, keys}) return PaddingMask::kRowsAndKeys;
  return not_implemented("a mask of shape ", mask, " for ", batches, " batches of ", rows,
                         " rows and ", keys, " keys");
}

Result<MaskPlan> plan_mask(const PrepareContext& c, std::size_t padding_input,
                           std::size_t bias_input, const AttentionProblem& p) {
  MaskPlan plan{
      .batches = p.batches, .keys = p.keys, .out = c.number("mask_filter_value", -10000.f)};
  if (c.has_input(padding_input)) {
    if (c.dtype(padding_input) != DType::kInt32) return invalid_model("the mask must be int32");
    MINI_TRY_ASSIGN(plan.padding, padding_mask(c.shape(padding_input), p.batches, p.rows, p.keys));
    if (plan.padding == PaddingMask::kRowsAndKeys) plan.rows = p.rows;
  }
  if (!c.has_input(bias_input)) return plan;
  const Shape& bias = c.shape(bias_input);
  if (c.dtype(bias_input) != DType::kFloat32 || bias.rank() != 4 ||
      (bias[0] != 1 && bias[0] != p.batches) || (bias[1] != 1 && bias[1] != p.heads) ||
      bias[2] != p.rows || bias[3] != p.keys) {
    return invalid_model("a bias of shape ", bias, " does not fit scores of [", p.batches, ",",
                         p.heads, ",", p.rows, ",", p.keys, "]");
  }
  plan.biased = true;
  plan.rows = p.rows;
  plan.heads = bias[1];
  plan.bias_head = bias[1] == 1 ? 0 : p.rows * p.keys;
  plan.bias_batch = bias[0] == 1 ? 0 : bias[1] * p.rows * p.keys;
  return plan;
}

namespace {

// Whether a key counts.
bool counts(const MaskPlan& plan, const std::int32_t* padding, std::int64_t batch, std::int64_t row,
            std::int64_t key) {
  switch (plan.padding) {
    case PaddingMask::kNone:
      return true;
    case PaddingMask::kLengths:
      return key < padding[batch];
    case PaddingMask::kEndsAndStarts:
      return key < padding[batch] && key >= padding[plan.batches + batch];
    case PaddingMask::kKeys:
      return padding[batch * plan.keys + key] > 0;
    case PaddingMask::kRowsAndKeys:
      return padding[(batch * plan.rows + row) * plan.keys + key] > 0;
  }
  return true;
}

}  // namespace

void build_mask(const MaskPlan& plan, const std::int32_t* padding, const float* bias, float* out) {
  for (std::int64_t i = 0; i < plan.batches * plan.heads * plan.rows; ++i) {
    const std::int64_t row = i % plan.rows, head = i / plan.rows % plan.heads;
    const std::int64_t batch = i / plan.rows / plan.heads;
    for (std::int64_t key = 0; key < plan.keys; ++key) {
      float value = counts(plan, padding, batch, row, key) ? 0.f : plan.out;
      if (plan.biased) {
        value += bias[batch * plan.bias_batch + head * plan.bias_head + row * plan.keys + key];
      }
      out[i * plan.keys + key] = value;
    }
  }
}

void use_mask(const MaskPlan& plan, AttentionProblem& p) {
  if (!plan.needed()) return;
  p.has_mask = true;
  p.mask_keys = plan.keys;
  p.mask_key = 1;
  p.mask_row = plan.rows == 1 ? 0 : plan.keys;
  p.mask_head = plan.heads == 1 ? 0 : plan.rows * plan.keys;
  p.mask_batch = plan.heads * plan.rows * plan.keys;
}

}  // namespace mini_infer
