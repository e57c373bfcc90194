// Float32 pooling over two axes row by row, for both layouts.
#pragma once

#include "kernels/pool/pool.h"
#include "kernels/pool/pool.simd.h"

namespace mini_infer {

struct RowPool {
  void (*row)(const simd::PoolRow&);
  // factors[oy * out width + ox], for averages; empty otherwise
  std::vector<float> factors;
};

// Whether pooling can go row by row.
bool takes_row_pool(const PrepareContext& c, const PoolGeometry& g);
PreparedKernel make_row_pool(const PrepareContext& c, const PoolGeometry& g, RowPool pool,
                             const std::string& name);

}  // namespace mini_infer
