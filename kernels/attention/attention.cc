// Attention: scaled dot products of queries and keys, softmax, weighted sum of values.
//                                              onnx.ai/onnx/operators/onnx__Attention.html
//
// Inputs Q, K, V ([batch, heads, length, size] or [batch, length, heads * size]), attn_mask,
// past_key, past_value, nonpad_kv_seqlen. Outputs Y, present_key, present_value, the scores.
#include <algorithm>
#include <cmath>

#include "kernels/attention/scaled_dot.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

enum Input : std::size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

// heads, length and size of one of Q, K, V.
struct Extents {
  Dim heads, length, size;
};
Result<Extents> extents_of(const AttributeReader& c, const SymShape& x,
                           std::string_view attribute) {
  if (x.rank() == 4) return Extents{x[1], x[2], x[3]};
  const std::int64_t heads = c.integer(attribute, 0);
  if (x.rank() != 3 || heads < 1) {
    return invalid_model("shape ", x, " needs rank 4, or rank 3 and the attribute ", attribute);
  }
  if (x[2].known() && x[2].value() % heads != 0) {
    return invalid_model("shape ", x, " cannot be cut into ", heads, " heads");
  }
  return Extents{heads, x[1], floor_div(x[2], heads)};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 7));
  for (std::size_t i = 0; i < 4; ++i) c.set_output(i, c.dtype(i == 1 ? kK : i == 2 ? kV : kQ));
  const SymShape *q = c.shape(kQ), *k = c.shape(kK), *v = c.shape(kV);
  if (q == nullptr || k == nullptr || v == nullptr) return ok();
  MINI_TRY_ASSIGN(const Extents qe, extents_of(c, *q, "q_num_heads"));
  MINI_TRY_ASSIGN(const Extents ke, extents_of(c, *k, "kv_num_heads"));
  MINI_TRY_ASSIGN(const Extents ve, extents_of(c, *v, "kv_num_heads"));
  c.set_output(0, c.dtype(kQ),
               q->rank() == 4 ? SymShape{(*q)[0], qe.heads, qe.length, ve.size}
                              : SymShape{(*q)[0], qe.length, qe.heads * ve.size});
  Dim keys = ke.length;
  if (c.has_input(kPastKey)) {
    const SymShape* past = c.shape(kPastKey);
    if (past == nullptr || past->rank() != 4) return ok();
    keys = (*past)[2] + keys;
  }
  c.set_output(1, c.dtype(kK), SymShape{(*q)[0], ke.heads, keys, ke.size});
  c.set_output(2, c.dtype(kV), SymShape{(*q)[0], ke.heads, keys, ve.size});
  c.set_output(3, c.dtype(kQ), SymShape{(*q)[0], qe.heads, qe.length, keys});
  return ok();
}

// A tensor of heads with numbers for extents, and where its rows lie.
struct Heads {
  std::int64_t heads, length, size;
  HeadStrides strides;
};
Result<Heads> heads_of(const PrepareContext& c, std::size_t i, std::string_view attribute) {
  const Shape& x = c.shape(i);
  MINI_TRY_ASSIGN(const Extents e, extents_of(c, SymShape(x), attribute));
  Heads out{e.heads.value(), e.length.value(), e.size.value(), {}};
  const std::int64_t all = out.heads * out.length * out.size;
  out.strides = x.rank() == 4 ? HeadStrides{all, out.length * out.size, out.size}
                              : HeadStrides{all, out.size, out.heads * out.size};
  return out;
}

// [batch][heads][length][size] in row-major order.
HeadStrides dense(std::int64_t heads, std::int64_t length, std::int64_t size) {
  return {heads * length * size, length * size, size};
}

// A copy of heads into rows [first, ...) of a dense tensor with `total` rows.
StridedCopy copy_heads(std::int64_t batches, const Heads& x, std::int64_t first,
                       std::int64_t total) {
  const HeadStrides to = dense(x.heads, total, x.size);
  return StridedCopy({{batches, x.strides.batch, to.batch},
                      {x.heads, x.strides.head, to.head},
                      {x.length, x.strides.row, to.row},
                      {x.size, 1, 1}},
                     0, first * x.size);
}

// Keys or values together with those of the past: where they end up.
struct Present {
  bool joined = false;  // with a past
  bool handed_out = false;
  StridedCopy past, own;
  std::int64_t elements = 0;
};

Result<Present> present_of(const PrepareContext& c, std::size_t input, std::size_t past_input,
                           std::size_t output, Heads& x) {
  const std::int64_t batches = c.shape(kQ)[0];
  Present present{.joined = c.has_input(past_input), .handed_out = c.has_output(output)};
  std::int64_t past_length = 0;
  if (present.joined) {
    const Shape& past = c.shape(past_input);
    if (past.rank() != 4 || past[0] != batches || past[1] != x.heads || past[3] != x.size ||
        c.dtype(past_input) != c.dtype(input)) {
      return invalid_model("input ", past_input, " of shape ", past, " does not fit input ", input,
                           " of shape ", c.shape(input));
    }
    past_length = past[2];
    const Heads old{x.heads, past_length, x.size, dense(x.heads, past_length, x.size)};
    present.past = copy_heads(batches, old, 0, past_length + x.length);
  }
  const std::int64_t total = past_length + x.length;
  present.own = copy_heads(batches, x, past_length, total);
  present.elements = batches * x.heads * total * x.size;
  if (present.joined) x = {x.heads, total, x.size, dense(x.heads, total, x.size)};
  return present;
}

