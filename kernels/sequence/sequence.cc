// Operators on sequences of tensors. onnx.ai/onnx/operators/onnx__SequenceInsert.html and its
// neighbours
//
// Sequences are short-lived lists in loops: their steps are dynamic, and the tensors in them are
// shared, not copied.
#include "graph/ir/sequence.h"

#include <algorithm>

#include "kernels/control/body.h"
#include "kernels/op.h"

namespace mini_infer {
namespace {

Status expect_sequence(const PrepareContext& c, std::size_t input) {
  if (c.dtype(input) == kSequence) return ok();
  return invalid_model("input ", input, " is ", c.dtype(input), "; it must be a sequence");
}

// An owned copy of a tensor input.
Tensor copied(DType dtype, const Shape& shape, const void* data) {
  return Tensor::view(dtype, shape, const_cast<void*>(data)).clone();
}

Tensor make_sequence(const std::vector<Tensor>& items) {
  Tensor sequence(kSequence, {static_cast<std::int64_t>(items.size())});
  std::copy(items.begin(), items.end(), static_cast<Tensor*>(sequence.mutable_data()));
  return sequence;
}

// A position counted from the end where negative, in [0, most].
Result<std::size_t> position_of(const PrepareContext& c, std::size_t input, std::int64_t fallback,
                                std::int64_t length, std::int64_t most) {
  std::int64_t position = fallback;
  if (c.has_input(input)) {
    const auto given = c.ints_of(input);
    if (!given || given->size() != 1) return invalid_model("position must be one integer");
    position = given->front();
  }
  const std::int64_t at = position < 0 ? position + length : position;
  if (at < 0 || at > most)
    return invalid_model("position is ", position, "; the sequence has ", length, " tensors");
  return static_cast<std::size_t>(at);
}

Status infer_sequence(InferContext& c) {
  c.set_output(0, kSequence);
  return ok();
}

Result<PreparedKernel> prepare_empty(PrepareContext&) {
  return PreparedKernel{.name = "sequence/empty", .run = [](const KernelContext& k) {
                          k.set_output(0, make_sequence({}));
                          return ok();
                        }};
}

Result<PreparedKernel> prepare_construct(PrepareContext& c) {
  std::vector<std::pair<DType, Shape>> types;
  for (std::size_t i = 0; i < c.input_count(); ++i) types.emplace_back(c.dtype(i), c.shape(i));
  return PreparedKernel{.name = "sequence/construct", .run = [types](const KernelContext& k) {
                          std::vector<Tensor> items;
                          for (std::size_t i = 0; i < types.size(); ++i) {
                            items.push_back(copied(types[i].first, types[i].second, k.inputs[i]));
                          }
                          k.set_output(0, make_sequence(items));
                          return ok();
                        }};
}

// Changes a copy of the list of input 0.
template <class Edit>
PreparedKernel edit_kernel(const PrepareContext& c, const char* name, Edit edit) {
  return {.name = name, .run = [length = c.shape(0)[0], edit](const KernelContext& k) {
            const Tensor* first = k.input<Tensor>(0);
            std::vector<Tensor> items(first, first + length);
            edit(items, k);
            k.set_output(0, make_sequence(items));
            return ok();
          }};
}

Result<PreparedKernel> prepare_insert(PrepareContext& c) {
  MINI_TRY(expect_sequence(c, 0));
  const std::int64_t length = c.shape(0)[0];
  MINI_TRY_ASSIGN(const std::size_t at, position_of(c, 2, length, length, length));
  return edit_kernel(c, "sequence/insert",
                     [=, dtype = c.dtype(1), shape = c.shape(1)](std::vector<Tensor>& items,
                                                                 const KernelContext& k) {
                       items.insert(items.begin() + static_cast<std::ptrdiff_t>(at),
                                    copied(dtype, shape, k.inputs[1]));
                     });
}

Result<PreparedKernel> prepare_erase(PrepareContext& c) {
  MINI_TRY(expect_sequence(c, 0));
  const std::int64_t length = c.shape(0)[0];
  MINI_TRY_ASSIGN(const std::size_t at, position_of(c, 1, length - 1, length, length - 1));
  return edit_kernel(c, "sequence/erase", [=](std::vector<Tensor>& items, const KernelContext&) {
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  });
}

Status infer_tensor(InferContext& c) {
  c.set_output(0, DType::kUndefined);
  return ok();
}

Result<PreparedKernel> prepare_at(PrepareContext& c) {
  MINI_TRY(expect_sequence(c, 0));
  const std::int64_t length = c.shape(0)[0];
  MINI_TRY_ASSIGN(const std::size_t at, position_of(c, 1, 0, length, length - 1));
  return PreparedKernel{.name = "sequence/at", .run = [at](const KernelContext& k) {
                          k.set_output(0, k.input<Tensor>(0)[at]);
                          return ok();
                        }};
}

Status infer_length(InferContext& c) {
  c.set_output(0, DType::kInt64, SymShape{});
  return ok();
}

Result<PreparedKernel> prepare_length(PrepareContext& c) {
  MINI_TRY(expect_sequence(c, 0));
  return PreparedKernel{.name = "sequence/length",
                        .run = [length = c.shape(0)[0]](const KernelContext& k) {
                          k.output<std::int64_t>(0)[0] = length;
                          return ok();
                        }};
}

// Concatenates tensors that agree in all axes but `axis`.
Result<Tensor> concatenate(std::span<const Tensor> items, std::size_t axis) {
  Shape shape = items.front().shape();
  shape[axis] = 0;
  for (const Tensor& item : items) {
    Shape expected = shape;
    if (item.shape().rank() == shape.rank()) expected[axis] = item.shape()[axis];
    if (item.shape() != expected || item.dtype() != items.front().dtype()) {
      return invalid_model("a tensor of the sequence is ", item.dtype(), item.shape(),
                           " and the first ", items.front().dtype(), items.front().shape(),
                           "; they must agree but for axis ", axis);
    }
    shape[axis] += item.shape()[axis];
  }
  MINI_TRY_ASSIGN(Tensor out, Tensor::allocate(items.front().dtype(), shape));
  const std::int64_t outer = shape.elements(0, axis),
                     inner = shape.elements(axis + 1, shape.rank());
  const std::size_t size = dtype_size(out.dtype());
  std::int64_t done = 0;
  for (const Tensor& item : items) {
    const std::int64_t run = item.shape()[axis] * inner;
    for (std::int64_t o = 0; o < outer; ++o) {
      copy_elements(
          out.dtype(),
          static_cast<const std::byte*>(item.data()) + static_cast<std::size_t>(o * run) * size,
          static_cast<std::byte*>(out.mutable_data()) +
              static_cast<std::size_t>(o * shape[axis] * inner + done) * size,
          run);
    }
    done += run;
  }
  return out;
}

Result<PreparedKernel> prepare_concat(PrepareContext& c) {
  MINI_TRY(expect_sequence(c, 0));
  if (!c.has("axis")) return invalid_model("attribute 'axis' is missing");
  const bool stack = c.integer("new_axis", 0) != 0;
  return PreparedKernel{
      .name = "sequence/concat",
      .run = [axis = c.integer("axis", 0), stack,
              length = c.shape(0)[0]](const KernelContext& k) -> Status {
        if (length == 0)
          return invalid_model("the sequence is empty; there is nothing to concatenate");
        std::vector<Tensor> items(k.input<Tensor>(0), k.input<Tensor>(0) + length);
        const auto rank = static_cast<std::int64_t>(items.front().shape().rank()) + (stack ? 1 : 0);
        const std::int64_t at = axis < 0 ? axis + rank : axis;
        if (at < 0 || at >= rank)
          return invalid_model("axis is ", axis, "; the result has rank ", rank);
        for (Tensor& item : items) {
          if (!stack || static_cast<std::int64_t>(item.shape().rank()) + 1 != rank) continue;
          std::vector<std::int64_t> dims = item.shape().dims();
          dims.insert(dims.begin() + at, 1);
          item = item.reshaped(Shape(dims));
        }
        MINI_TRY_ASSIGN(Tensor out, concatenate(items, static_cast<std::size_t>(at)));
        k.set_output(0, std::move(out));
        return ok();
      }};
}

// Lengths of the pieces along an axis of extent `extent`: `split` is a list, one number (the last
// piece may be shorter), or left out (ones).
Result<Ints> piece_lengths(const PrepareContext& c, std::int64_t extent) {
  if (!c.has_input(1)) return Ints(static_cast<std::size_t>(extent), 1);
  const auto split = c.ints_of(1);
  if (!split || split->empty()) return invalid_model("split must hold integers");
  Ints lengths = *split;
  if (c.shape(1).rank() == 0) {
    const std::int64_t each = split->front();
    if (each <= 0) return invalid_model("split is ", each, "; it must be positive");
    lengths.clear();
    for (std::int64_t at = 0; at < extent; at += each)
      lengths.push_back(std::min(each, extent - at));
  }
  std::int64_t sum = 0;
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > extent - sum)
      return invalid_model("split is ", *split, "; the axis has extent ", extent);
    sum += length;
  }
  if (sum != extent)
    return invalid_model("split is ", *split, " and sums to ", sum, "; the axis has extent ",
                         extent);
  return lengths;
}

