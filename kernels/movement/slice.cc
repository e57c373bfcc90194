// Slice: x[starts:ends:steps] along some axes.  onnx.ai/onnx/operators/onnx__Slice.html
#include <algorithm>
#include <cstdlib>

#include "graph/ir/constants.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

// Where one axis is cut, with numpy's rules: first index, number of indices, step.
struct Cut {
  std::int64_t start = 0, count = 0, step = 1;
};

Result<Cut> cut_axis(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (step == 0) return invalid_model("a step is 0");
  const std::int64_t first = step > 0 ? 0 : -1, last = step > 0 ? extent : extent - 1;
  const auto clamp = [&](std::int64_t i) {
    if (i < 0) i = i < -extent ? first : i + extent;
    return std::clamp(i, first, last);
  };
  // `end` may be INT64_MIN, `start` anything.
  const std::int64_t from = clamp(start), to = clamp(end);
  const std::int64_t distance = step > 0 ? to - from : from - to;
  if (distance <= 0) return Cut{0, 0, 1};
  const std::int64_t stride = step == INT64_MIN ? INT64_MAX : std::abs(step);
  const std::int64_t count = (distance - 1) / stride + 1;
  return Cut{from, count, count == 1 ? 1 : step};
}

// What is cut, as far as it is known before the run; `axes` is complete, the others may be missing.
struct Window {
  std::vector<Dim> starts, ends;
  Ints axes, steps;
};

std::vector<Dim> dims_of(const Ints& ints) { return {ints.begin(), ints.end()}; }

// No value when the axes or steps are known at run time only.
Result<std::optional<Window>> window_of(const InferContext& c) {
  Window w;
  if (c.opset() < 10) {
    w = {dims_of(c.ints("starts")), dims_of(c.ints("ends")), c.ints("axes"), {}};
    if (!c.has("axes")) w.axes = all_axes(w.starts.size());
  } else {
    MINI_TRY(c.expect_inputs(3, 5));
    const auto count = tracked_elements(c.shape(1));
    if (!count) return std::optional<Window>();
    const std::vector<Dim> open(static_cast<std::size_t>(*count), Dim("?"));
    w.starts = c.contents(1) != nullptr ? *c.contents(1) : open;
    w.ends = c.contents(2) != nullptr ? *c.contents(2) : open;
    const auto axes = c.has_input(3) ? c.ints_of(3) : all_axes(w.starts.size());
    const auto steps = c.has_input(4) ? c.ints_of(4) : Ints(w.starts.size(), 1);
    if (!axes || !steps) return std::optional<Window>();
    w.axes = *axes;
    w.steps = *steps;
  }
  if (w.steps.empty()) w.steps.assign(w.starts.size(), 1);
  if (w.starts.size() != w.ends.size() || w.starts.size() != w.axes.size() ||
      w.starts.size() != w.steps.size()) {
    return invalid_model("starts ", w.starts, ", ends ", w.ends, ", axes ", w.axes, " and steps ",
                         w.steps, " differ in length");
  }
  return std::optional(w);
}

// No index of a tensor is as large.
bool beyond(const Dim& end) { return end.known() && end.value() >= INT32_MAX; }

