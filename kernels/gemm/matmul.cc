// MatMul, FusedMatMul of com.microsoft, and FusedMatMul of mini-infer itself:
//   y = activation(alpha * a b + bias), stacks of matrices as numpy.matmul has them.
// onnx.ai/onnx/operators/onnx__MatMul.html

#include "kernels/gemm/product.h"

namespace mini_infer {
namespace {

struct Orders {
  OperandOrder a, b;
};

// transA, ... exist in com.microsoft only; everything else has no such attribute.
Orders read_orders(const AttributeReader& node) {
  return {{.transposed = node.integer("transA", 0) != 0,
           .stack_transposed = node.integer("transBatchA", 0) != 0},
          {.transposed = node.integer("transB", 0) != 0,
           .stack_transposed = node.integer("transBatchB", 0) != 0}};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  const Orders orders = read_orders(c);
  MINI_TRY_ASSIGN(auto shape, infer_product_shape(c.shape(0), orders.a, c.shape(1), orders.b));
  c.set_output(0, c.dtype(0), std::move(shape));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Orders orders = read_orders(c);
  MINI_TRY_ASSIGN(Product product, read_product(c.shape(0), orders.a, c.shape(1), orders.b));
  MINI_TRY_ASSIGN(const FusedActivation activation, read_activation(c));
  ProductEnd end{.alpha = c.number("alpha", 1.f), .activation = activation.params};
  MINI_TRY(Status(c.status()));
  if (activation.per_channel_slope) return not_implemented("PRelu after a matrix product");
  if (c.has_input(2)) end.bias = 2;
  return prepare_product(c, std::move(product), end);
}

}  // namespace

MINI_DEFINE_OP(MatMul, {.type = "MatMul", .since = {1, 9, 13}, .infer = infer, .prepare = prepare})
MINI_DEFINE_OP(FusedMatMul, {.domain = kInternalDomain,
                             .type = "FusedMatMul",
                             .since = {1},
                             .infer = infer,
                             .prepare = prepare})
MINI_DEFINE_OP(MicrosoftFusedMatMul, {.domain = "com.microsoft",
                                      .type = "FusedMatMul",
                                      .since = {1},
                                      .infer = infer,
                                      .prepare = prepare})

}  // namespace mini_infer
