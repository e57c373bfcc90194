// MultiHeadAttention of com.microsoft: Attention of projected queries, keys and values.
//                 github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention
//
// Inputs: query [batch, rows, hidden], key, value ([batch, keys, hidden] or [batch, heads, keys,
// size]), bias [2 hidden + hidden of v], key_padding_mask, attention_bias, past_key, past_value
// [batch, heads, past, size]. Outputs: y [batch, rows, hidden of v], present_key, present_value.
#include <cmath>

#include "kernels/attention/heads.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

enum Input : std::size_t {
  kQuery,
  kKey,
  kValue,
  kBias,
  kPadding,
  kScoreBias,
  kPastKey,
  kPastValue
};

Result<std::int64_t> head_count(const AttributeReader& c) {
  const std::int64_t heads = c.integer("num_heads", 0);
  if (heads >= 1 && heads <= INT32_MAX) return heads;
  return invalid_model("num_heads is ", heads, "; it must be positive");
}

Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(const std::int64_t heads, head_count(c));
  for (std::size_t i = 0; i < 3; ++i) c.set_output(i, c.dtype(kQuery));
  const SymShape *q = c.shape(kQuery), *k = c.shape(kKey), *v = c.shape(kValue);
  if (q == nullptr || k == nullptr || v == nullptr) return ok();
  const bool spread = k->rank() == 4;
  if (q->rank() != 3 || (k->rank() != 3 && !spread) || v->rank() != k->rank()) {
    return not_implemented("packed query, key or value of shapes ", *q, ", ", *k, ", ", *v);
  }
  const Dim size = floor_div((*q)[2], heads);
  const Dim value_size = spread ? (*v)[3] : floor_div((*v)[2], heads);
  Dim keys = spread ? (*k)[2] : (*k)[1];
  if (c.has_input(kPastKey)) {
    if (c.shape(kPastKey) == nullptr || c.shape(kPastKey)->rank() != 4) return ok();
    keys = (*c.shape(kPastKey))[2] + keys;
  }
  c.set_output(0, c.dtype(kQuery), SymShape{(*q)[0], (*q)[1], Dim(heads) * value_size});
  c.set_output(1, c.dtype(kQuery), SymShape{(*q)[0], heads, keys, size});
  c.set_output(2, c.dtype(kQuery), SymShape{(*q)[0], heads, keys, value_size});
  return ok();
}

// One of query, key and value on its way into [batch][head][row][size].
struct Part {
  HeadRows rows;
  bool spread = false;            // lies in that order already
  std::int64_t bias_offset = -1;  // in the bias; -1: none
};

struct Work {
  Part q, k, v;
  MaskPlan mask;
  AttentionPlan plan;
};

Result<Part> part_of(const PrepareContext& c, std::size_t input, std::size_t past_input,
                     std::int64_t heads, std::int64_t batches) {
  const Shape& x = c.shape(input);
  Part part{.spread = x.rank() == 4};
  const bool fits = part.spread ? x[1] == heads : x[2] % heads == 0;
  if (!fits || x[0] != batches) {
    return invalid_model("input ", input, " of shape ", x, " does not fit ", heads, " heads");
  }
  HeadRows& r = part.rows;
  r = {.batches = batches, .heads = heads};
  r.rows = part.spread ? x[2] : x[1];
  r.size = part.spread ? x[3] : x[2] / heads;
  r.row_stride = heads * r.size;
  if (past_input != 0 && c.has_input(past_input)) {
    const Shape& past = c.shape(past_input);
    if (past.rank() != 4 || past != Shape{batches, heads, past[2], r.size} ||
        c.dtype(past_input) != DType::kFloat32) {
      return invalid_model("past of shape ", past, " does not fit input ", input, " of ", x);
    }
    r.first = past[2];
  }
  r.total = r.first + r.rows;
  return part;
}

// Brings one part into order, with its bias and past.
void arrange(const KernelContext& k, const Part& part, std::size_t input, std::size_t past_input,
             float* out) {
  const float* bias = part.bias_offset < 0 ? nullptr : k.input<float>(kBias) + part.bias_offset;
  if (part.rows.first > 0) copy_past(part.rows, k.input<float>(past_input), out);
  if (!part.spread) return spread_heads(k, part.rows, k.input<float>(input), bias, out);
  // [batch][head] of so many rows: a batch of batches * heads with one head each.
  HeadRows rows = part.rows;
  rows.batches *= rows.heads;
  rows.heads = 1;
  rows.row_stride = rows.size;
  spread_heads(k, rows, k.input<float>(input), nullptr, out);
}

