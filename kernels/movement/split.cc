// Split: an axis cut into parts.                onnx.ai/onnx/operators/onnx__Split.html
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

// Equal parts of `extent`; since opset 18 the last one may be smaller.
Result<std::vector<Dim>> equal_parts(const InferContext& c, const Dim& extent) {
  const auto count = static_cast<std::int64_t>(c.output_count());
  if (c.opset() >= 18 && c.has("num_outputs") && c.integer("num_outputs", 0) != count) {
    return invalid_model("num_outputs is ", c.integer("num_outputs", 0), ", the node has ", count,
                         " outputs");
  }
  if (!extent.known()) {
    const Dim part = c.opset() >= 18 ? ceil_div(extent, count) : floor_div(extent, count);
    std::vector<Dim> parts(static_cast<std::size_t>(count), part);
    if (c.opset() >= 18) parts.back() = extent - part * Dim(count - 1);
    return parts;
  }
  if (c.opset() < 18 && extent.value() % count != 0) {
    return invalid_model("an extent of ", extent, " cannot be cut into ", count, " equal parts");
  }
  std::vector<Dim> parts;
  const std::int64_t part = (extent.value() + count - 1) / count;
  for (std::int64_t i = 0; i < count; ++i) {
    parts.push_back(std::clamp<std::int64_t>(extent.value() - i * part, 0, part));
  }
  return parts;
}

// The extents of the parts along the axis.
Result<std::vector<Dim>> parts_of(const InferContext& c, const Dim& extent) {
  std::vector<Dim> parts;
  if (c.has("split")) {
    const Ints split = c.ints("split");
    parts.assign(split.begin(), split.end());
  } else if (!c.has_input(1)) {
    return equal_parts(c, extent);
  } else if (c.contents(1) != nullptr) {
    parts = *c.contents(1);
  } else {
    for (std::size_t i = 0; i < c.output_count(); ++i) parts.push_back(c.unknown(i, 0));
    return parts;
  }
  if (parts.size() != c.output_count()) {
    return invalid_model("split ", parts, " does not fit ", c.output_count(), " outputs");
  }
  Dim sum = 0;
  for (const Dim& part : parts) {
    if (part.known() && part.value() < 0) {
      return invalid_model("split ", parts, " has a negative part");
    }
    sum = sum + part;
  }
  if (sum.known() && extent.known() && sum != extent) {
    return invalid_model("split ", parts, " does not add up to the extent ", extent);
  }
  return parts;
}

void infer_contents(InferContext& c, const std::vector<Dim>& parts) {
  const auto* contents = tracked_contents(c, 0);
  if (contents == nullptr || c.shape(0)->rank() != 1) return;
  auto begin = contents->begin();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].known()) return;
    c.set_contents(i, {begin, begin + parts[i].value()});
    begin += parts[i].value();
  }
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 2));
  for (std::size_t i = 0; i < c.output_count(); ++i) c.set_output(i, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x->rank()));
  MINI_TRY_ASSIGN(const auto parts, parts_of(c, (*x)[axis]));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    SymShape out = *x;
    out[axis] = parts[i];
    c.set_output(i, c.dtype(0), out);
  }
  infer_contents(c, parts);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  const bool blocked = c.layout(0) == Layout::kBlocked;
  if (blocked && axis != 1) return invalid_model("a blocked Split is along the channels");
  const auto run_of = [&](const Shape& shape) {
    if (!blocked) return shape.elements(axis, shape.rank());
    return shape[0] == 0 ? 0 : blocked_elements(shape, c.lanes()) / shape[0];
  };
  const DType dtype = c.dtype(0);
  const std::int64_t outer = x.elements(0, axis), row = run_of(x);
  std::vector<StridedCopy> copies;
  std::vector<Alias> aliases;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    Shape part = x;
    part[axis] = 0;
    if (c.has_output(i)) {
      MINI_TRY_ASSIGN(part, known_output(c, i));
    } else {
      return not_implemented("output ", i, " of Split is left out");
    }
    const std::int64_t run = run_of(part);
    if (offset + run > row) return invalid_model("the parts are larger than the data ", x);
    copies.emplace_back(std::vector<StridedCopy::Axis>{{outer, row, run}, {run, 1, 1}}, offset);
    aliases.push_back({.kind = Alias::Kind::kOutputInInput,
                       .output = static_cast<int>(i),
                       .offset = static_cast<std::size_t>(offset) * dtype_size(dtype)});
    offset += run;
  }
  PreparedKernel kernel;
  kernel.name = outer == 1 ? "split/runs" : "split/rows";
  if (outer == 1) kernel.aliases = std::move(aliases);
  kernel.run = [copies = std::move(copies), dtype](const KernelContext& k) {
    for (std::size_t i = 0; i < copies.size(); ++i) {
      copies[i].run(k, dtype, k.inputs[0], k.outputs[i]);
    }
    return ok();
  };
  return kernel;
}

// Along the channels, where all parts but the last fill whole blocks.
LayoutChoice layout(const LayoutQuery& q) {
  LayoutChoice plain{std::vector(q.inputs.size(), Layout::kPlain),
                     std::vector(q.node.outputs.size(), Layout::kPlain)};
  const Value& x = q.graph.value(q.node.inputs[0]);
  if (q.inputs[0] != Layout::kBlocked || !x.shape || x.shape->rank() < 3) return plain;
  const auto axis = normalize_axis(AttributeReader(q.node).integer("axis", 0), x.shape->rank());
  if (!axis.ok() || *axis != 1) return plain;
  for (std::size_t i = 0; i < q.node.outputs.size(); ++i) {
    if (q.node.outputs[i] == kNoValue) return plain;
    const Value& part = q.graph.value(q.node.outputs[i]);
    if (!part.shape || part.shape->rank() < 3 || !(*part.shape)[1].known()) return plain;
    const bool whole = (*part.shape)[1].value() % q.block == 0;
    if (!whole && i + 1 < q.node.outputs.size()) return plain;
  }
  LayoutChoice blocked = plain;
  blocked.inputs[0] = Layout::kBlocked;
  std::fill(blocked.outputs.begin(), blocked.outputs.end(), Layout::kBlocked);
  return blocked;
}

}  // namespace

MINI_DEFINE_OP(Split, {.type = "Split",
                       .since = {1, 2, 11, 13, 18},
                       .infer = infer,
                       .prepare = prepare,
                       .layout = layout})

}  // namespace mini_infer
