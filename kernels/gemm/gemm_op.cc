// Gemm, and FusedGemm of com.microsoft and of mini-infer itself:
//   y = activation(alpha * a' b' + beta * c), a' and b' transposed where transA and transB say so.
// onnx.ai/onnx/operators/onnx__Gemm.html
//
// Since opset 7 c broadcasts to y; before, the attribute `broadcast` had to ask for it, which is
// taken as given.

#include "kernels/gemm/product.h"

namespace mini_infer {
namespace {

struct Orders {
  OperandOrder a, b;
};

Orders read_orders(const AttributeReader& node) {
  return {{.transposed = node.integer("transA", 0) != 0},
          {.transposed = node.integer("transB", 0) != 0}};
}

Status check_rank(std::size_t rank, const char* name) {
  if (rank == 2) return ok();
  return invalid_model("input ", name, " has rank ", rank, "; Gemm needs 2");
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  const Orders orders = read_orders(c);
  if (const SymShape* a = c.shape(0)) MINI_TRY(check_rank(a->rank(), "A"));
  if (const SymShape* b = c.shape(1)) MINI_TRY(check_rank(b->rank(), "B"));
  MINI_TRY_ASSIGN(auto shape, infer_product_shape(c.shape(0), orders.a, c.shape(1), orders.b));
  if (!shape) {
    // Rank 2 it is, whatever the operands turn out to be.
    const SymShape* a = c.shape(0);
    const SymShape* b = c.shape(1);
    shape = SymShape{a != nullptr ? (*a)[orders.a.transposed ? 1 : 0] : c.unknown(0, 0),
                     b != nullptr ? (*b)[orders.b.transposed ? 0 : 1] : c.unknown(0, 1)};
  }
  c.set_output(0, c.dtype(0), std::move(shape));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Orders orders = read_orders(c);
  MINI_TRY(check_rank(c.shape(0).rank(), "A"));
  MINI_TRY(check_rank(c.shape(1).rank(), "B"));
  MINI_TRY_ASSIGN(Product product, read_product(c.shape(0), orders.a, c.shape(1), orders.b));
  MINI_TRY_ASSIGN(const FusedActivation activation, read_activation(c));
  ProductEnd end{.alpha = c.number("alpha", 1.f),
                 .beta = c.number("beta", 1.f),
                 .activation = activation.params};
  MINI_TRY(Status(c.status()));
  if (activation.per_channel_slope) return not_implemented("PRelu after a matrix product");
  if (c.has_input(2) && end.beta != 0.f) end.bias = 2;
  return prepare_product(c, std::move(product), end);
}

}  // namespace

MINI_DEFINE_OP(Gemm,
               {.type = "Gemm", .since = {1, 6, 7, 9, 11, 13}, .infer = infer, .prepare = prepare})
MINI_DEFINE_OP(FusedGemm, {.domain = kInternalDomain,
                           .type = "FusedGemm",
                           .since = {1},
                           .infer = infer,
                           .prepare = prepare})

MINI_DEFINE_OP(MicrosoftFusedGemm, {.domain = "com.microsoft",
                                    .type = "FusedGemm",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare})

}  // namespace mini_infer