Status set_mask(const PrepareContext& c, AttentionProblem& p) {
  if (!c.has_input(kMask)) return ok();
  const Shape& mask = c.shape(kMask);
  const Shape full{p.batches, p.heads, p.rows, p.keys};
  if (mask.rank() < 1 || mask.rank() > 4) return invalid_model("attn_mask of shape ", mask);
  const auto strides = strides_of(mask);
  std::int64_t stride[4] = {};
  const std::size_t lead = 4 - mask.rank();
  for (std::size_t i = 0; i < mask.rank(); ++i) {
    const std::size_t axis = lead + i;
    const bool fits = mask[i] == full[axis] || mask[i] == 1 || (axis == 3 && mask[i] < full[3]);
    if (!fits) return invalid_model("attn_mask ", mask, " does not fit the scores ", full);
    stride[axis] = mask[i] == 1 && full[axis] != 1 ? 0 : strides[i];
  }
  const std::int64_t last = mask[mask.rank() - 1];
  p.has_mask = true;
  p.mask_is_bool = c.dtype(kMask) == DType::kBool;
  p.mask_batch = stride[0];
  p.mask_head = stride[1];
  p.mask_row = stride[2];
  p.mask_key = stride[3];
  p.mask_keys = last == 1 ? p.keys : last;
  if (p.mask_is_bool || c.dtype(kMask) == c.dtype(kQ)) return ok();
  return not_implemented("attn_mask of ", dtype_name(c.dtype(kMask)));
}

Result<ScoreOutput> score_output(const PrepareContext& c) {
  if (!c.has_output(3)) return ScoreOutput::kNone;
  switch (c.integer("qk_matmul_output_mode", 0)) {
    case 0:
      return ScoreOutput::kProducts;
    case 1:
      return ScoreOutput::kCapped;
    case 2:
      return ScoreOutput::kMasked;
    case 3:
      return ScoreOutput::kProbabilities;
    default:
      return invalid_model("qk_matmul_output_mode ", c.integer("qk_matmul_output_mode", 0));
  }
}

// What a run does, apart from the element type.
struct Work {
  AttentionPlan plan;
  Present key, value;
  std::int64_t q = 0, k = 0, v = 0, y = 0, mask = 0, scores = 0;  // elements
  bool mask_is_bool = false, has_scores = false;
  DType dtype = DType::kFloat32;
};

// Hands out scratch memory piece by piece.
class Scratch {
 public:
  explicit Scratch(std::byte* base) : base_(base) {}
  template <class T>
  T* take(std::int64_t count) {
    constexpr std::size_t kAlign = 64;
    std::byte* at = base_ + used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + kAlign - 1) / kAlign * kAlign;
    return reinterpret_cast<T*>(at);
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

template <class T>
const T* join(const KernelContext& k, const Work& w, const Present& p, std::size_t input,
              std::size_t past, std::size_t output, Scratch& scratch) {
  T* to = p.handed_out ? k.output<T>(output) : p.joined ? scratch.take<T>(p.elements) : nullptr;
  if (to != nullptr) {
    if (p.joined) p.past.run(k, w.dtype, k.inputs[past], to);
    p.own.run(k, w.dtype, k.inputs[input], to);
  }
  return p.joined ? to : k.input<T>(input);
}

// The elements as float; floats stay where they are.
template <class T>
const float* as_floats(const T* x, std::int64_t count, Scratch& scratch) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    float* out = scratch.take<float>(count);
    for (std::int64_t i = 0; i < count && x != nullptr; ++i)
      out[i] = static_cast<float>(real(x[i]));
    return out;
  }
}
template <class T>
float* float_target(T* x, std::int64_t count, Scratch& scratch) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return scratch.take<float>(count);
  }
}
template <class T>
void store_floats(const float* from, T* to, std::int64_t count) {
  if constexpr (!std::is_same_v<T, float>) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from_real<T>(static_cast<double>(from[i]));
  }
}

template <class T>
void run(const KernelContext& k, const Work& w) {
  Scratch scratch(k.scratch);
  const T* keys = join<T>(k, w, w.key, kK, kPastKey, 1, scratch);
  const T* values = join<T>(k, w, w.value, kV, kPastValue, 2, scratch);
  AttentionData data{.q = as_floats(k.input<T>(kQ), w.q, scratch),
                     .k = as_floats(keys, w.k, scratch),
                     .v = as_floats(values, w.v, scratch),
                     .y = float_target(k.output<T>(0), w.y, scratch),
                     .lengths = k.input<std::int64_t>(kLengths)};
  data.mask = w.mask_is_bool ? k.input<void>(kMask) : as_floats(k.input<T>(kMask), w.mask, scratch);
  if (w.has_scores) data.scores = float_target(k.output<T>(3), w.scores, scratch);
  w.plan.run(k, data, scratch.take<std::byte>(0));
  store_floats(data.y, k.output<T>(0), w.y);
  if (w.has_scores) store_floats(data.scores, k.output<T>(3), w.scores);
}

