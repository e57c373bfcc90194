// Det: determinants of square matrices, by elimination with pivots.
//                                              onnx.ai/onnx/operators/onnx__Det.html
#include <cmath>
#include <utility>

#include "kernels/op.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (x->rank() < 2) return invalid_model("input has shape ", *x, "; it must hold matrices");
  c.set_output(0, c.dtype(0),
               SymShape(std::vector<Dim>(x->begin(),
                                         x->begin() + static_cast<std::ptrdiff_t>(x->rank() - 2))));
  return ok();
}

// `a` is n x n and is overwritten.
double determinant(double* a, std::int64_t n) {
  double product = 1;
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t pivot = i;
    for (std::int64_t r = i + 1; r < n; ++r) {
      if (std::abs(a[r * n + i]) > std::abs(a[pivot * n + i])) pivot = r;
    }
    if (a[pivot * n + i] == 0) return 0;
    if (pivot != i) {
      product = -product;
      for (std::int64_t col = 0; col < n; ++col) std::swap(a[i * n + col], a[pivot * n + col]);
    }
    product *= a[i * n + i];
    for (std::int64_t r = i + 1; r < n; ++r) {
      const double factor = a[r * n + i] / a[i * n + i];
      for (std::int64_t col = i; col < n; ++col) a[r * n + col] -= factor * a[i * n + col];
    }
  }
  return product;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  const std::int64_t n = x[x.rank() - 1], count = x.elements(0, x.rank() - 2);
  if (x[x.rank() - 2] != n) return invalid_model("input ", x, " holds no square matrices");
  PreparedKernel kernel;
  kernel.name = "det";
  kernel.scratch_bytes = static_cast<std::size_t>(n * n) * sizeof(double);
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [n, count](const KernelContext& k) {
      double* a = reinterpret_cast<double*>(k.scratch);
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t e = 0; e < n * n; ++e) a[e] = real(k.input<T>(0)[i * n * n + e]);
        k.output<T>(0)[i] = from_real<T>(determinant(a, n));
      }
      return ok();
    };
  });
  if (!known) return not_implemented("Det of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Det, {.type = "Det", .since = {11, 22}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
