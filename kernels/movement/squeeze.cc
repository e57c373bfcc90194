// Squeeze and Unsqueeze: without or with axes of extent 1.
//                                              onnx.ai/onnx/operators/onnx__Squeeze.html
#include <algorithm>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// `axes`: an attribute before opset 13, an input since.
struct Axes {
  bool given = false;
  std::optional<Ints> values;  // no value: known at run time only
};
Axes axes_of(const InferContext& c) {
  if (c.opset() < 13) return {c.has("axes"), c.ints("axes")};
  if (!c.has_input(1)) return {};
  return {true, c.ints_of(1)};
}

bool contains(const std::vector<std::size_t>& axes, std::size_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

void pass_contents(InferContext& c) {
  if (c.contents(0) != nullptr) c.set_contents(0, *c.contents(0));
}

Status infer_squeeze(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 2));
  c.set_output(0, c.dtype(0));
  pass_contents(c);
  const SymShape* x = c.shape(0);
  Axes axes = axes_of(c);
  if (x == nullptr || (axes.given && !axes.values)) return ok();
  if (!axes.given) {
    if (!x->known()) return ok();  // a symbol may turn out to be 1
    axes.values.emplace();
    for (std::size_t i = 0; i < x->rank(); ++i) {
      if ((*x)[i].is(1)) axes.values->push_back(static_cast<std::int64_t>(i));
    }
  }
  MINI_TRY_ASSIGN(const auto dropped, normalize_axes(*axes.values, x->rank()));
  SymShape out;
  for (std::size_t i = 0; i < x->rank(); ++i) {
    if (!contains(dropped, i)) {
      out.push_back((*x)[i]);
    } else if ((*x)[i].known() && !(*x)[i].is(1)) {
      return invalid_model("axis ", i, " of data ", *x, " has not the extent 1");
    }
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

Status infer_unsqueeze(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 2));
  c.set_output(0, c.dtype(0));
  pass_contents(c);
  const SymShape* x = c.shape(0);
  const Axes axes = axes_of(c);
  if (!axes.given) return invalid_model("axes is missing");
  if (x == nullptr || !axes.values) return ok();
  MINI_TRY_ASSIGN(const auto added, normalize_axes(*axes.values, x->rank() + axes.values->size()));
  SymShape out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < x->rank() + added.size(); ++i) {
    out.push_back(contains(added, i) ? Dim(1) : (*x)[next++]);
  }
  c.set_output(0, c.dtype(0), out);
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

MINI_DEFINE_OP(Squeeze, {.type = "Squeeze",
                         .since = {1, 11, 13, 21},
                         .infer = infer_squeeze,
                         .prepare = prepare})
MINI_DEFINE_OP(Unsqueeze, {.type = "Unsqueeze",
                           .since = {1, 11, 13, 21},
                           .infer = infer_unsqueeze,
                           .prepare = prepare})

}  // namespace mini_infer