Result<PreparedKernel> prepare_split(PrepareContext& c) {
  const Shape shape = c.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const std::int64_t given = c.integer("axis", 0), axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank)
    return invalid_model("axis is ", given, "; the input has shape ", shape);
  const auto at = static_cast<std::size_t>(axis);
  MINI_TRY_ASSIGN(const Ints lengths, piece_lengths(c, shape[at]));
  const bool keep = c.has_input(1) || c.integer("keepdims", 1) != 0;
  return PreparedKernel{
      .name = "sequence/split", .run = [=, dtype = c.dtype(0)](const KernelContext& k) -> Status {
        const std::int64_t outer = shape.elements(0, at),
                           inner = shape.elements(at + 1, shape.rank());
        const std::size_t size = dtype_size(dtype);
        std::vector<Tensor> items;
        std::int64_t done = 0;
        for (const std::int64_t length : lengths) {
          Shape piece = shape;
          piece[at] = length;
          MINI_TRY_ASSIGN(Tensor item, Tensor::allocate(dtype, piece));
          for (std::int64_t o = 0; o < outer; ++o) {
            copy_elements(dtype,
                          static_cast<const std::byte*>(k.inputs[0]) +
                              static_cast<std::size_t>((o * shape[at] + done) * inner) * size,
                          static_cast<std::byte*>(item.mutable_data()) +
                              static_cast<std::size_t>(o * length * inner) * size,
                          length * inner);
          }
          done += length;
          std::vector<std::int64_t> dims = piece.dims();
          if (!keep) dims.erase(dims.begin() + axis);
          items.push_back(item.reshaped(Shape(dims)));
        }
        k.set_output(0, make_sequence(items));
        return ok();
      }};
}

}  // namespace