// The extent that a cut leaves of a symbolic extent, or of a number where start or end is a symbol.
std::optional<Dim> symbolic_extent(const Dim& extent, const Dim& start, const Dim& end,
                                   std::int64_t step) {
  if (step == -1 && start.is(-1) && end.known() && end.value() <= -INT32_MAX) return extent;
  if (step < 1 || !start.known() || start.value() < 0) return std::nullopt;
  Dim length;
  if (beyond(end) || end == extent) {
    length = extent - start;
  } else if (end.known() && end.value() < 0) {
    length = extent - Dim(start.value() - end.value());
  } else {
    return std::nullopt;
  }
  return ceil_div(length, step);
}

Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(const auto window, window_of(c));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (!window) {
    c.set_output(0, c.dtype(0), unknown_shape(c, 0, x->rank()));
    return ok();
  }
  MINI_TRY_ASSIGN(const auto axes, normalize_axes(window->axes, x->rank()));
  SymShape out = *x;
  std::vector<Cut> cuts;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim& extent = out[axes[i]];
    const Dim &start = window->starts[i], &end = window->ends[i];
    if (extent.known() && start.known() && end.known()) {
      MINI_TRY_ASSIGN(const Cut cut,
                      cut_axis(extent.value(), start.value(), end.value(), window->steps[i]));
      extent = cut.count;
      cuts.push_back(cut);
    } else {
      extent =
          symbolic_extent(extent, start, end, window->steps[i]).value_or(c.unknown(0, axes[i]));
    }
  }
  c.set_output(0, c.dtype(0), out);
  const auto* contents = tracked_contents(c, 0);
  if (contents == nullptr || x->rank() != 1 || cuts.size() != 1) return ok();
  std::vector<Dim> kept;
  for (std::int64_t i = 0; i < cuts[0].count; ++i) {
    kept.push_back((*contents)[static_cast<std::size_t>(cuts[0].start + i * cuts[0].step)]);
  }
  c.set_contents(0, std::move(kept));
  return ok();
}

struct Params {
  IntParam starts, ends, axes, steps;
};

Result<Params> params_of(const PrepareContext& c) {
  if (c.opset() < 10) {
    return Params{IntParam(c.ints("starts")), IntParam(c.ints("ends")),
                  c.has("axes") ? IntParam(c.ints("axes")) : IntParam(), IntParam()};
  }
  MINI_TRY_ASSIGN(const IntParam starts, IntParam::input(c, 1));
  MINI_TRY_ASSIGN(const IntParam ends, IntParam::input(c, 2));
  MINI_TRY_ASSIGN(const IntParam axes, IntParam::input(c, 3));
  MINI_TRY_ASSIGN(const IntParam steps, IntParam::input(c, 4));
  return Params{starts, ends, axes, steps};
}

// x cut as the parameters say, which must give the shape `out`.
Result<StridedCopy> copy_of(const Shape& x, const Shape& out, const Ints& starts, const Ints& ends,
                            const Ints& axis_list, const Ints& step_list) {
  MINI_TRY_ASSIGN(const auto axes, normalize_axes(axis_list, x.rank()));
  if (axes.size() != starts.size() || axes.size() != ends.size() ||
      axes.size() != step_list.size()) {
    return invalid_model("starts, ends, axes and steps differ in length");
  }
  auto loops = dense_axes(x);
  const auto out_strides = strides_of(out);
  for (std::size_t i = 0; i < loops.size(); ++i) loops[i].out = out_strides[i];
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    StridedCopy::Axis& loop = loops[axes[i]];
    MINI_TRY_ASSIGN(const Cut cut, cut_axis(x[axes[i]], starts[i], ends[i], step_list[i]));
    loop.extent = cut.count;
    offset += cut.start * loop.in;
    loop.in *= cut.step;
  }
  for (std::size_t i = 0; i < loops.size(); ++i) {
    if (loops[i].extent != out[i]) {
      return error(Code::kInternal, "the slice of ", x, " does not have the shape ", out);
    }
  }
  return StridedCopy(std::move(loops), offset);
}

Result<StridedCopy> copy_from(const Shape& x, const Shape& out, const Ints& starts,
                              const Ints& ends, Ints axes, Ints steps) {
  if (axes.empty()) axes = all_axes(starts.size());
  if (steps.empty()) steps.assign(starts.size(), 1);
  return copy_of(x, out, starts, ends, axes, steps);
}

