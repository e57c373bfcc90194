// FusedAttention of mini-infer: y = softmax(scale q k^T + mask) v, made by the pass fuse_attention.
//
// Inputs q, k, v are any float tensors, the mask (may be left out) too, or one of bools: true takes
// part. Attributes: extents [batches, heads, rows, keys, size, value size]; for each of q, k, v, y
// and mask where it lies: offset, then the strides of batch, head, row (for k and v that is a key)
// and element (for the mask that is a key), in elements; shape of y.

#include <algorithm>

#include "kernels/attention/scaled_dot.h"
#include "kernels/op.h"

namespace mini_infer {
namespace {

enum Extent : std::size_t { kBatches, kHeads, kRows, kKeys, kSize, kValueSize, kExtents };

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 4));
  const Ints extents = c.ints("shape");
  c.set_output(0, c.dtype(0), SymShape(std::vector<Dim>(extents.begin(), extents.end())));
  return ok();
}

struct View {
  std::int64_t offset = 0;
  HeadStrides strides;
  std::int64_t step = 0;  // from one element of a row to the next
};

// Reads one of the views; its elements must lie within `elements`.
Result<View> view_of(const PrepareContext& c, const char* name, const Ints& extents,
                     std::int64_t rows, std::int64_t columns, std::int64_t elements) {
  const Ints v = c.ints(name);
  if (v.size() != 5) return invalid_model("attribute ", name, " must have 5 numbers");
  std::int64_t last = v[0];
  const std::int64_t counts[] = {extents[kBatches], extents[kHeads], rows, columns};
  bool valid = v[0] >= 0;
  for (std::size_t i = 0; i < 4; ++i) {
    std::int64_t reach = 0;
    valid = valid && v[i + 1] >= 0 && !__builtin_mul_overflow(v[i + 1], counts[i] - 1, &reach) &&
            !__builtin_add_overflow(last, reach, &last);
  }
  if (!valid || last >= elements) {
    return invalid_model("attribute ", name, " ", v, " reaches past ", elements, " elements");
  }
  return View{v[0], {v[1], v[2], v[3]}, v[4]};
}

struct Work {
  AttentionPlan plan;
  std::int64_t q = 0, k = 0, v = 0, y = 0;  // offsets
};

Result<Work> work_of(const PrepareContext& c) {
  const Ints e = c.ints("extents");
  if (e.size() != kExtents || std::any_of(e.begin(), e.end(), [](auto x) { return x < 1; })) {
    return invalid_model("attribute extents ", e);
  }
  const auto input = [&](const char* name, std::size_t i, std::int64_t rows,
                         std::int64_t columns) -> Result<View> {
    return view_of(c, name, e, rows, columns, c.shape(i).elements());
  };
  MINI_TRY_ASSIGN(const View q, input("q", 0, e[kRows], e[kSize]));
  MINI_TRY_ASSIGN(const View k, input("k", 1, e[kKeys], e[kSize]));
  MINI_TRY_ASSIGN(const View v, input("v", 2, e[kKeys], e[kValueSize]));
  MINI_TRY_ASSIGN(const View y,
                  view_of(c, "y", e, e[kRows], e[kValueSize], c.output_shape().elements()));
  // What views repeat (strides of 0) must stay within numbers too, and y is written whole.
  for (const Shape& work : {Shape{e[kBatches], e[kHeads], e[kKeys], e[kSize]},
                            Shape{e[kBatches], e[kHeads], e[kKeys], e[kValueSize]},
                            Shape{e[kBatches], e[kHeads], e[kRows], e[kKeys]}}) {
    MINI_TRY(checked_bytes(DType::kFloat64, work).status());
  }
  const Shape written{e[kBatches], e[kHeads], e[kRows], e[kValueSize]};
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(DType::kFloat32, written));
  if (bytes != static_cast<std::size_t>(c.output_shape().elements()) * sizeof(float)) {
    return invalid_model("extents ", e, " do not fill an output of shape ", c.output_shape());
  }
  for (const View* view : {&q, &k, &v, &y}) {
    if (view->step > 1) return invalid_model("rows must be contiguous");
  }
  AttentionProblem p{.batches = e[kBatches],
                     .heads = e[kHeads],
                     .kv_heads = e[kHeads],
                     .rows = e[kRows],
                     .keys = e[kKeys],
                     .size = e[kSize],
                     .value_size = e[kValueSize],
                     .q = q.strides,
                     .k = k.strides,
                     .v = v.strides,
                     .y = y.strides};
  p.scale = c.number("scale", 1.f);
  if (c.has_input(3)) {
    MINI_TRY_ASSIGN(const View mask, input("mask", 3, e[kRows], e[kKeys]));
    if (mask.offset != 0) return invalid_model("the mask must start at its first element");
    p.has_mask = true;
    p.mask_is_bool = c.dtype(3) == DType::kBool;
    p.mask_batch = mask.strides.batch;
    p.mask_head = mask.strides.head;
    p.mask_row = mask.strides.row;
    p.mask_key = mask.step;
    p.mask_keys = e[kKeys];
  }
  MINI_TRY(Status(c.status()));
  return Work{AttentionPlan(p, c.threads(), c.isa()), q.offset, k.offset, v.offset, y.offset};
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    const bool fits = c.dtype(i) == DType::kFloat32 || (i == 3 && c.dtype(i) == DType::kBool);
    if (c.has_input(i) && !fits) {
      return not_implemented("FusedAttention of ", dtype_name(c.dtype(i)));
    }
  }
  MINI_TRY_ASSIGN(const Work w, work_of(c));
  const Ints e = c.ints("extents");
  PreparedKernel kernel;
  kernel.name = c.with_isa("attention");
  kernel.why = cat(e[kBatches] * e[kHeads], " heads, ", e[kRows], " rows, ", e[kKeys], " keys of ",
                   e[kSize]);
  kernel.flop = w.plan.flop();
  kernel.scratch_bytes = w.plan.scratch_bytes();
  kernel.run = [w](const KernelContext& k) {
    const auto* mask = k.input<std::byte>(3);
    w.plan.run(k,
               {.q = k.input<float>(0) + w.q,
                .k = k.input<float>(1) + w.k,
                .v = k.input<float>(2) + w.v,
                .y = k.output<float>(0) + w.y,
                .mask = mask},
               k.scratch);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(FusedAttention, {.domain = kInternalDomain,
                                .type = "FusedAttention",
                                .since = {1},
                                .infer = infer,
                                .prepare = prepare})

}  // namespace mini_infer
