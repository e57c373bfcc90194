// Pad: a border around a tensor.                onnx.ai/onnx/operators/onnx__Pad.html
//
// Negative pads crop first. Then the input is copied to the interior of the output, and the border
// is made axis by axis, from the last to the first: each slab spans the finished inner axes and the
// interior of the outer ones, and is a fill (constant) or a copy of interior slabs (other modes).
#include <algorithm>
#include <map>

#include "graph/ir/constants.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

enum class Mode { kConstant, kEdge, kReflect, kWrap };
constexpr std::size_t kMostSlabs = 65536;

Result<Mode> mode_of(const AttributeReader& c) {
  static const std::map<std::string, Mode, std::less<>> modes = {{"constant", Mode::kConstant},
                                                                 {"edge", Mode::kEdge},
                                                                 {"reflect", Mode::kReflect},
                                                                 {"wrap", Mode::kWrap}};
  const auto found = modes.find(c.string("mode", "constant"));
  if (found != modes.end()) return found->second;
  return not_implemented("mode '", c.string("mode", ""), "' of Pad");
}

// Pads as the attribute that opsets before 11 have: `paddings` in opset 1.
Ints attribute_pads(const AttributeReader& c) {
  return c.has("pads") ? c.ints("pads") : c.ints("paddings");
}

// begin[axis], end[axis] of all axes, from the list [begin of axes..., end of axes...].
struct Pads {
  Ints begin, end;
};
Result<Pads> full_pads(const Ints& list, const std::optional<Ints>& axes, std::size_t rank) {
  MINI_TRY_ASSIGN(const auto positions, normalize_axes(axes ? *axes : all_axes(rank), rank));
  if (list.size() != 2 * positions.size()) {
    return invalid_model("pads ", list, " must have two numbers for each of ", positions.size(),
                         " axes");
  }
  Pads pads{Ints(rank, 0), Ints(rank, 0)};
  for (std::size_t i = 0; i < positions.size(); ++i) {
    pads.begin[positions[i]] = list[i];
    pads.end[positions[i]] = list[i + positions.size()];
  }
  return pads;
}

Result<Dim> padded(const Dim& extent, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (std::abs(begin) > kMost || std::abs(end) > kMost) {
    return invalid_model("pads ", begin, " and ", end, " are out of all proportion");
  }
  const Dim out = extent + Dim(begin + end);
  if (out.known() && out.value() < 0) {
    return invalid_model("pads ", begin, " and ", end, " take more than the extent ", extent);
  }
  return out;
}

