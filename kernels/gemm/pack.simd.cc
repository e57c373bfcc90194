#include "kernels/gemm/sgemm.simd.h"
#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Elements of the outer index lie side by side: rows are copied.
void copy_rows(const PackJob& job) {
  for (std::int64_t k = 0; k < job.kc; ++k) {
    const float* src = job.src + k * job.k_stride;
    float* out = job.out + k * job.width;
    for (std::int64_t i = 0; i < job.count; i += job.width, out += job.panel_stride) {
      const int valid = static_cast<int>(job.count - i < job.width ? job.count - i : job.width);
      int j = 0;
      for (; j + kLanes <= valid; j += kLanes) store(out + j, load(src + i + j));
      for (; j < valid; ++j) out[j] = src[i + j];
      for (; j < job.width; ++j) out[j] = 0.f;
    }
  }
}

// Any strides; elements `valid` to width of each k are zero.
void copy_elements(const PackJob& job, const float* src, float* out, int valid, std::int64_t k0) {
  for (std::int64_t k = k0; k < job.kc; ++k) {
    for (int i = 0; i < job.width; ++i) {
      out[k * job.width + i] = i < valid ? src[i * job.stride + k * job.k_stride] : 0.f;
    }
  }
}

// Steps of k lie side by side: squares of kLanes x kLanes are transposed. `lanes` rows of a panel.
MINI_INLINE void transpose_square(const PackJob& job, const float* src, float* out, int lanes) {
  Vec square[kLanes];
  MINI_UNROLL
  for (int i = 0; i < kLanes; ++i) square[i] = i < lanes ? load(src + i * job.stride) : zero();
  transpose(square);
  MINI_UNROLL
  for (int k = 0; k < kLanes; ++k) store(out + k * job.width, square[k], lanes);
}

void transpose_panel(const PackJob& job, const float* src, float* out, int valid) {
  const std::int64_t whole = job.kc - job.kc % kLanes;
  for (std::int64_t k = 0; k < whole; k += kLanes) {
    for (int i = 0; i < valid; i += kLanes) {
      const float* from = src + i * job.stride + k;
      float* to = out + k * job.width + i;
      if (valid - i >= kLanes) {
        transpose_square(job, from, to, kLanes);
      } else {
        transpose_square(job, from, to, valid - i);
      }
    }
    for (int i = valid; i < job.width; ++i) {
      for (int j = 0; j < kLanes; ++j) out[(k + j) * job.width + i] = 0.f;
    }
  }
  copy_elements(job, src, out, valid, whole);
}

}  // namespace

void pack_panels(const PackJob& job) {
  if (job.stride == 1) return copy_rows(job);
  float* out = job.out;
  for (std::int64_t i = 0; i < job.count; i += job.width, out += job.panel_stride) {
    const int valid = static_cast<int>(job.count - i < job.width ? job.count - i : job.width);
    const float* src = job.src + i * job.stride;
    if (job.k_stride == 1) {
      transpose_panel(job, src, out, valid);
    } else {
      copy_elements(job, src, out, valid, 0);
    }
  }
}

}  // namespace mini_infer::simd::MINI_ISA
