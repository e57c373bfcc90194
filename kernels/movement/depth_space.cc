// DepthToSpace, SpaceToDepth and Focus: blocks of pixels to channels and back.
//                                              onnx.ai/onnx/operators/onnx__DepthToSpace.html
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

using Axis = StridedCopy::Axis;

Result<std::int64_t> block_of(const AttributeReader& c, std::string_view name) {
  const std::int64_t block = c.integer(name, 0);
  if (block >= 1 && block <= INT16_MAX) return block;
  return invalid_model("attribute ", name, " is ", block, "; it must be positive");
}

Status expect_maps(const InferContext& c) {
  if (c.shape(0) == nullptr || c.shape(0)->rank() == 4) return ok();
  return invalid_model("input has shape ", *c.shape(0), "; it must have rank 4");
}

// extent / divisor, which must divide it.
Result<Dim> divided(const Dim& extent, std::int64_t divisor, std::string_view what) {
  if (extent.known() && extent.value() % divisor != 0) {
    return invalid_model(what, " ", extent, " is not a multiple of ", divisor);
  }
  return floor_div(extent, divisor);
}

Status infer_depth_to_space(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  MINI_TRY(expect_maps(c));
  MINI_TRY_ASSIGN(const std::int64_t b, block_of(c, "blocksize"));
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, 4));
  if (c.shape(0) == nullptr) return ok();
  const SymShape& x = *c.shape(0);
  MINI_TRY_ASSIGN(const Dim channels, divided(x[1], b * b, "the number of channels"));
  c.set_output(0, c.dtype(0), SymShape{x[0], channels, x[2] * Dim(b), x[3] * Dim(b)});
  return ok();
}

Status infer_space_to_depth(InferContext& c, std::string_view attribute) {
  MINI_TRY(c.expect_inputs(1));
  MINI_TRY(expect_maps(c));
  MINI_TRY_ASSIGN(const std::int64_t b, block_of(c, attribute));
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, 4));
  if (c.shape(0) == nullptr) return ok();
  const SymShape& x = *c.shape(0);
  MINI_TRY_ASSIGN(const Dim height, divided(x[2], b, "the height"));
  MINI_TRY_ASSIGN(const Dim width, divided(x[3], b, "the width"));
  c.set_output(0, c.dtype(0), SymShape{x[0], x[1] * Dim(b * b), height, width});
  return ok();
}

Status infer_to_depth(InferContext& c) { return infer_space_to_depth(c, "blocksize"); }
Status infer_focus(InferContext& c) { return infer_space_to_depth(c, "block"); }

