// CenterCropPad: some axes cut or filled up with zeros on both sides.
//                                              onnx.ai/onnx/operators/onnx__CenterCropPad.html
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Result<std::vector<std::size_t>> axes_of(const AttributeReader& c, std::size_t rank) {
  return normalize_axes(c.has("axes") ? c.ints("axes") : all_axes(rank), rank);
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  MINI_TRY_ASSIGN(const auto axes, axes_of(c, x->rank()));
  SymShape out = *x;
  const auto* wanted = c.contents(1);
  if (wanted != nullptr && wanted->size() != axes.size()) {
    return invalid_model("shape ", *wanted, " must have a number for each of ", axes.size(),
                         " axes");
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    out[axes[i]] = wanted != nullptr ? (*wanted)[i] : c.unknown(0, axes[i]);
    if (out[axes[i]].known() && out[axes[i]].value() < 0) {
      return invalid_model("shape ", *wanted, " is negative");
    }
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  const auto in_strides = strides_of(x), out_strides = strides_of(out);
  std::vector<StridedCopy::Axis> axes, zeros = dense_axes(out);
  std::int64_t from = 0, to = 0;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    zeros[i].in = 0;
    axes.push_back({std::min(x[i], out[i]), in_strides[i], out_strides[i]});
    from += std::max<std::int64_t>(x[i] - out[i], 0) / 2 * in_strides[i];
    to += std::max<std::int64_t>(out[i] - x[i], 0) / 2 * out_strides[i];
  }
  const StridedCopy copy(std::move(axes), from, to), fill(std::move(zeros));
  const bool pads = copy.elements() < fill.elements();
  PreparedKernel kernel;
  kernel.name = "center_crop_pad";
  kernel.run = [copy, fill, pads, zero = Tensor(c.dtype(0), Shape{}),
                dtype = c.dtype(0)](const KernelContext& k) {
    if (pads) fill.run(k, dtype, zero.data(), k.outputs[0]);
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(CenterCropPad,
               {.type = "CenterCropPad", .since = {18}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