// Pads by symbols: the sum of what is known.
Status infer_symbolic(InferContext& c, const std::vector<Dim>& pads) {
  const SymShape& x = *c.shape(0);
  if (c.has_input(3) || pads.size() != 2 * x.rank()) {
    c.set_output(0, c.dtype(0), unknown_shape(c, 0, x.rank()));
    return ok();
  }
  SymShape out;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    const Dim begin = pads[i], end = pads[i + x.rank()];
    out.push_back(begin.is(0) && end.is(0) ? x[i] : x[i] + begin + end);
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 4));
  MINI_TRY(mode_of(c).status());
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  const auto list = c.opset() < 11 ? std::optional(attribute_pads(c)) : c.ints_of(1);
  std::optional<Ints> axes;
  if (c.has_input(3)) axes = c.ints_of(3);
  if (!list && c.contents(1) != nullptr) return infer_symbolic(c, *c.contents(1));
  if (!list || (c.has_input(3) && !axes)) {
    c.set_output(0, c.dtype(0), unknown_shape(c, 0, x->rank()));
    return ok();
  }
  MINI_TRY_ASSIGN(const Pads pads, full_pads(*list, axes, x->rank()));
  SymShape out;
  for (std::size_t i = 0; i < x->rank(); ++i) {
    MINI_TRY_ASSIGN(const Dim dim, padded((*x)[i], pads.begin[i], pads.end[i]));
    out.push_back(dim);
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// The slabs of one problem; `fills` read one element, `copies` read the output itself.
struct Slabs {
  StridedCopy interior;
  std::vector<StridedCopy> fills, copies;
};

// Output indices [first, first + count) of an axis are copies of index, index + step, ...
struct Piece {
  std::int64_t first, count, from, step;
};

// The border indices of an axis with interior [begin, begin + extent), full extent `full`.
std::vector<Piece> border_pieces(Mode mode, std::int64_t begin, std::int64_t extent,
                                 std::int64_t full) {
  std::vector<Piece> pieces;
  const std::int64_t end = begin + extent;
  if (mode == Mode::kConstant || mode == Mode::kEdge || (mode == Mode::kReflect && extent == 1)) {
    if (begin > 0) pieces.push_back({0, begin, begin, 0});
    if (full > end) pieces.push_back({end, full - end, end - 1, 0});
    return pieces;
  }
  // Runs of at most one period; a reflected run goes back and forth between the ends.
  const std::int64_t period = mode == Mode::kWrap ? extent : extent - 1;
  for (std::int64_t at = begin, turn = 0; at > 0 && pieces.size() <= kMostSlabs; ++turn) {
    const std::int64_t count = std::min(at, period);
    at -= count;
    if (mode == Mode::kWrap) {
      pieces.push_back({at, count, end - count, 1});
    } else if (turn % 2 == 0) {
      pieces.push_back({at, count, begin + count, -1});
    } else {
      pieces.push_back({at, count, end - 1 - count, 1});
    }
  }
  for (std::int64_t at = end, turn = 0; at < full && pieces.size() <= kMostSlabs; ++turn) {
    const std::int64_t count = std::min(full - at, period);
    if (mode == Mode::kWrap) {
      pieces.push_back({at, count, begin, 1});
    } else if (turn % 2 == 0) {
      pieces.push_back({at, count, end - 2, -1});
    } else {
      pieces.push_back({at, count, begin + 1, 1});
    }
    at += count;
  }
  return pieces;
}

// Interior of the output: what is left of the input.
struct Interior {
  std::vector<std::int64_t> first, extent;
};

Status add_border(Slabs& slabs, Mode mode, const Shape& out, const Interior& interior,
                  std::size_t axis) {
  const std::int64_t begin = interior.first[axis], extent = interior.extent[axis];
  const bool bordered = begin > 0 || begin + extent < out[axis];
  if (bordered && mode != Mode::kConstant && extent == 0) {
    return invalid_model("axis ", axis, " has no elements to pad from");
  }
  const auto strides = strides_of(out);
  for (const Piece& piece : border_pieces(mode, begin, extent, out[axis])) {
    std::vector<StridedCopy::Axis> axes;
    std::int64_t base = 0;
    for (std::size_t i = 0; i < out.rank(); ++i) {
      if (i == axis) {
        axes.push_back({piece.count, piece.step * strides[i], strides[i]});
      } else {
        axes.push_back({i < axis ? interior.extent[i] : out[i], strides[i], strides[i]});
        base += i < axis ? interior.first[i] * strides[i] : 0;
      }
    }
    const std::int64_t to = base + piece.first * strides[axis];
    if (mode == Mode::kConstant) {
      for (auto& loop : axes) loop.in = 0;
      slabs.fills.emplace_back(std::move(axes), 0, to);
    } else {
      slabs.copies.emplace_back(std::move(axes), base + piece.from * strides[axis], to);
    }
  }
  if (slabs.copies.size() > kMostSlabs) {
    return not_implemented("Pad of axis ", axis, " repeats its ", extent, " elements too often");
  }
  return ok();
}

Result<Slabs> make_slabs(Mode mode, const Shape& x, const Shape& out, const Pads& pads) {
  const auto in_strides = strides_of(x), out_strides = strides_of(out);
  Interior interior;
  std::vector<StridedCopy::Axis> axes;
  std::int64_t from = 0, to = 0;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    const std::int64_t crop = std::max<std::int64_t>(-pads.begin[i], 0);
    const std::int64_t crop_end = std::max<std::int64_t>(-pads.end[i], 0);
    const std::int64_t extent = std::max<std::int64_t>(x[i] - crop - crop_end, 0);
    const std::int64_t first = std::max<std::int64_t>(pads.begin[i], 0);
    if (first + extent > out[i]) {
      return invalid_model("pads [", pads.begin[i], ",", pads.end[i], "] of axis ", i,
                           " crop more than its extent ", x[i]);
    }
    axes.push_back({extent, in_strides[i], out_strides[i]});
    from += crop * in_strides[i];
    to += first * out_strides[i];
    interior.first.push_back(first);
    interior.extent.push_back(extent);
  }
  Slabs slabs{.interior = StridedCopy(std::move(axes), from, to)};
  for (std::size_t axis = out.rank(); axis-- > 0;) {
    MINI_TRY(add_border(slabs, mode, out, interior, axis));
  }
  return slabs;
}

