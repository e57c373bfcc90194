// LRN: y = x / (bias + alpha / size * sum over `size` neighbouring channels of x^2)^beta.
// onnx.ai/onnx/operators/onnx__LRN.html
#include <algorithm>

#include "kernels/norm/norm.h"
#include "kernels/norm/norm.simd.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

struct Lrn {
  NormPlanes planes;
  std::int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1.f;
  // Channels in the window of channel c: floor((size-1)/2) before it, ceil((size-1)/2) after.
  Range window(std::int64_t c) const {
    return {std::max<std::int64_t>(0, c - (size - 1) / 2),
            std::min(planes.channels, c + size / 2 + 1)};
  }
};

template <class T>
void run_reference(const Lrn& lrn, const T* x, T* y) {
  for (std::int64_t i = 0; i < lrn.planes.batch * lrn.planes.channels; ++i) {
    const std::int64_t c = i % lrn.planes.channels, image = i - c;
    for (std::int64_t p = 0; p < lrn.planes.size; ++p) {
      double sum = 0;
      for (std::int64_t w = lrn.window(c).begin; w < lrn.window(c).end; ++w) {
        const double v = static_cast<double>(x[(image + w) * lrn.planes.size + p]);
        sum += v * v;
      }
      const double base = static_cast<double>(lrn.bias) +
                          static_cast<double>(lrn.alpha) / static_cast<double>(lrn.size) * sum;
      y[i * lrn.planes.size + p] = static_cast<T>(static_cast<double>(x[i * lrn.planes.size + p]) /
                                                  std::pow(base, static_cast<double>(lrn.beta)));
    }
  }
}

void run_f32(const Lrn& lrn, Isa isa, const KernelContext& k) {
  const auto kernel = simd::lrn_f32.get(isa);
  const std::int64_t size = lrn.planes.size;
  const float *x = k.input<float>(0), factor = lrn.alpha / static_cast<float>(lrn.size);
  float* y = k.output<float>(0);
  k.parallel_for(lrn.planes.batch * lrn.planes.channels,
                 static_cast<double>(size * (lrn.size + 20)), [&](Range range, int) {
                   for (std::int64_t i = range.begin; i < range.end; ++i) {
                     const std::int64_t c = i % lrn.planes.channels;
                     const Range window = lrn.window(c);
                     kernel(x + i * size, x + (i - c + window.begin) * size,
                            static_cast<std::size_t>(window.end - window.begin),
                            static_cast<std::size_t>(size), y + i * size,
                            static_cast<std::size_t>(size), lrn.bias, factor, lrn.beta);
                   }
                 });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  if (c.shape(0).rank() < 2)
    return invalid_model("the input has shape ", c.shape(0), "; it must be [N,C,spatial...]");
  const Lrn lrn{.planes = planes_of(c.shape(0)),
                .size = c.integer("size", 1),
                .alpha = c.number("alpha", 1e-4f),
                .beta = c.number("beta", 0.75f),
                .bias = c.number("bias", 1.f)};
  if (lrn.size < 1) return invalid_model("size is ", lrn.size, "; it must be at least 1");
  return for_real(c, [&]<class T>() -> Result<PreparedKernel> {
    PreparedKernel kernel{.name = c.with_isa("lrn"),
                          .flop = static_cast<double>(c.shape(0).elements() * (2 * lrn.size + 20))};
    kernel.run = [lrn, isa = c.isa()](const KernelContext& k) {
      if constexpr (std::is_same_v<T, float>) {
        run_f32(lrn, isa, k);
      } else {
        run_reference(lrn, k.input<T>(0), k.output<T>(0));
      }
      return ok();
    };
    return kernel;
  });
}

}  // namespace

MINI_DEFINE_OP(LRN, {.type = "LRN", .since = {1, 13}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
