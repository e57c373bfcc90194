// Dropout: y = x, mask = all kept, unless training.  onnx.ai/onnx/operators/onnx__Dropout.html
#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"
#include "kernels/movement/random.h"

namespace mini_infer {
namespace {

// The mask is bool since opset 10, before it had the dtype of x.
DType mask_dtype(int opset, DType x) { return opset >= 10 ? DType::kBool : x; }

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 3));
  std::optional<SymShape> shape;
  if (c.shape(0) != nullptr) shape = *c.shape(0);
  c.set_output(0, c.dtype(0), shape);
  c.set_output(1, mask_dtype(c.opset(), c.dtype(0)), shape);
  return ok();
}

// Fills with the value 1.
void fill_ones(DType dtype, void* data, std::int64_t count) {
  dispatch_dtype(dtype,
                 [&]<class T>() { std::fill_n(static_cast<T*>(data), count, narrowed<T>(1)); });
}

// Whether a run may turn out to be a training step.
bool may_train(const PrepareContext& c) {
  if (!c.has_input(2)) return false;
  return c.constant(2) == nullptr || single_number(*c.constant(2)).value_or(0) != 0;
}

// y = x / (1 - ratio) where a random number is not below the ratio, else 0.
template <class T>
void drop(const KernelContext& k, std::int64_t count, double ratio, std::uint32_t seed) {
  RandomNumbers numbers(seed);
  const double scale = 1 / (1 - ratio);
  for (std::int64_t i = 0; i < count; ++i) {
    const bool keep = numbers.uniform() >= ratio;
    const double x = static_cast<double>(widened(k.input<T>(0)[i]));
    k.output<T>(0)[i] = narrowed<T>(keep ? x * scale : 0.0);
    if (k.output<bool>(1) != nullptr) k.output<bool>(1)[i] = keep;
  }
}

double ratio_of(const KernelContext& k, DType dtype) {
  double ratio = 0.5;
  if (k.input<void>(1) == nullptr) return ratio;
  dispatch_dtype(dtype, [&]<class T>() { ratio = static_cast<double>(widened(*k.input<T>(1))); });
  return ratio;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  PreparedKernel kernel = view_kernel(c, "view");
  const std::int64_t count = c.shape(0).elements();
  if (c.has_output(1)) {
    kernel.run = [copy = kernel.run, dtype = c.output_dtype(1), count](const KernelContext& k) {
      fill_ones(dtype, k.outputs[1], count);
      return copy(k);
    };
  }
  if (!may_train(c)) return kernel;
  if (c.dtype(2) != DType::kBool || c.shape(2).elements() != 1) {
    return invalid_model("training_mode must be one bool");
  }
  if (c.has_input(1) && c.shape(1).elements() != 1)
    return invalid_model("ratio must be one number");
  const auto seed = static_cast<std::uint32_t>(c.integer("seed", 0));
  const bool known = dispatch_dtype(c.dtype(0), [&]<class T>() {
    kernel.run = [keep_all = kernel.run, count, seed,
                  ratio_dtype = c.dtype(1)](const KernelContext& k) {
      const double ratio = ratio_of(k, ratio_dtype);
      if (!*k.input<bool>(2) || ratio == 0) return keep_all(k);
      drop<T>(k, count, ratio, seed);
      return ok();
    };
  });
  if (!known) return not_implemented("Dropout of ", dtype_name(c.dtype(0)));
  kernel.name = "dropout";
  kernel.aliases = {{.kind = Alias::Kind::kInPlace}};
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Dropout, {.type = "Dropout",
                         .since = {1, 6, 7, 10, 12, 13, 22},
                         .infer = infer,
                         .prepare = prepare})

}  // namespace mini_infer
