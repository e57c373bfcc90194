// RandomNormal, RandomUniform and their -Like forms, Bernoulli, Multinomial.
//                                              onnx.ai/onnx/operators/onnx__RandomNormal.html
//
// A node with a `seed` gives the same numbers in every run; without one, others each time.
#include "kernels/movement/random.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

DType dtype_attribute(const AttributeReader& c, DType fallback) {
  return static_cast<DType>(c.integer("dtype", static_cast<std::int64_t>(fallback)));
}

Status infer_shaped(InferContext& c) {
  MINI_TRY(c.expect_inputs(0, 0));
  const Shape shape(c.ints("shape"));
  MINI_TRY(check_shape(shape));
  c.set_output(0, dtype_attribute(c, DType::kFloat32), SymShape(shape));
  return ok();
}

Status infer_like(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, dtype_attribute(c, c.dtype(0)));
  if (c.shape(0) != nullptr) c.set_output(0, dtype_attribute(c, c.dtype(0)), *c.shape(0));
  return ok();
}

Status infer_multinomial(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const std::int64_t samples = c.integer("sample_size", 1);
  if (samples < 1) return invalid_model("sample_size ", samples, " must be positive");
  Dim batch = c.unknown(0, 0);
  if (c.shape(0) != nullptr) {
    if (c.shape(0)->rank() != 2) return invalid_model("input ", *c.shape(0), " must have rank 2");
    batch = (*c.shape(0))[0];
  }
  c.set_output(0, dtype_attribute(c, DType::kInt32), SymShape{batch, samples});
  return ok();
}

// The seeds of a node's runs.
class Seeds {
 public:
  explicit Seeds(const AttributeReader& c) : fixed_(c.has("seed")) {
    const float seed = c.number("seed", 0.f);
    seed_ = std::abs(seed) < 1e9f ? static_cast<std::uint32_t>(static_cast<std::int64_t>(seed))
                                  : std::bit_cast<std::uint32_t>(seed);
    if (!fixed_) seed_ = std::random_device()();
  }
  std::uint32_t next() { return fixed_ ? seed_.load() : seed_.fetch_add(0x9e3779b9u); }

 private:
  bool fixed_;
  std::atomic<std::uint32_t> seed_ = 0;
};

// make(RandomNumbers&, i) gives element i of the output as double.
template <class Make>
Result<PreparedKernel> random_kernel(const PrepareContext& c, const char* name, Make make) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  auto seeds = std::make_shared<Seeds>(c);
  PreparedKernel kernel;
  kernel.name = name;
  const bool known = dispatch_dtype(c.output_dtype(), [&]<class T>() {
    kernel.run = [=, count = out.elements()](const KernelContext& k) {
      RandomNumbers numbers(seeds->next());
      for (std::int64_t i = 0; i < count; ++i) {
        k.output<T>(0)[i] = narrowed<T>(make(k, numbers, i));
      }
      return ok();
    };
  });
  if (!known) return not_implemented(name, " of ", dtype_name(c.output_dtype()));
  return kernel;
}

Result<PreparedKernel> prepare_normal(PrepareContext& c) {
  const double mean = c.number("mean", 0.f), scale = c.number("scale", 1.f);
  return random_kernel(c, "random_normal",
                       [=](const KernelContext&, RandomNumbers& numbers, std::int64_t) {
                         return mean + scale * numbers.normal();
                       });
}

Result<PreparedKernel> prepare_uniform(PrepareContext& c) {
  const double low = c.number("low", 0.f), high = c.number("high", 1.f);
  return random_kernel(c, "random_uniform",
                       [=](const KernelContext&, RandomNumbers& numbers, std::int64_t) {
                         return low + (high - low) * numbers.uniform();
                       });
}

// Element `i` of a float tensor.
double probability(const void* data, DType dtype, std::int64_t i) {
  double value = 0;
  dispatch_dtype(dtype, [&]<class T>() {
    value = static_cast<double>(widened(static_cast<const T*>(data)[i]));
  });
  return value;
}

Result<PreparedKernel> prepare_bernoulli(PrepareContext& c) {
  return random_kernel(
      c, "bernoulli",
      [dtype = c.dtype(0)](const KernelContext& k, RandomNumbers& numbers, std::int64_t i) {
        return numbers.uniform() < probability(k.inputs[0], dtype, i) ? 1.0 : 0.0;
      });
}

// Draws a class by its unnormalised log-probabilities: a uniform number falls among their running
// sums.
std::int64_t draw_class(const void* logits, DType dtype, std::int64_t first, std::int64_t classes,
                        double uniform) {
  double most = probability(logits, dtype, first), sum = 0;
  for (std::int64_t i = 1; i < classes; ++i) {
    most = std::max(most, probability(logits, dtype, first + i));
  }
  for (std::int64_t i = 0; i < classes; ++i) {
    sum += std::exp(probability(logits, dtype, first + i) - most);
  }
  double rest = uniform * sum;
  for (std::int64_t i = 0; i + 1 < classes; ++i) {
    rest -= std::exp(probability(logits, dtype, first + i) - most);
    if (rest < 0) return i;
  }
  return classes - 1;
}

Result<PreparedKernel> prepare_multinomial(PrepareContext& c) {
  const std::int64_t classes = c.shape(0)[1], samples = c.integer("sample_size", 1);
  if (classes < 1) return invalid_model("input ", c.shape(0), " has no classes");
  return random_kernel(
      c, "multinomial",
      [=, dtype = c.dtype(0)](const KernelContext& k, RandomNumbers& numbers, std::int64_t i) {
        return static_cast<double>(
            draw_class(k.inputs[0], dtype, i / samples * classes, classes, numbers.uniform()));
      });
}

}  // namespace

MINI_DEFINE_OP(Bernoulli, {.type = "Bernoulli",
                           .since = {15, 22},
                           .infer = infer_like,
                           .prepare = prepare_bernoulli,
                           .traits = kNotDeterministic})
MINI_DEFINE_OP(Multinomial, {.type = "Multinomial",
                             .since = {7, 22},
                             .infer = infer_multinomial,
                             .prepare = prepare_multinomial,
                             .traits = kNotDeterministic})
MINI_DEFINE_OP(RandomNormal, {.type = "RandomNormal",
                              .since = {1, 22},
                              .infer = infer_shaped,
                              .prepare = prepare_normal,
                              .traits = kNotDeterministic})
MINI_DEFINE_OP(RandomNormalLike, {.type = "RandomNormalLike",
                                  .since = {1, 22},
                                  .infer = infer_like,
                                  .prepare = prepare_normal,
                                  .traits = kNotDeterministic})
MINI_DEFINE_OP(RandomUniform, {.type = "RandomUniform",
                               .since = {1, 22},
                               .infer = infer_shaped,
                               .prepare = prepare_uniform,
                               .traits = kNotDeterministic})
MINI_DEFINE_OP(RandomUniformLike, {.type = "RandomUniformLike",
                                   .since = {1, 22},
                                   .infer = infer_like,
                                   .prepare = prepare_uniform,
                                   .traits = kNotDeterministic})

}  // namespace mini_infer