// An upper bound of what run() takes.
std::size_t scratch_bytes(const Work& w) {
  Scratch scratch(nullptr);
  for (const Present* p : {&w.key, &w.value}) scratch.take<double>(p->joined ? p->elements : 0);
  if (w.dtype != DType::kFloat32) {
    for (const std::int64_t n : {w.q, w.k, w.v, w.y, w.mask, w.scores}) scratch.take<float>(n);
  }
  return scratch.used() + w.plan.scratch_bytes();
}

Result<AttentionProblem> problem_of(const PrepareContext& c, const Heads& q, const Heads& k,
                                    const Heads& v) {
  const std::int64_t batches = c.shape(kQ)[0];
  if (c.shape(kK)[0] != batches || c.shape(kV)[0] != batches || k.heads != v.heads ||
      k.length != v.length || q.size != k.size || k.heads < 1 || q.heads % k.heads != 0) {
    return invalid_model("Q ", c.shape(kQ), ", K ", c.shape(kK), " and V ", c.shape(kV),
                         " do not fit each other");
  }
  AttentionProblem p{.batches = batches,
                     .heads = q.heads,
                     .kv_heads = k.heads,
                     .rows = q.length,
                     .keys = k.length,
                     .size = q.size,
                     .value_size = v.size,
                     .q = q.strides,
                     .k = k.strides,
                     .v = v.strides};
  p.y = c.shape(kQ).rank() == 4
            ? dense(q.heads, q.length, v.size)
            : HeadStrides{q.length * q.heads * v.size, v.size, q.heads * v.size};
  p.scale =
      c.number("scale", 1.f / std::sqrt(static_cast<float>(std::max<std::int64_t>(q.size, 1))));
  p.softcap = c.number("softcap", 0.f);
  p.causal = c.integer("is_causal", 0) != 0;
  p.causal_offset = c.has_input(kPastKey) ? c.shape(kPastKey)[2] : 0;
  p.causal_by_length = c.has_input(kLengths) && !c.has_input(kPastKey);
  if (c.has_input(kLengths) &&
      (c.dtype(kLengths) != DType::kInt64 || c.shape(kLengths).elements() != batches)) {
    return invalid_model("nonpad_kv_seqlen must be int64[", batches, "]");
  }
  MINI_TRY(set_mask(c, p));
  MINI_TRY_ASSIGN(p.scores, score_output(c));
  return p;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Heads q, heads_of(c, kQ, "q_num_heads"));
  MINI_TRY_ASSIGN(Heads k, heads_of(c, kK, "kv_num_heads"));
  MINI_TRY_ASSIGN(Heads v, heads_of(c, kV, "kv_num_heads"));
  if (c.dtype(kK) != c.dtype(kQ) || c.dtype(kV) != c.dtype(kQ)) {
    return not_implemented("Q, K and V of different dtypes");
  }
  MINI_TRY_ASSIGN(const Present key, present_of(c, kK, kPastKey, 1, k));
  MINI_TRY_ASSIGN(const Present value, present_of(c, kV, kPastValue, 2, v));
  MINI_TRY_ASSIGN(const AttentionProblem p, problem_of(c, q, k, v));
  const std::int64_t rows = p.batches * p.heads * p.rows;
  Work w{.plan = AttentionPlan(p, c.threads(), c.isa()),
         .key = key,
         .value = value,
         .q = rows * p.size,
         .k = p.batches * p.kv_heads * p.keys * p.size,
         .v = p.batches * p.kv_heads * p.keys * p.value_size,
         .y = rows * p.value_size,
         .mask = c.has_input(kMask) ? c.shape(kMask).elements() : 0,
         .scores = p.scores == ScoreOutput::kNone ? 0 : rows * p.keys,
         .mask_is_bool = p.mask_is_bool,
         .has_scores = p.scores != ScoreOutput::kNone,
         .dtype = c.dtype(kQ)};
  PreparedKernel kernel;
  kernel.name = c.with_isa("attention");
  kernel.why = cat(p.heads, " heads, ", p.rows, " rows, ", p.keys, " keys");
  kernel.flop = w.plan.flop();
  kernel.scratch_bytes = scratch_bytes(w);
  const bool known = dispatch_floating(c.dtype(kQ), [&]<class T>() {
    kernel.run = [w](const KernelContext& context) {
      run<T>(context, w);
      return ok();
    };
  });
  if (!known) return not_implemented("Attention of ", dtype_name(c.dtype(kQ)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Attention,
               {.type = "Attention", .since = {23, 24}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
