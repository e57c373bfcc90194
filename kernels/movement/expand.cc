// Expand and Tile: elements repeated.           onnx.ai/onnx/operators/onnx__Expand.html
//
// Both are loop nests whose input stands still along the repeated axes.
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

// Contents of a repeated small tensor, where its copies are all alike or it is a vector.
void infer_contents(InferContext& c, const SymShape& out) {
  const auto* contents = tracked_contents(c, 0);
  const auto count = tracked_elements(&out);
  if (contents == nullptr || !count || contents->empty()) return;
  if (contents->size() > 1 && out.rank() > 1) return;
  std::vector<Dim> repeated;
  for (std::int64_t i = 0; i < *count; ++i) {
    repeated.push_back((*contents)[static_cast<std::size_t>(i) % contents->size()]);
  }
  c.set_contents(0, std::move(repeated));
}

Status infer_expand(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (c.contents(1) == nullptr) {
    const auto rank = tracked_rank(c.shape(1));
    if (rank) c.set_output(0, c.dtype(0), unknown_shape(c, 0, std::max(*rank, x->rank())));
    return ok();
  }
  const SymShape target(*c.contents(1));
  const auto out = broadcast(*x, target);
  if (!out) return invalid_model("data ", *x, " cannot be expanded to ", target);
  c.set_output(0, c.dtype(0), *out);
  infer_contents(c, *out);
  return ok();
}

PreparedKernel repeat_kernel(const PrepareContext& c, const char* name, StridedCopy copy) {
  if (copy.elements() > 0 && copy.one_run()) return view_kernel(c, "view");
  PreparedKernel kernel;
  kernel.name = std::string(name) + "/" + copy.kind();
  kernel.run = [copy = std::move(copy), dtype = c.dtype(0)](const KernelContext& k) {
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare_expand(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  if (broadcast(x, out) != std::optional(out)) {
    return invalid_model("data ", x, " cannot be expanded to ", out);
  }
  const auto in_strides = strides_of(x);
  const std::size_t lead = out.rank() - x.rank();
  auto axes = dense_axes(out);
  for (std::size_t i = 0; i < out.rank(); ++i) {
    axes[i].in = i < lead || x[i - lead] == 1 ? 0 : in_strides[i - lead];
  }
  return repeat_kernel(c, "expand", StridedCopy(std::move(axes)));
}

// How often each axis is repeated. Opset 1 has a scalar `tiles` for one `axis`, both inputs.
Result<std::optional<std::vector<Dim>>> repeats_of(const InferContext& c) {
  using Repeats = std::optional<std::vector<Dim>>;
  if (c.opset() >= 6) {
    return c.contents(1) != nullptr ? Repeats(*c.contents(1)) : Repeats();
  }
  MINI_TRY(c.expect_inputs(3));
  const auto axis = c.ints_of(2);
  if (c.contents(1) == nullptr || !axis || c.contents(1)->size() != 1 || axis->size() != 1) {
    return Repeats();
  }
  std::vector<Dim> repeats(c.shape(0)->rank(), Dim(1));
  MINI_TRY_ASSIGN(const std::size_t a, normalize_axis(axis->front(), repeats.size()));
  repeats[a] = c.contents(1)->front();
  return Repeats(std::move(repeats));
}

Status infer_tile(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  MINI_TRY_ASSIGN(const auto repeats, repeats_of(c));
  if (!repeats) {
    c.set_output(0, c.dtype(0), unknown_shape(c, 0, x->rank()));
    return ok();
  }
  if (repeats->size() != x->rank()) {
    return invalid_model("repeats ", *repeats, " is not of the rank of data ", *x);
  }
  SymShape out;
  for (std::size_t i = 0; i < x->rank(); ++i) {
    if ((*repeats)[i].known() && (*repeats)[i].value() < 0) {
      return invalid_model("repeats ", *repeats, " has a negative number");
    }
    out.push_back((*x)[i] * (*repeats)[i]);
  }
  c.set_output(0, c.dtype(0), out);
  infer_contents(c, out);
  return ok();
}

Result<PreparedKernel> prepare_tile(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  if (out.rank() != x.rank()) return invalid_model("data ", x, " cannot be tiled to ", out);
  const auto in_strides = strides_of(x), out_strides = strides_of(out);
  std::vector<StridedCopy::Axis> axes;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (x[i] == 0 ? out[i] != 0 : out[i] % x[i] != 0) {
      return invalid_model("data ", x, " cannot be tiled to ", out);
    }
    axes.push_back({x[i] == 0 ? 0 : out[i] / x[i], 0, x[i] * out_strides[i]});
    axes.push_back({x[i], in_strides[i], out_strides[i]});
  }
  return repeat_kernel(c, "tile", StridedCopy(std::move(axes)));
}

}  // namespace

MINI_DEFINE_OP(
    Expand, {.type = "Expand", .since = {8, 13}, .infer = infer_expand, .prepare = prepare_expand})
MINI_DEFINE_OP(Tile,
               {.type = "Tile", .since = {1, 6, 13}, .infer = infer_tile, .prepare = prepare_tile})

}  // namespace mini_infer
