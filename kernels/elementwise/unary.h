// y = f(x), element by element: one row of a table for each operator.
#pragma once

#include "kernels/activation.h"
#include "kernels/op.h"

namespace mini_infer {

// A float attribute of a unary operator; a fixed number where it has no name.
struct UnaryParameter {
  const char* name = nullptr;
  float fallback = 0.f;
};

// What integer tensors get; kNone: the operator takes floating-point numbers only.
enum class IntegerUnary { kNone, kIdentity, kAbs, kNeg, kSign, kRelu };

struct UnaryOp {
  // The vector kernel for float32, if there is one, with alpha and beta as its parameters.
  Activation activation = Activation::kNone;
  double (*f)(double x, double alpha, double beta) = nullptr;
  IntegerUnary integer = IntegerUnary::kNone;
  UnaryParameter alpha, beta;
};

Result<PreparedKernel> prepare_unary(PrepareContext& c, const UnaryOp& op);
// The same with parameters that are known already.
Result<PreparedKernel> prepare_unary(PrepareContext& c, const UnaryOp& op, float alpha, float beta);

}  // namespace mini_infer