// What fills the border: an attribute before opset 11, then input 2, zero by default.
Tensor border_value(const PrepareContext& c) {
  Tensor value(c.dtype(0), Shape{});
  if (c.opset() >= 11) return value;
  const float number = c.number("value", 0.f);
  dispatch_dtype(c.dtype(0), [&]<class T>() {
    if constexpr (std::is_same_v<T, Float16>) {
      *value.mutable_data<T>() = to_float16(number);
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      *value.mutable_data<T>() = to_bfloat16(number);
    } else {
      *value.mutable_data<T>() = static_cast<T>(number);
    }
  });
  return value;
}

Result<Pads> pads_of(const PrepareContext& c) {
  std::optional<Ints> list = attribute_pads(c), axes;
  if (c.opset() >= 11) list = c.ints_of(1);
  if (c.has_input(3)) axes = c.ints_of(3);
  if (!list || (c.has_input(3) && !axes)) return not_implemented("pads that are not constant");
  return full_pads(*list, axes, c.shape(0).rank());
}

// A blocked value [N,C,...] seen as the plain [N, C/c, ..., c].
Shape blocks_of(const Shape& shape, int block) {
  Shape out = shape;
  out[1] = (out[1] + block - 1) / block;
  out.push_back(block);
  return out;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(Shape out, known_output(c));
  MINI_TRY_ASSIGN(const Mode mode, mode_of(c));
  MINI_TRY_ASSIGN(Pads pads, pads_of(c));
  if (c.has_input(2) && (c.shape(2).elements() != 1 || c.dtype(2) != c.dtype(0))) {
    return invalid_model("constant_value is ", dtype_name(c.dtype(2)), c.shape(2),
                         "; it must be one ", dtype_name(c.dtype(0)));
  }
  Shape x = c.shape(0);
  if (c.layout(0) == Layout::kBlocked) {
    x = blocks_of(x, c.lanes());
    out = blocks_of(out, c.lanes());
    pads.begin.push_back(0);
    pads.end.push_back(0);
  }
  MINI_TRY_ASSIGN(Slabs slabs, make_slabs(mode, x, out, pads));
  PreparedKernel kernel;
  kernel.name = cat("pad/", c.string("mode", "constant"));
  kernel.run = [slabs = std::move(slabs), value = border_value(c), dtype = c.dtype(0),
                given = c.opset() >= 11 && c.has_input(2)](const KernelContext& k) {
    const void* fill = given ? k.inputs[2] : value.data();
    slabs.interior.run(k, dtype, k.inputs[0], k.outputs[0]);
    for (const StridedCopy& slab : slabs.fills) slab.run(k, dtype, fill, k.outputs[0]);
    for (const StridedCopy& slab : slabs.copies) slab.run(k, dtype, k.outputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

// Constant pads of spatial axes only.
LayoutChoice layout(const LayoutQuery& q) {
  LayoutChoice choice{std::vector(q.inputs.size(), Layout::kPlain), {Layout::kPlain}};
  const Value& x = q.graph.value(q.node.inputs[0]);
  if (q.inputs[0] != Layout::kBlocked || !x.shape || x.shape->rank() < 3) return choice;
  const auto ints = [&](std::size_t i) -> std::optional<Ints> {
    if (i >= q.node.inputs.size() || q.node.inputs[i] == kNoValue) return std::nullopt;
    const Tensor* constant = q.graph.constant(q.node.inputs[i]);
    return constant != nullptr ? integers(*constant) : std::nullopt;
  };
  const auto list =
      q.node.opset < 11 ? std::optional(attribute_pads(AttributeReader(q.node))) : ints(1);
  const bool has_axes = q.node.inputs.size() > 3 && q.node.inputs[3] != kNoValue;
  const auto axes = ints(3);
  if (!list || (has_axes && !axes)) return choice;
  const auto pads = full_pads(*list, axes, x.shape->rank());
  if (!pads.ok()) return choice;
  for (const std::size_t axis : {0, 1}) {
    if (pads->begin[axis] != 0 || pads->end[axis] != 0) return choice;
  }
  choice.inputs[0] = choice.outputs[0] = Layout::kBlocked;
  return choice;
}

}  // namespace

MINI_DEFINE_OP(Pad, {.type = "Pad",
                     .since = {1, 2, 11, 13, 18, 19, 21},
                     .infer = infer,
                     .prepare = prepare,
                     .layout = layout})

}  // namespace mini_infer
