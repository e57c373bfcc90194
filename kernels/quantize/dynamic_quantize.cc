// DynamicQuantizeLinear: the scale and zero point that x's range, with 0 in it, gives for uint8.
//   scale = (max - min) / 255, zero point = saturate(round(-min / scale))
#include <algorithm>
#include <cmath>

#include "kernels/op.h"
#include "kernels/quantize/quantize.simd.h"
#include "kernels/quantized.h"
#include "kernels/reduce/reduce.simd.h"

namespace mini_infer {
namespace {

// Elements whose range is found at a time; independent of the number of threads.
constexpr std::int64_t kChunk = 16384;

struct Extremes {
  float least = 0.f, most = 0.f;
};

// One in all when there are no elements.
std::int64_t chunks_of(std::int64_t n) { return (n + kChunk - 1) / kChunk; }

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kUInt8, c.input(0).shape);
  c.set_output(1, DType::kFloat32, SymShape{});
  c.set_output(2, DType::kUInt8, SymShape{});
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  if (c.dtype(0) != DType::kFloat32) return not_implemented("input 0 has dtype ", c.dtype(0));
  const std::int64_t n = c.shape(0).elements(), chunks = chunks_of(n);
  const auto reduce = simd::reduce_row_f32.get(c.isa());
  const auto quantize = simd::quantize_f32.get(c.isa());
  auto run = [=](const KernelContext& k) {
    const auto* x = k.input<float>(0);
    auto* parts = reinterpret_cast<Extremes*>(k.scratch);
    k.parallel_for(chunks, 2.0 * static_cast<double>(std::min(n, kChunk)), [&](Range range, int) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const float* part = x + i * kChunk;
        const std::int64_t count = std::min(kChunk, n - i * kChunk);
        parts[i] = {reduce(Accumulate::kMin, part, count), reduce(Accumulate::kMax, part, count)};
      }
    });
    Extremes all;
    for (std::int64_t i = 0; i < chunks; ++i) {
      all.least = std::min(all.least, parts[i].least);
      all.most = std::max(all.most, parts[i].most);
    }
    const float span = (all.most - all.least) / 255.f;
    const float scale = span > 0 ? span : 1.f;  // all zero: any scale will do
    const auto zero = requantize<std::uint8_t>(-all.least / scale, 0);
    if (k.outputs[0] != nullptr) {
      k.parallel_for(n, 2, [&](Range range, int) {
        quantize(x + range.begin, range.end - range.begin, scale, zero, 0.f, 255.f,
                 k.output<std::uint8_t>(0) + range.begin);
      });
    }
    if (auto* y_scale = k.output<float>(1)) *y_scale = scale;
    if (auto* y_zero = k.output<std::uint8_t>(2)) *y_zero = zero;
    return ok();
  };
  return PreparedKernel{.name = c.with_isa("dynamic_quantize"),
                        .run = std::move(run),
                        .scratch_bytes = static_cast<std::size_t>(chunks) * sizeof(Extremes)};
}

}  // namespace

MINI_DEFINE_OP(DynamicQuantizeLinear,
               {.type = "DynamicQuantizeLinear", .since = {11}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
