#include "kernels/pool/pool.h"

namespace mini_infer {

Result<std::optional<SymShape>> infer_pool_shape(const InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return std::optional<SymShape>();
  MINI_TRY_ASSIGN(const Window window, read_window(c));
  if (x->rank() != window.rank() + 2) {
    return invalid_model("the input has shape ", *x, "; kernel_shape ", window.kernel,
                         " needs rank ", window.rank() + 2);
  }
  SymShape out{(*x)[0], (*x)[1]};
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    const auto extent = window_output(window, axis, (*x)[axis + 2]);
    out.push_back(extent ? *extent : c.unknown(0, axis + 2));
  }
  return std::optional(out);
}

Status infer_pool(InferContext& c) {
  MINI_TRY_ASSIGN(auto shape, infer_pool_shape(c));
  c.set_output(0, c.dtype(0), std::move(shape));
  return ok();
}

Result<PoolGeometry> read_pool(const PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const Window window, read_window(c));
  PoolGeometry g;
  MINI_TRY_ASSIGN(static_cast<WindowAxes&>(g), window_axes(window, x));
  g.n = x[0];
  g.channels = x[1];
  return g;
}

LayoutChoice pool_layout(const LayoutQuery& query) {
  const Value& x = query.graph.value(query.node.inputs[0]);
  const bool blocked = query.inputs[0] == Layout::kBlocked && x.dtype == DType::kFloat32 &&
                       x.shape && x.shape->rank() == 4 && query.node.outputs.size() == 1;
  const Layout layout = blocked ? Layout::kBlocked : Layout::kPlain;
  return {{layout}, {layout}};
}

}  // namespace mini_infer
