#include "kernels/conv/scale_filters.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

void scale_filters_f32(const FilterScaling& p) {
  const float* from = p.filters;
  float* to = p.scaled;
  for (std::int64_t k = 0; k < p.channels; ++k, from += p.width, to += p.width) {
    const Vec scale = broadcast(p.scales[k]);
    for (std::int64_t i = 0; i < p.width; i += kLanes) store(to + i, load(from + i) * scale);
  }
}

}  // namespace mini_infer::simd::MINI_ISA
