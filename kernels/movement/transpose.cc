// Transpose: y[i_perm[0], i_perm[1], ...] = x[i_0, i_1, ...].
//                                              onnx.ai/onnx/operators/onnx__Transpose.html
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Result<std::vector<std::size_t>> permutation(const AttributeReader& c, std::size_t rank) {
  Ints perm = c.ints("perm");
  if (!c.has("perm")) {
    perm = all_axes(rank);
    std::reverse(perm.begin(), perm.end());
  }
  if (perm.size() != rank) return invalid_model("perm ", perm, " is not of rank ", rank);
  return normalize_axes(perm, rank);
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const SymShape* x = c.shape(0);
  if (x == nullptr) {
    c.set_output(0, c.dtype(0));
    if (c.has("perm")) c.set_output(0, c.dtype(0), unknown_shape(c, 0, c.ints("perm").size()));
    return ok();
  }
  MINI_TRY_ASSIGN(const auto perm, permutation(c, x->rank()));
  SymShape out;
  for (const std::size_t axis : perm) out.push_back((*x)[axis]);
  c.set_output(0, c.dtype(0), out);
  if (c.contents(0) != nullptr && x->rank() <= 1) c.set_contents(0, *c.contents(0));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const auto perm, permutation(c, x.rank()));
  Shape out;
  for (const std::size_t axis : perm) out.push_back(x[axis]);
  const auto in_strides = strides_of(x), out_strides = strides_of(out);
  std::vector<StridedCopy::Axis> axes;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    axes.push_back({out[i], in_strides[perm[i]], out_strides[i]});
  }
  StridedCopy copy(std::move(axes));
  if (copy.elements() == 0 || copy.one_run()) return view_kernel(c, "view");
  PreparedKernel kernel;
  kernel.name = "transpose/" + copy.kind();
  kernel.why = cat("perm ", c.ints("perm"));
  kernel.run = [copy = std::move(copy), dtype = c.dtype(0)](const KernelContext& k) {
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Transpose,
               {.type = "Transpose", .since = {1, 13, 21}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
