// Dropout at inference: y = x, mask = all kept.  onnx.ai/onnx/operators/onnx__Dropout.html
#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// The mask is bool since opset 10, before it had the dtype of x.
DType mask_dtype(int opset, DType x) { return opset >= 10 ? DType::kBool : x; }

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 3));
  std::optional<SymShape> shape;
  if (c.shape(0) != nullptr) shape = *c.shape(0);
  c.set_output(0, c.dtype(0), shape);
  c.set_output(1, mask_dtype(c.opset(), c.dtype(0)), shape);
  return ok();
}

// Fills with the value 1.
void fill_ones(DType dtype, void* data, std::int64_t count) {
  dispatch_dtype(dtype, [&]<class T>() {
    T one;
    if constexpr (std::is_same_v<T, Float16>) {
      one = to_float16(1.f);
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      one = to_bfloat16(1.f);
    } else {
      one = T(1);
    }
    std::fill_n(static_cast<T*>(data), count, one);
  });
}

// Training mode throws elements away unless the ratio is 0.
Status check_inference(const PrepareContext& c) {
  if (!c.has_input(2)) return ok();
  const Tensor* training = c.constant(2);
  const Tensor* ratio = c.constant(1);
  if (training != nullptr && single_number(*training).value_or(1) == 0) return ok();
  if (ratio != nullptr && single_number(*ratio).value_or(1) == 0) return ok();
  return not_implemented("training_mode is not a constant false: only inference is implemented");
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_inference(c));
  PreparedKernel kernel = view_kernel(c, "view");
  if (!c.has_output(1)) return kernel;
  const DType dtype = c.output_dtype(1);
  const std::int64_t count = c.shape(0).elements();
  kernel.run = [copy = kernel.run, dtype, count](const KernelContext& k) {
    fill_ones(dtype, k.outputs[1], count);
    return copy(k);
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Dropout, {.type = "Dropout",
                         .since = {1, 6, 7, 10, 12, 13, 22},
                         .infer = infer,
                         .prepare = prepare})

}  // namespace mini_infer