void run(const KernelContext& k, const Work& w) {
  float* scratch = reinterpret_cast<float*>(k.scratch);
  const auto take = [&](std::int64_t count) {
    float* at = scratch;
    scratch += (count + 15) / 16 * 16;
    return at;
  };
  float *q = take(w.q.rows.elements()), *keys = take(w.k.rows.elements());
  float *values = take(w.v.rows.elements()), *mask = take(w.mask.elements());
  if (k.output<float>(1) != nullptr) keys = k.output<float>(1);
  if (k.output<float>(2) != nullptr) values = k.output<float>(2);
  arrange(k, w.q, kQuery, 0, q);
  arrange(k, w.k, kKey, kPastKey, keys);
  arrange(k, w.v, kValue, kPastValue, values);
  if (w.mask.needed()) {
    build_mask(w.mask, k.input<std::int32_t>(kPadding), k.input<float>(kScoreBias), mask);
  }
  const AttentionData data{.q = q, .k = keys, .v = values, .y = k.output<float>(0), .mask = mask};
  w.plan.run(k, data, reinterpret_cast<std::byte*>(scratch));
}

HeadStrides dense(const HeadRows& r) {
  return {r.heads * r.total * r.size, r.total * r.size, r.size};
}

Status set_bias(const PrepareContext& c, Part& q, Part& k, Part& v) {
  if (!c.has_input(kBias)) return ok();
  const std::int64_t hidden = q.rows.row_stride, value_hidden = v.rows.row_stride;
  if (c.dtype(kBias) != DType::kFloat32 || c.shape(kBias) != Shape{2 * hidden + value_hidden}) {
    return invalid_model("bias of shape ", c.shape(kBias), "; it must have ",
                         2 * hidden + value_hidden, " floats");
  }
  q.bias_offset = 0;
  if (!k.spread) k.bias_offset = hidden;
  if (!v.spread) v.bias_offset = 2 * hidden;
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const std::int64_t heads, head_count(c));
  for (const std::size_t i : {kQuery, kKey, kValue}) {
    if (!c.has_input(i)) return not_implemented("packed queries, keys and values");
    if (c.dtype(i) != DType::kFloat32)
      return not_implemented("MultiHeadAttention of ", dtype_name(c.dtype(i)));
  }
  const std::int64_t batches = c.shape(kQuery)[0];
  MINI_TRY_ASSIGN(Part q, part_of(c, kQuery, 0, heads, batches));
  MINI_TRY_ASSIGN(Part k, part_of(c, kKey, kPastKey, heads, batches));
  MINI_TRY_ASSIGN(Part v, part_of(c, kValue, kPastValue, heads, batches));
  if (k.rows.total != v.rows.total || q.rows.size != k.rows.size) {
    return invalid_model("query, key and value do not fit each other");
  }
  MINI_TRY(set_bias(c, q, k, v));
  const std::int64_t hidden = heads * v.rows.size;
  AttentionProblem p{.batches = batches,
                     .heads = heads,
                     .kv_heads = heads,
                     .rows = q.rows.rows,
                     .keys = k.rows.total,
                     .size = q.rows.size,
                     .value_size = v.rows.size,
                     .q = dense(q.rows),
                     .k = dense(k.rows),
                     .v = dense(v.rows),
                     .y = {q.rows.rows * hidden, v.rows.size, hidden}};
  p.scale = c.number("scale", 0.f);
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<float>(std::max<std::int64_t>(p.size, 1)));
  p.causal = c.integer("unidirectional", 0) != 0;
  p.causal_offset = k.rows.first;
  MINI_TRY_ASSIGN(const MaskPlan mask, plan_mask(c, kPadding, kScoreBias, p));
  use_mask(mask, p);
  const Work w{q, k, v, mask, AttentionPlan(p, c.threads(), c.isa())};
  PreparedKernel kernel;
  kernel.name = c.with_isa("multi_head_attention");
  kernel.flop = w.plan.flop();
  for (const std::int64_t n :
       {q.rows.elements(), k.rows.elements(), v.rows.elements(), mask.elements()}) {
    kernel.scratch_bytes += static_cast<std::size_t>((n + 15) / 16 * 16) * sizeof(float);
  }
  kernel.scratch_bytes += w.plan.scratch_bytes();
  kernel.run = [w](const KernelContext& context) {
    run(context, w);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MultiHeadAttention, {.domain = "com.microsoft",
                                    .type = "MultiHeadAttention",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare})

}  // namespace mini_infer
