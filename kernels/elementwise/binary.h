// y = f(a, b) with broadcasting: one row of a table for each operator.
#pragma once

#include <vector>

#include "kernels/elementwise/binary.simd.h"
#include "kernels/elementwise/broadcast.h"
#include "kernels/op.h"

namespace mini_infer {

// Computes a tile; a, b and y are the tensors' first elements.
using BinaryTileFn = void (*)(const Tile& tile, const void* a, const void* b, void* y);

struct BinaryOp {
  BinaryKind vector = BinaryKind::kNone;  // the kernel for float32
  // The kernel for inputs of a dtype; nullptr where the operator does not take it.
  BinaryTileFn (*scalar)(DType) = nullptr;
  bool refuses_zero_divisor = false;  // integer division
};

// One application of a BinaryOp, ready to run.
class BinaryStep {
 public:
  static Result<BinaryStep> make(PrepareContext& c, const BinaryOp& op, DType dtype,
                                 const Shape& out, const Shape& a, const Shape& b);
  // y may be a or b where that has y's shape.
  Status run(const KernelContext& k, const void* a, const void* b, void* y) const;

 private:
  explicit BinaryStep(BroadcastLoop loop) : loop_(std::move(loop)) {}
  BroadcastLoop loop_;
  BinaryKind vector_ = BinaryKind::kNone;
  simd::binary_f32_fn* vector_kernel_ = nullptr;
  BinaryTileFn scalar_kernel_ = nullptr;
  bool (*has_zero_)(const void* data, std::int64_t n) = nullptr;
  std::int64_t divisors_ = 0;
};

// The shape of input 1 of an operator of opset < 7, whose attribute `axis` says where it lies in
// input 0; its own shape in later opsets.
Shape legacy_shape(const AttributeReader& attributes, int opset, const Shape& a, const Shape& b);

// dtype and shape of the output of an operator that broadcasts all inputs together.
Status infer_broadcast(InferContext& c);
Result<PreparedKernel> prepare_binary(PrepareContext& c, const BinaryOp& op, const char* name);

}  // namespace mini_infer
