// Constant: a tensor from an attribute.         onnx.ai/onnx/operators/onnx__Constant.html
#include <optional>

#include "graph/ir/constants.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values);
}

Result<Tensor> value_of(const AttributeReader& c) {
  if (const Tensor* tensor = c.tensor("value")) return *tensor;
  if (c.has("value_float")) return Tensor::scalar(c.number("value_float", 0));
  if (c.has("value_int")) return Tensor::scalar(c.integer("value_int", 0));
  if (c.has("value_string")) return Tensor::scalar(c.string("value_string", ""));
  if (c.has("value_floats")) return vector_of(c.floats("value_floats"));
  if (c.has("value_ints")) return vector_of(c.ints("value_ints"));
  if (c.has("value_strings")) return vector_of(c.strings("value_strings"));
  if (c.has("sparse_value")) return not_implemented("sparse_value is not supported");
  return invalid_model("no value attribute");
}

Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(const Tensor value, value_of(c));
  c.set_output(0, value.dtype(), SymShape(value.shape()));
  if (value.elements() > kMostContents) return ok();
  if (const auto ints = integers(value)) c.set_contents(0, {ints->begin(), ints->end()});
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Tensor value, value_of(c));
  PreparedKernel kernel;
  kernel.name = "constant";
  kernel.run = [value, copy = StridedCopy(dense_axes(value.shape()))](const KernelContext& k) {
    copy.run(k, value.dtype(), value.data(), k.outputs[0]);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Constant, {.type = "Constant",
                          .since = {1, 9, 11, 12, 13, 19, 21},
                          .infer = infer,
                          .prepare = prepare})

}  // namespace mini_infer
