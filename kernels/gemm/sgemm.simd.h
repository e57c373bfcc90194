// The vector parts of the float GEMM; gemm.cc drives them.
#pragma once

#include "kernels/activation.h"
#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// In which order the tiles of a block are computed. By columns: a panel of B stays in the L1 cache,
// the block of A in L2. By rows: a panel of A stays in L1, the block of B in L2, and C is written
// along its rows.
enum class TileOrder : std::uint8_t { kColumnByColumn, kRowByRow };

// C[m, n] = A B over k of packed panels, see gemm.h. `first` and `last` say whether this is the
// first and the last block of k: the first one adds bias and residual, later ones add to C, the
// last one applies the activation.
struct GemmBlock {
  std::int64_t m, n, k;
  const float* a;  // panels of mr rows: [m / mr][k][mr], a_panel floats apart
  std::int64_t a_panel;
  int mr;
  TileOrder order;
  const float* b;  // panels of nr columns: [n / nr][k][nr], b_panel floats apart
  std::int64_t b_panel;
  std::int64_t b_step;  // from one k to the next: nr in packed panels; a matrix in memory has its
                        // row stride, and panels nr apart
  float* c;
  std::int64_t c_stride;
  bool first, last;
  float alpha, beta;
  const float* row_bias;     // of row 0 of the block, or null
  const float* column_bias;  // of column 0 of the block, or null
  const float* residual;     // of element 0, 0 of the block, or null
  std::int64_t residual_stride;
  ActivationParams activation;
};

// Panels of a strided operand: element (i, k) at src[i * stride + k * k_stride], i < count, k < kc,
// goes to out[(i / width) * panel_stride + k * width + i % width]; the last panel's tail is zero.
struct PackJob {
  const float* src;
  std::int64_t stride, k_stride;
  std::int64_t count, kc;
  int width;
  float* out;
  std::int64_t panel_stride;
};

MINI_SIMD_KERNEL(sgemm_block, void(const GemmBlock& block))
MINI_SIMD_KERNEL(sgemm_tile_rows, int())
MINI_SIMD_KERNEL(sgemm_tile_columns, int())
MINI_SIMD_KERNEL(pack_panels, void(const PackJob& job))

}  // namespace mini_infer::simd
