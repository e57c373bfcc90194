// C = activation(alpha A B + beta (bias + residual)) in float32: packed, blocked, fused. A is [m,
// k], B is [k, n], C is [m, n].
//
// How an operator uses it:
//   at prepare   const GemmPlan plan = plan_gemm({.m, .n, .k, .a = ..., .b = ...}, threads, isa);
//                constant operands: pack_b(...) or pack_a(...) once into packed_b_floats(...)
//                floats aligned to 64 bytes; reserve plan.scratch_bytes() of scratch, aligned to 64
//                bytes.
//   at run       gemm(plan, operands, scratch);
// Nothing is allocated and nothing fails at run.
//
// Which operand should hold weights: MatMul and Gemm have them in B (packed in panels of nr
// columns). A convolution over NCHW uses weights as A [oc, ic kh kw] and pixels as B, so that C
// [oc, pixels] is the output as it lies in memory, the bias is one per row and im2col writes panels
// of pixels by copying runs; B is then a callback, or the input itself where the kernel is 1x1.
//
// Threads: the tiles of C are split, never k, so that every thread count gives the same bits.
#pragma once

#include <cstdint>

#include "kernels/activation.h"
#include "kernels/kernel_context.h"
#include "kernels/simd/isa.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {

// What the micro-kernel computes at a time: mr rows, nr columns.
struct GemmTile {
  int mr;
  int nr;
};
GemmTile gemm_tile(Isa isa) noexcept;

// How an operand is given.
enum class GemmSource : std::uint8_t {
  kStrided,   // a matrix in memory, packed block by block while running
  kPacked,    // packed beforehand by pack_a or pack_b
  kCallback,  // a function writes each block in packed form (im2col)
};

// A part of an operand in packed form. Elements `first` to first + count of the operand's outer
// index (rows of A, columns of B), k0 to k0 + kc of k. They go to panels of `width` elements:
//   element (first + p * width + i, k0 + k)  ->  out[p * panel_stride + k * width + i]
// and the panel's tail, where p * width + i >= count, is zero.
struct GemmPanels {
  std::int64_t first;
  std::int64_t count;
  std::int64_t k0;
  std::int64_t kc;
  int width;
  std::int64_t panel_stride;
};
using GemmPackFn = void(const void* context, const GemmPanels& part, float* out);

// A or B. Strided: element (row, column) at data[row * row_stride + column * column_stride], so
// that a transposed matrix has its strides swapped. Packed: data only. Callback: pack and context
// only.
struct GemmInput {
  const float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  GemmPackFn* pack = nullptr;
  const void* context = nullptr;
};

struct GemmEpilogue {
  float alpha = 1.f;                   // of the product
  float beta = 1.f;                    // of bias and residual
  const float* row_bias = nullptr;     // [m]
  const float* column_bias = nullptr;  // [n]
  const float* residual =
      nullptr;  // [m, n], rows residual_stride apart (0: one row for all); may be C itself
  std::int64_t residual_stride = 0;
  ActivationParams activation;
};

struct GemmOperands {
  GemmInput a;
  GemmInput b;
  float* c = nullptr;
  std::int64_t c_stride = 0;  // between rows
  GemmEpilogue epilogue;
};

struct GemmShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t batch = 1;  // matrices of this shape, for gemm_batch
  GemmSource a = GemmSource::kStrided;
  GemmSource b = GemmSource::kStrided;
};

// How a product is computed. Immutable; cheap to make, so that it may also be made at run time
// where shapes are not known before.
struct GemmPlan {
  GemmShape shape;
  Isa isa;
  int mr;  // rows of a panel of A: at most the tile's, less where that divides m better
  int nr;  // columns of a panel of B
  std::int64_t mc, nc, kc;               // a block: rows, columns, depth
  int threads;                           // at most; fewer where the product is small
  std::int64_t row_tasks, column_tasks;  // how each matrix is split
  std::int64_t scratch_floats;  // for each thread; the first scratch_of_a hold a block of A
  std::int64_t scratch_of_a;

  std::int64_t tasks() const { return shape.batch * row_tasks * column_tasks; }
  std::size_t scratch_bytes() const {
    return static_cast<std::size_t>(scratch_of_threads(scratch_floats, threads)) * sizeof(float);
  }
};
GemmPlan plan_gemm(const GemmShape& shape, int threads, Isa isa = best_isa()) noexcept;

// Floats of a packed operand; 0 where that overflows.
std::int64_t packed_a_floats(std::int64_t m, std::int64_t k, Isa isa = best_isa()) noexcept;
std::int64_t packed_b_floats(std::int64_t k, std::int64_t n, Isa isa = best_isa()) noexcept;
// Packs a whole operand for any plan of the same m (pack_a) or n (pack_b), k and isa.
void pack_a(const GemmInput& a, std::int64_t m, std::int64_t k, float* packed, Isa isa = best_isa(),
            int threads = 1) noexcept;
void pack_b(const GemmInput& b, std::int64_t k, std::int64_t n, float* packed, Isa isa = best_isa(),
            int threads = 1) noexcept;

// Runs the plan's tasks on its threads. `scratch` has plan.scratch_bytes() bytes, aligned to 64.
void gemm(const GemmPlan& plan, const GemmOperands& operands, float* scratch) noexcept;
// The same for plan.shape.batch products; operands_of(i) gives those of product i. It is called
// from several threads.
void gemm_batch(const GemmPlan& plan, FunctionRef<GemmOperands(std::int64_t)> operands_of,
                float* scratch) noexcept;

// The same with the sums over a part of k only, 0 <= depth.begin <= depth.end <= k.
void gemm_batch_over(const GemmPlan& plan, Range depth,
                     FunctionRef<GemmOperands(std::int64_t)> operands_of, float* scratch) noexcept;

}  // namespace mini_infer
