// Attention of com.microsoft: projection to queries, keys and values, then Attention.
//                 github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention
//
// Inputs: x [batch, rows, width], weights [width, q + k + v hidden], bias [q + k + v hidden],
// mask_index, past [2, batch, heads, past, size], attention_bias. Outputs: y [batch, rows, v
// hidden], present [2, batch, heads, past + rows, size].
#include <algorithm>
#include <cmath>

#include "kernels/attention/heads.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

enum Input : std::size_t { kX, kWeights, kBias, kPadding, kPast, kScoreBias };

// Hidden sizes of queries, keys and values.
struct Hidden {
  std::int64_t heads, q, k, v;
  std::int64_t all() const { return q + k + v; }
};

Result<Hidden> hidden_of(const AttributeReader& c, std::int64_t columns) {
  Hidden h{.heads = c.integer("num_heads", 0)};
  const Ints sizes = c.ints("qkv_hidden_sizes", Ints(3, columns / 3));
  if (sizes.size() != 3 || h.heads < 1) {
    return invalid_model("num_heads ", h.heads, " or qkv_hidden_sizes ", sizes);
  }
  h.q = sizes[0];
  h.k = sizes[1];
  h.v = sizes[2];
  for (const std::int64_t n : sizes) {
    if (n < h.heads || n > columns || n % h.heads != 0) {
      return invalid_model("hidden sizes ", sizes, " cannot be cut into ", h.heads, " heads");
    }
  }
  if (h.q != h.k || h.all() != columns) {
    return invalid_model("hidden sizes ", sizes, " do not fit weights of ", columns, " columns");
  }
  return h;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 7));
  c.set_output(0, c.dtype(kX));
  c.set_output(1, c.dtype(kX));
  const SymShape *x = c.shape(kX), *w = c.shape(kWeights);
  if (x == nullptr || w == nullptr) return ok();
  if (x->rank() != 3 || w->rank() != 2 || !(*w)[1].known()) {
    return invalid_model("input ", *x, " must have rank 3, weights ", *w, " rank 2");
  }
  MINI_TRY_ASSIGN(const Hidden h, hidden_of(c, (*w)[1].value()));
  c.set_output(0, c.dtype(kX), SymShape{(*x)[0], (*x)[1], h.v});
  Dim keys = (*x)[1];
  if (c.has_input(kPast)) {
    if (c.shape(kPast) == nullptr || c.shape(kPast)->rank() != 5) return ok();
    keys = (*c.shape(kPast))[3] + keys;
  }
  c.set_output(1, c.dtype(kX), SymShape{2, (*x)[0], h.heads, keys, h.q / h.heads});
  return ok();
}

struct Work {
  Hidden hidden;
  std::int64_t rows;  // of the projection: batch * rows
  HeadRows q, k, v;
  MaskPlan mask;
  GemmPlan projection;
  AttentionPlan plan;
  std::shared_ptr<const PackedBuffer> packed;  // the weights, where they are constant

  std::int64_t projected() const { return rows * hidden.all(); }
};

std::int64_t aligned(std::int64_t floats) { return (floats + 15) / 16 * 16; }

void run(const KernelContext& k, const Work& w) {
  float* scratch = reinterpret_cast<float*>(k.scratch);
  const auto take = [&](std::int64_t count) {
    float* at = scratch;
    scratch += aligned(count);
    return at;
  };
  float *projected = take(w.projected()), *q = take(w.q.elements());
  float *keys = take(w.k.elements()), *values = take(w.v.elements());
  float* mask = take(w.mask.elements());
  if (float* present = k.output<float>(1)) {
    keys = present;
    values = present + w.k.elements();
  }
  GemmInput weights{.data = k.input<float>(kWeights), .row_stride = w.hidden.all()};
  if (w.packed != nullptr) weights = {.data = w.packed->data<float>()};
  gemm(w.projection,
       {.a = {.data = k.input<float>(kX), .row_stride = w.projection.shape.k},
        .b = weights,
        .c = projected,
        .c_stride = w.hidden.all(),
        .epilogue = {.column_bias = k.input<float>(kBias)}},
       scratch);
  if (const float* past = k.input<float>(kPast)) {
    copy_past(w.k, past, keys);
    copy_past(w.v, past + w.k.batches * w.k.heads * w.k.first * w.k.size, values);
  }
  spread_heads(k, w.q, projected, nullptr, q);
  spread_heads(k, w.k, projected + w.hidden.q, nullptr, keys);
  spread_heads(k, w.v, projected + w.hidden.q + w.hidden.k, nullptr, values);
  if (w.mask.needed()) {
    build_mask(w.mask, k.input<std::int32_t>(kPadding), k.input<float>(kScoreBias), mask);
  }
  const AttentionData data{.q = q, .k = keys, .v = values, .y = k.output<float>(0), .mask = mask};
  w.plan.run(k, data, reinterpret_cast<std::byte*>(scratch));
}