PreparedKernel known_slice(const PrepareContext& c, StridedCopy copy) {
  const DType dtype = c.dtype(0);
  PreparedKernel kernel;
  kernel.name = "slice/" + copy.kind();
  if (copy.one_run()) {
    kernel.aliases.push_back(
        {.kind = Alias::Kind::kOutputInInput,
         .offset = static_cast<std::size_t>(copy.in_offset()) * dtype_size(dtype)});
  }
  kernel.run = [copy = std::move(copy), dtype](const KernelContext& k) {
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
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
  MINI_TRY_ASSIGN(const Params p, params_of(c));
  Shape x = c.shape(0);
  if (p.starts.known() && p.ends.known() && p.axes.known() && p.steps.known()) {
    const KernelContext none;
    Ints starts = p.starts.read(none), ends = p.ends.read(none), axes = p.axes.read(none);
    if (axes.empty()) axes = all_axes(starts.size());
    if (c.layout(0) == Layout::kBlocked) {
      MINI_TRY_ASSIGN(const auto positions, normalize_axes(axes, x.rank()));
      for (std::size_t i = 0; i < axes.size() && i < starts.size() && i < ends.size(); ++i) {
        axes[i] = static_cast<std::int64_t>(positions[i]);
        if (positions[i] != 1) continue;
        MINI_TRY_ASSIGN(const Cut cut, cut_axis(x[1], starts[i], ends[i], 1));
        starts[i] = cut.start / c.lanes();
        ends[i] = (cut.start + cut.count + c.lanes() - 1) / c.lanes();
      }
      x = blocks_of(x, c.lanes());
      out = blocks_of(out, c.lanes());
    }
    MINI_TRY_ASSIGN(StridedCopy copy, copy_from(x, out, starts, ends, axes, p.steps.read(none)));
    return known_slice(c, std::move(copy));
  }
  PreparedKernel kernel;
  kernel.name = "slice/runtime";
  kernel.run = [x, out, p, dtype = c.dtype(0)](const KernelContext& k) {
    MINI_TRY_ASSIGN(const StridedCopy copy, copy_from(x, out, p.starts.read(k), p.ends.read(k),
                                                      p.axes.read(k), p.steps.read(k)));
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

// The constant parameter `name`, input `i` since opset 10; no value where it comes at run time.
std::optional<Ints> constant_ints(const LayoutQuery& q, std::string_view name, std::size_t i) {
  if (q.node.opset < 10) return AttributeReader(q.node).ints(name);
  if (i >= q.node.inputs.size() || q.node.inputs[i] == kNoValue) return Ints();
  const Tensor* constant = q.graph.constant(q.node.inputs[i]);
  return constant != nullptr ? integers(*constant) : std::nullopt;
}

// Whether constant cuts leave whole blocks of `channels`.
bool keeps_blocks(const LayoutQuery& q, std::size_t rank, std::int64_t channels) {
  const auto starts = constant_ints(q, "starts", 1), ends = constant_ints(q, "ends", 2);
  auto axes = constant_ints(q, "axes", 3);
  const auto steps = constant_ints(q, "steps", 4);
  if (!starts || !ends || !axes || !steps) return false;
  if (axes->empty()) *axes = all_axes(starts->size());
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = normalize_axis((*axes)[i], rank);
    if (!axis.ok() || i >= starts->size() || i >= ends->size()) return false;
    if (*axis != 1) continue;
    const auto cut =
        cut_axis(channels, (*starts)[i], (*ends)[i], i < steps->size() ? (*steps)[i] : 1);
    if (!cut.ok() || cut->step != 1 || cut->count == 0 || cut->start % q.block != 0) return false;
    if (cut->count % q.block != 0 && cut->start + cut->count != channels) return false;
  }
  return true;
}

LayoutChoice layout(const LayoutQuery& q) {
  LayoutChoice choice{std::vector(q.inputs.size(), Layout::kPlain), {Layout::kPlain}};
  const Value& x = q.graph.value(q.node.inputs[0]);
  if (q.inputs[0] != Layout::kBlocked || !x.shape || x.shape->rank() < 3) return choice;
  const Dim& channels = (*x.shape)[1];
  if (!channels.known() || !keeps_blocks(q, x.shape->rank(), channels.value())) return choice;
  choice.inputs[0] = choice.outputs[0] = Layout::kBlocked;
  return choice;
}

}  // namespace

MINI_DEFINE_OP(Slice, {.type = "Slice",
                       .since = {1, 10, 11, 13},
                       .infer = infer,
                       .prepare = prepare,
                       .layout = layout})

}  // namespace mini_infer
