// Stacks of matrix products as operators mean them: numpy's broadcasting, transposed operands, a
// bias, an activation. Shared by MatMul, Gemm and their fused forms.
#pragma once

#include "kernels/fused_activation.h"
#include "kernels/op.h"

namespace mini_infer {

// How an operand is read. A vector is a matrix of one row on the left, of one column on the right.
struct OperandOrder {
  bool transposed = false;
  // The first axis is the matrix's row axis, and the stack's axes follow it (FusedMatMul).
  bool stack_transposed = false;
};

// The shape of a stack of products.
Result<std::optional<SymShape>> infer_product_shape(const SymShape* a, OperandOrder a_order,
                                                    const SymShape* b, OperandOrder b_order);

// One operand of known shape: where its matrices lie, in elements.
struct MatrixStack {
  std::int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;
  std::vector<std::int64_t> offsets;  // one for each product of the stack
  std::int64_t matrices = 1;          // that differ; offsets repeat where they are broadcast
};

// y[i] = a[i] b[i] for i < batch; y lies densely, [m, n] after [m, n].
struct Product {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  MatrixStack a, b;
  double macs() const {
    return static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) *
           static_cast<double>(k);
  }
};
Result<Product> read_product(const Shape& a, OperandOrder a_order, const Shape& b,
                             OperandOrder b_order);

// Makes one tall product of a stack that shares its right operand.
void merge_stack(Product& product);

// y = activation(alpha * product + beta * bias), bias an input that broadcasts to [m, n].
struct ProductEnd {
  int bias = -1;
  float alpha = 1.f, beta = 1.f;
  ActivationParams activation;
};

// The kernel for inputs 0 and 1; any dtype but strings and complex numbers.
Result<PreparedKernel> prepare_product(const PrepareContext& c, Product product,
                                       const ProductEnd& end);

}  // namespace mini_infer
