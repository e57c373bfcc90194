// HannWindow, HammingWindow, BlackmanWindow.    onnx.ai/onnx/operators/onnx__HannWindow.html
#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const auto dtype = static_cast<DType>(c.integer("output_datatype", 1));
  const auto* size = c.contents(0);
  const bool known = size != nullptr && size->size() == 1;
  if (known && (*size)[0].known() && (*size)[0].value() < 0) {
    return invalid_model("size ", (*size)[0], " is negative");
  }
  c.set_output(0, dtype, SymShape{known ? size->front() : c.unknown(0, 0)});
  return ok();
}

// y[i] = a - b cos(2 pi i / n) + d cos(4 pi i / n), n the size, less one where not periodic
struct Cosines {
  double a, b, d;
};

Result<PreparedKernel> window(PrepareContext& c, Cosines w) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const std::int64_t size = out.elements();
  const double length = static_cast<double>(
      c.integer("periodic", 1) != 0 ? size : std::max<std::int64_t>(size - 1, 1));
  PreparedKernel kernel;
  kernel.name = "window";
  const bool known = dispatch_dtype(c.output_dtype(), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) {
      for (std::int64_t i = 0; i < size; ++i) {
        const double t = 2 * std::numbers::pi * static_cast<double>(i) / length;
        k.output<T>(0)[i] = narrowed<T>(w.a - w.b * std::cos(t) + w.d * std::cos(2 * t));
      }
      return ok();
    };
  });
  if (!known) return not_implemented("a window of ", dtype_name(c.output_dtype()));
  return kernel;
}

Result<PreparedKernel> prepare_hann(PrepareContext& c) { return window(c, {0.5, 0.5, 0}); }
Result<PreparedKernel> prepare_hamming(PrepareContext& c) {
  return window(c, {25.0 / 46, 21.0 / 46, 0});
}
Result<PreparedKernel> prepare_blackman(PrepareContext& c) { return window(c, {0.42, 0.5, 0.08}); }

}  // namespace

MINI_DEFINE_OP(BlackmanWindow, {.type = "BlackmanWindow",
                                .since = {17},
                                .infer = infer,
                                .prepare = prepare_blackman})
MINI_DEFINE_OP(HammingWindow,
               {.type = "HammingWindow", .since = {17}, .infer = infer, .prepare = prepare_hamming})
MINI_DEFINE_OP(HannWindow,
               {.type = "HannWindow", .since = {17}, .infer = infer, .prepare = prepare_hann})

}  // namespace mini_infer