PreparedKernel copy_kernel(const PrepareContext& c, const char* name,
                           std::vector<StridedCopy> copies) {
  PreparedKernel kernel;
  kernel.name = name;
  kernel.run = [copies = std::move(copies), dtype = c.dtype(0)](const KernelContext& k) {
    for (const StridedCopy& copy : copies) copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

// Mode DCR: x[n, dy*b*C + dx*C + c, h, w] -> y[n, c, h*b + dy, w*b + dx]
// Mode CRD: x[n, c*b*b + dy*b + dx, h, w] -> the same
Result<PreparedKernel> prepare_depth_to_space(PrepareContext& c) {
  MINI_TRY_ASSIGN(const std::int64_t b, block_of(c, "blocksize"));
  const std::string mode = c.string("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return invalid_model("mode '", mode, "' of DepthToSpace");
  const Shape& x = c.shape(0);
  const std::int64_t channels = x[1] / (b * b), plane = x[2] * x[3], row = x[3] * b;
  const std::int64_t per_offset = mode == "DCR" ? channels * plane : plane;
  const std::int64_t per_channel = mode == "DCR" ? plane : b * b * plane;
  std::vector<StridedCopy> copies;
  copies.push_back(StridedCopy({{x[0], x[1] * plane, x[1] * plane},
                                {channels, per_channel, plane * b * b},
                                {x[2], x[3], b * row},
                                {b, b * per_offset, row},
                                {x[3], 1, b},
                                {b, per_offset, 1}}));
  return copy_kernel(c, "depth_to_space", std::move(copies));
}

// Whether places first, first + step, ... follow each other.
bool evenly_spaced(const Ints& order, std::int64_t first, std::int64_t count) {
  const auto at = [&](std::int64_t i) { return order[static_cast<std::size_t>(first + i)]; };
  for (std::int64_t i = 2; i < count; ++i) {
    if (at(i) - at(i - 1) != at(1) - at(0)) return false;
  }
  return true;
}

// x[n, c, h*b + dy, w*b + dx] -> y[n, place(dy, dx)*C + c, h, w], place(dy, dx) = order[dy*b + dx]
PreparedKernel space_to_depth(const PrepareContext& c, std::int64_t b, const Ints& order,
                              const char* name) {
  const Shape& x = c.shape(0);
  const std::int64_t channels = x[1], height = x[2] / b, width = x[3] / b;
  const std::int64_t plane = height * width, image = channels * b * b * plane;
  const auto place = [&](std::int64_t i) { return order[static_cast<std::size_t>(i)]; };
  std::vector<StridedCopy> copies;
  // `count` neighbouring quarters of a row, from number `first` on.
  const auto add = [&](std::int64_t first, std::int64_t count) {
    const std::int64_t step = count > 1 ? place(first + 1) - place(first) : 0;
    copies.push_back(StridedCopy({{x[0], image, image},
                                  {channels, b * b * plane, plane},
                                  {height, b * x[3], width},
                                  {count, 1, step * channels * plane},
                                  {width, b, 1}},
                                 first / b * x[3] + first % b, place(first) * channels * plane));
  };
  for (std::int64_t dy = 0; dy < b; ++dy) {
    const bool together = evenly_spaced(order, dy * b, b);
    for (std::int64_t dx = 0; dx < b; dx += together ? b : 1) {
      add(dy * b + dx, together ? b : 1);
    }
  }
  return copy_kernel(c, name, std::move(copies));
}

Result<PreparedKernel> prepare_space_to_depth(PrepareContext& c) {
  MINI_TRY_ASSIGN(const std::int64_t b, block_of(c, "blocksize"));
  return space_to_depth(c, b, all_axes(static_cast<std::size_t>(b * b)), "space_to_depth");
}

// Focus, of the internal domain: SpaceToDepth with the quarters in the order that the model
// concatenates them. `order` holds for each place in the output the quarter dy*block + dx put
// there.
Result<PreparedKernel> prepare_focus(PrepareContext& c) {
  MINI_TRY_ASSIGN(const std::int64_t b, block_of(c, "block"));
  const Ints quarters = c.ints("order");
  MINI_TRY_ASSIGN(const auto places, normalize_axes(quarters, static_cast<std::size_t>(b * b)));
  if (places.size() != static_cast<std::size_t>(b * b)) {
    return invalid_model("order ", quarters, " must name each of ", b * b, " quarters");
  }
  Ints order(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) order[places[i]] = static_cast<std::int64_t>(i);
  return space_to_depth(c, b, order, "focus");
}

}  // namespace

MINI_DEFINE_OP(DepthToSpace, {.type = "DepthToSpace",
                              .since = {1, 11, 13},
                              .infer = infer_depth_to_space,
                              .prepare = prepare_depth_to_space})
MINI_DEFINE_OP(SpaceToDepth, {.type = "SpaceToDepth",
                              .since = {1, 13},
                              .infer = infer_to_depth,
                              .prepare = prepare_space_to_depth})
MINI_DEFINE_OP(Focus, {.domain = kInternalDomain,
                       .type = "Focus",
                       .since = {1},
                       .infer = infer_focus,
                       .prepare = prepare_focus})

}  // namespace mini_infer
