// Reshape, Flatten: the same bytes under another shape.
//                                              onnx.ai/onnx/operators/onnx__Reshape.html
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/movement/symbolic.h"

namespace mini_infer {
namespace {

// The wanted extents with 0 replaced by the input's; -1 stays.
Result<std::vector<Dim>> wanted_dims(const InferContext& c, const std::vector<Dim>& target) {
  const bool zero_is_zero = c.opset() >= 14 && c.integer("allowzero", 0) != 0;
  std::vector<Dim> dims;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i].known() && target[i].value() < -1) {
      return invalid_model("shape ", target, " has the negative extent ", target[i]);
    }
    if (!target[i].is(0) || zero_is_zero) {
      dims.push_back(target[i]);
    } else if (c.shape(0) == nullptr) {
      dims.push_back(c.unknown(0, i));
    } else if (i < c.shape(0)->rank()) {
      dims.push_back((*c.shape(0))[i]);
    } else {
      return invalid_model("shape ", target, " copies extent ", i, " of data ", *c.shape(0));
    }
  }
  return dims;
}

// Replaces the one -1 by what makes the element counts equal.
Status resolve(const InferContext& c, std::vector<Dim>& dims) {
  const auto is_open = [](const Dim& dim) { return dim.is(-1); };
  const auto open = std::find_if(dims.begin(), dims.end(), is_open);
  if (open == dims.end()) {
    if (c.shape(0) == nullptr) return ok();
    const Dim before = c.shape(0)->elements(), after = SymShape(dims).elements();
    if (!before.known() || !after.known() || before == after) return ok();
    return invalid_model("data ", *c.shape(0), " has ", before, " elements, shape ", dims, " has ",
                         after);
  }
  if (std::count_if(dims.begin(), dims.end(), is_open) > 1) {
    return invalid_model("shape ", dims, " has more than one -1");
  }
  const auto axis = static_cast<std::size_t>(open - dims.begin());
  std::vector<Dim> others = dims;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(axis));
  if (c.shape(0) == nullptr) {
    *open = c.unknown(0, axis);
    return ok();
  }
  const auto quotient = divide_extents(c.shape(0)->dims(), others);
  if (!quotient) {
    return invalid_model("data ", *c.shape(0), " cannot be divided into ", dims);
  }
  *open = *quotient;
  return ok();
}

Status infer_reshape(InferContext& c) {
  std::vector<Dim> attribute;
  const std::vector<Dim>* target = nullptr;
  if (c.opset() < 5) {
    MINI_TRY(c.expect_inputs(1));
    const Ints ints = c.ints("shape");
    attribute.assign(ints.begin(), ints.end());
    target = &attribute;
  } else {
    MINI_TRY(c.expect_inputs(2));
    target = c.contents(1);
  }
  if (target == nullptr) {
    c.set_output(0, c.dtype(0));
    const auto rank = tracked_rank(c.shape(1));
    if (rank) c.set_output(0, c.dtype(0), unknown_shape(c, 0, *rank));
    return ok();
  }
  MINI_TRY_ASSIGN(std::vector<Dim> dims, wanted_dims(c, *target));
  MINI_TRY(resolve(c, dims));
  c.set_output(0, c.dtype(0), SymShape(std::move(dims)));
  if (c.contents(0) != nullptr) c.set_contents(0, *c.contents(0));
  return ok();
}

Status infer_flatten(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  if (c.shape(0) == nullptr) {
    c.set_output(0, c.dtype(0), unknown_shape(c, 0, 2));
    return ok();
  }
  const SymShape& x = *c.shape(0);
  const auto rank = static_cast<std::int64_t>(x.rank());
  const std::int64_t axis = c.integer("axis", 1);
  if (axis < -rank || axis > rank) {
    return invalid_model("axis ", axis, " is outside [", -rank, ",", rank, "] for rank ", rank);
  }
  Dim rows = 1, cols = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    Dim& part = i < (axis < 0 ? axis + rank : axis) ? rows : cols;
    part = part * x[static_cast<std::size_t>(i)];
  }
  c.set_output(0, c.dtype(0), SymShape{rows, cols});
  if (c.contents(0) != nullptr) c.set_contents(0, *c.contents(0));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  if (out.elements() != c.shape(0).elements()) {
    return invalid_model("data ", c.shape(0), " cannot take the shape ", out);
  }
  return view_kernel(c, "view");
}

}  // namespace

MINI_DEFINE_OP(Reshape, {.type = "Reshape",
                         .since = {1, 5, 13, 14, 19, 21},
                         .infer = infer_reshape,
                         .prepare = prepare})
MINI_DEFINE_OP(Flatten, {.type = "Flatten",
                         .since = {1, 9, 11, 13, 21},
                         .infer = infer_flatten,
                         .prepare = prepare})

}  // namespace mini_infer
