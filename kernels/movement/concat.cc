// Concat: inputs one after the other along an axis.
//                                              onnx.ai/onnx/operators/onnx__Concat.html
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

// `axis` is 1 by default in opset 1, and required later.
Result<std::size_t> axis_of(const AttributeReader& c, std::size_t rank) {
  if (!c.has("axis") && c.node().opset >= 4) return invalid_model("attribute axis is missing");
  return normalize_axis(c.integer("axis", 1), rank);
}

void infer_contents(InferContext& c) {
  std::vector<Dim> all;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    const auto* contents = tracked_contents(c, i);
    if (contents == nullptr || c.shape(i)->rank() != 1) return;
    all.insert(all.end(), contents->begin(), contents->end());
  }
  c.set_contents(0, std::move(all));
}

Status infer(InferContext& c) {
  const std::size_t count = c.input_count();
  MINI_TRY(c.expect_inputs(1, count));
  c.set_output(0, c.dtype(0));
  std::size_t known = 0;
  while (known < count && c.shape(known) == nullptr) ++known;
  if (known == count) return ok();
  SymShape out = *c.shape(known);
  MINI_TRY_ASSIGN(const std::size_t axis, axis_of(c, out.rank()));
  Dim extent = 0;
  bool all_known = true;
  for (std::size_t i = 0; i < count; ++i) {
    const SymShape* x = c.shape(i);
    all_known &= x != nullptr;
    if (x == nullptr) continue;
    if (x->rank() != out.rank()) {
      return invalid_model("input ", i, " has shape ", *x, ", input ", known, " has ",
                           *c.shape(known), "; the ranks must be equal");
    }
    for (std::size_t k = 0; k < out.rank(); ++k) {
      if (k == axis) continue;
      const auto dim = unify(out[k], (*x)[k]);
      if (!dim) {
        return invalid_model("input ", i, " has shape ", *x, ", input ", known, " has ",
                             *c.shape(known), "; all but axis ", axis, " must be equal");
      }
      out[k] = *dim;
    }
    extent = extent + (*x)[axis];
  }
  out[axis] = all_known ? extent : c.unknown(0, axis);
  c.set_output(0, c.dtype(0), out);
  infer_contents(c);
  return ok();
}

struct Part {
  StridedCopy copy;
  std::int64_t offset;
};

// x as [outer][run], put into rows of `row` elements at `offset`.
Part part_of(std::int64_t outer, std::int64_t run, std::int64_t row, std::int64_t offset) {
  return {StridedCopy({{outer, run, row}, {run, 1, 1}}, 0, outer == 1 ? 0 : offset), offset};
}

PreparedKernel concat_kernel(const PrepareContext& c, std::vector<Part> parts, bool one_run) {
  const DType dtype = c.dtype(0);
  PreparedKernel kernel;
  kernel.name = one_run ? "concat/runs" : "concat/rows";
  for (std::size_t i = 0; i < parts.size() && one_run; ++i) {
    kernel.aliases.push_back(
        {.kind = Alias::Kind::kInputInOutput,
         .input = static_cast<int>(i),
         .offset = static_cast<std::size_t>(parts[i].offset) * dtype_size(dtype)});
  }
  kernel.run = [parts = std::move(parts), one_run, dtype](const KernelContext& k) {
    const auto size = static_cast<std::int64_t>(dtype_size(dtype));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::int64_t bytes = one_run ? parts[i].offset * size : 0;
      void* out = k.output<std::byte>(0) + bytes;
      if (!one_run || k.inputs[i] != out) parts[i].copy.run(k, dtype, k.inputs[i], out);
    }
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  MINI_TRY_ASSIGN(const std::size_t axis, axis_of(c, out.rank()));
  const bool blocked = c.output_layout() == Layout::kBlocked;
  if (blocked && axis != 1) return invalid_model("a blocked Concat is along the channels");
  // Elements of a value behind one index of the outer axes; a blocked value is [N][C/c][HW][c].
  const auto run_of = [&](const Shape& shape) {
    if (!blocked) return shape.elements(axis, shape.rank());
    return shape[0] == 0 ? 0 : blocked_elements(shape, c.lanes()) / shape[0];
  };
  const std::int64_t outer = out.elements(0, axis), row = run_of(out);
  std::vector<Part> parts;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (c.dtype(i) != c.dtype(0)) {
      return invalid_model("input ", i, " is ", dtype_name(c.dtype(i)), ", input 0 is ",
                           dtype_name(c.dtype(0)));
    }
    const std::int64_t run = run_of(c.shape(i));
    parts.push_back(part_of(outer, run, row, offset));
    offset += run;
  }
  if (offset != row) return invalid_model("the inputs do not add up to the output ", out);
  return concat_kernel(c, std::move(parts), outer == 1);
}

// Along the channels, where all inputs but the last fill whole blocks.
LayoutChoice layout(const LayoutQuery& q) {
  const std::size_t count = q.inputs.size();
  LayoutChoice plain{std::vector(count, Layout::kPlain), {Layout::kPlain}};
  bool any_blocked = false;
  for (std::size_t i = 0; i < count; ++i) {
    const Value& x = q.graph.value(q.node.inputs[i]);
    if (!x.shape || x.shape->rank() < 3 || x.is_constant() || x.dtype != DType::kFloat32) {
      return plain;
    }
    const auto axis = axis_of(AttributeReader(q.node), x.shape->rank());
    const Dim& channels = (*x.shape)[1];
    if (!axis.ok() || *axis != 1 || !channels.known()) return plain;
    if (i + 1 < count && channels.value() % q.block != 0) return plain;
    any_blocked |= q.inputs[i] == Layout::kBlocked;
  }
  if (!any_blocked) return plain;
  return {std::vector(count, Layout::kBlocked), {Layout::kBlocked}};
}

}  // namespace

MINI_DEFINE_OP(Concat, {.type = "Concat",
                        .since = {1, 4, 11, 13},
                        .infer = infer,
                        .prepare = prepare,
                        .layout = layout})

}  // namespace mini_infer