HeadStrides dense(const HeadRows& r) {
  return {r.heads * r.total * r.size, r.total * r.size, r.size};
}

Status check(const PrepareContext& c, const Hidden& h) {
  for (const std::size_t i : {kX, kWeights, kBias, kPast}) {
    if (c.has_input(i) && c.dtype(i) != DType::kFloat32) {
      return not_implemented("Attention of ", dtype_name(c.dtype(i)));
    }
  }
  const Shape &x = c.shape(kX), &past = c.shape(kPast);
  if (c.shape(kWeights)[0] != x[2] ||
      (c.has_input(kBias) && c.shape(kBias).elements() != h.all())) {
    return invalid_model("weights ", c.shape(kWeights), " or bias ", c.shape(kBias),
                         " do not fit input ", x);
  }
  if (c.has_input(kPast) &&
      (past.rank() != 5 || h.v != h.k || past != Shape{2, x[0], h.heads, past[3], h.q / h.heads})) {
    return invalid_model("past of shape ", past, " does not fit input ", x);
  }
  if (c.has_output(1) && h.v != h.k) return not_implemented("present of unlike keys and values");
  if (c.integer("do_rotary", 0) != 0) return not_implemented("do_rotary of Attention");
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(kX);
  MINI_TRY_ASSIGN(const Hidden h, hidden_of(c, c.shape(kWeights)[1]));
  MINI_TRY(check(c, h));
  const std::int64_t past = c.has_input(kPast) ? c.shape(kPast)[3] : 0;
  const auto rows_of = [&](std::int64_t hidden, std::int64_t first) {
    return HeadRows{.batches = x[0],
                    .heads = h.heads,
                    .rows = x[1],
                    .size = hidden / h.heads,
                    .row_stride = h.all(),
                    .first = first,
                    .total = first + x[1]};
  };
  const HeadRows q = rows_of(h.q, 0), k = rows_of(h.k, past), v = rows_of(h.v, past);
  AttentionProblem p{.batches = x[0],
                     .heads = h.heads,
                     .kv_heads = h.heads,
                     .rows = x[1],
                     .keys = k.total,
                     .size = q.size,
                     .value_size = v.size,
                     .q = dense(q),
                     .k = dense(k),
                     .v = dense(v),
                     .y = {x[1] * h.v, v.size, h.v}};
  p.scale = c.number("scale", 0.f);
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<float>(p.size));
  p.causal = c.integer("unidirectional", 0) != 0;
  p.causal_offset = past;
  MINI_TRY_ASSIGN(const MaskPlan mask, plan_mask(c, kPadding, kScoreBias, p));
  use_mask(mask, p);
  const bool constant = c.constant(kWeights) != nullptr;
  const std::int64_t rows = x[0] * x[1], width = x[2];
  Work w{.hidden = h,
         .rows = rows,
         .q = q,
         .k = k,
         .v = v,
         .mask = mask,
         .projection = plan_gemm({.m = rows,
                                  .n = h.all(),
                                  .k = width,
                                  .b = constant ? GemmSource::kPacked : GemmSource::kStrided},
                                 c.threads(), c.isa()),
         .plan = AttentionPlan(p, c.threads(), c.isa())};
  if (constant) {
    const auto floats = static_cast<std::size_t>(packed_b_floats(width, h.all(), c.isa()));
    w.packed = c.packed(
        kWeights, c.with_isa("packed_attention_b"), floats * sizeof(float), [&](std::byte* out) {
          pack_b({.data = c.constant(kWeights)->data<float>(), .row_stride = h.all()}, width,
                 h.all(), reinterpret_cast<float*>(out), c.isa(), c.packing_threads());
        });
  }
  PreparedKernel kernel;
  kernel.name = c.with_isa("packed_attention");
  kernel.flop =
      w.plan.flop() + 2.0 * static_cast<double>(rows * width) * static_cast<double>(h.all());
  std::int64_t floats = 0;
  for (const std::int64_t n :
       {w.projected(), q.elements(), k.elements(), v.elements(), mask.elements()}) {
    floats += aligned(n);
  }
  kernel.scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float) +
                         std::max(w.plan.scratch_bytes(), w.projection.scratch_bytes());
  kernel.run = [w](const KernelContext& context) {
    if (w.rows > 0) run(context, w);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MicrosoftAttention, {.domain = "com.microsoft",
                                    .type = "Attention",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare})

}  // namespace mini_infer
