// Shape and Size: extents as an int64 tensor.    onnx.ai/onnx/operators/onnx__Shape.html
#include <algorithm>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// Axes [start, end) of a shape; both are clamped, and count from the back where negative.
struct AxisRange {
  std::size_t start, end;
};
AxisRange axis_range(const AttributeReader& c, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  const auto clamp = [&](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + r : axis, 0, r);
  };
  const std::int64_t start = clamp(c.integer("start", 0)), end = clamp(c.integer("end", r));
  return {static_cast<std::size_t>(start), static_cast<std::size_t>(std::max(start, end))};
}

Status infer_shape(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  if (c.shape(0) == nullptr) {
    c.set_output(0, DType::kInt64, unknown_shape(c, 0, 1));
    return ok();
  }
  const auto& dims = c.shape(0)->dims();
  const auto [start, end] = axis_range(c, dims.size());
  c.set_output(0, DType::kInt64, SymShape{static_cast<std::int64_t>(end - start)});
  c.set_contents(0, {dims.begin() + static_cast<std::ptrdiff_t>(start),
                     dims.begin() + static_cast<std::ptrdiff_t>(end)});
  return ok();
}

Status infer_size(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kInt64, SymShape{});
  if (c.shape(0) != nullptr) c.set_contents(0, {c.shape(0)->elements()});
  return ok();
}

PreparedKernel write_ints(Ints values) {
  PreparedKernel kernel;
  kernel.name = "shape";
  kernel.run = [values = std::move(values)](const KernelContext& k) {
    std::copy(values.begin(), values.end(), k.output<std::int64_t>(0));
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare_shape(PrepareContext& c) {
  const auto& dims = c.shape(0).dims();
  const auto [start, end] = axis_range(c, dims.size());
  return write_ints({dims.begin() + static_cast<std::ptrdiff_t>(start),
                     dims.begin() + static_cast<std::ptrdiff_t>(end)});
}

Result<PreparedKernel> prepare_size(PrepareContext& c) {
  return write_ints({c.shape(0).elements()});
}

// Neither reads its input.
LayoutChoice layout(const LayoutQuery& q) { return {{q.inputs[0]}, {Layout::kPlain}}; }

}  // namespace

MINI_DEFINE_OP(Shape, {.type = "Shape",
                       .since = {1, 13, 15, 19, 21},
                       .infer = infer_shape,
                       .prepare = prepare_shape,
                       .layout = layout})
MINI_DEFINE_OP(Size, {.type = "Size",
                      .since = {1, 13, 19, 21},
                      .infer = infer_size,
                      .prepare = prepare_size,
                      .layout = layout})

}  // namespace mini_infer
