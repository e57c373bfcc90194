#include "kernels/gemm/igemm.h"

#include <algorithm>

namespace mini_infer {
namespace {

constexpr std::int64_t kExactDepth = 256;

std::int32_t wrapping_sum(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

}  // namespace

void igemm_batch(const GemmPlan& plan, FunctionRef<GemmOperands(std::int64_t)> operands_of,
                 float* scratch, float* products, std::int32_t* sums) noexcept {
  const GemmShape& s = plan.shape;
  const auto operands = [&](std::int64_t i) {
    GemmOperands o = operands_of(i);
    o.c = products + i * s.m * s.n;
    o.c_stride = s.n;
    o.epilogue = {};
    return o;
  };
  for (std::int64_t k = 0; k == 0 || k < s.k; k += kExactDepth) {
    gemm_batch_over(plan, {k, std::min(k + kExactDepth, s.k)}, operands, scratch);
    parallel_for(plan.threads, s.batch * s.m * s.n, 1, [&](Range part, int) {
      for (std::int64_t i = part.begin; i < part.end; ++i) {
        const auto product = static_cast<std::int32_t>(products[i]);
        sums[i] = k == 0 ? product : wrapping_sum(sums[i], product);
      }
    });
  }
}

}  // namespace mini_infer