// Sequences are neither folded nor merged: a list of shared tensors is cheaper than a constant.
MINI_DEFINE_OP(SequenceEmpty, {.type = "SequenceEmpty",
                               .since = {11},
                               .infer = infer_sequence,
                               .prepare = prepare_empty,
                               .traits = kNotDeterministic})
MINI_DEFINE_OP(SequenceConstruct, {.type = "SequenceConstruct",
                                   .since = {11},
                                   .infer = infer_sequence,
                                   .prepare = prepare_construct,
                                   .traits = kNotDeterministic})
MINI_DEFINE_OP(SequenceInsert, {.type = "SequenceInsert",
                                .since = {11},
                                .infer = infer_sequence,
                                .prepare = prepare_insert,
                                .traits = kNotDeterministic})
MINI_DEFINE_OP(SequenceErase, {.type = "SequenceErase",
                               .since = {11},
                               .infer = infer_sequence,
                               .prepare = prepare_erase,
                               .traits = kNotDeterministic})
MINI_DEFINE_OP(SequenceAt, {.type = "SequenceAt",
                            .since = {11},
                            .infer = infer_tensor,
                            .prepare = prepare_at,
                            .traits = kNotDeterministic})
MINI_DEFINE_OP(SequenceLength, {.type = "SequenceLength",
                                .since = {11},
                                .infer = infer_length,
                                .prepare = prepare_length,
                                .traits = kNotDeterministic})
MINI_DEFINE_OP(ConcatFromSequence, {.type = "ConcatFromSequence",
                                    .since = {11},
                                    .infer = infer_tensor,
                                    .prepare = prepare_concat,
                                    .traits = kNotDeterministic})
MINI_DEFINE_OP(SplitToSequence, {.type = "SplitToSequence",
                                 .since = {11, 24},
                                 .infer = infer_sequence,
                                 .prepare = prepare_split,
                                 .traits = kNotDeterministic})

}  // namespace mini_infer
