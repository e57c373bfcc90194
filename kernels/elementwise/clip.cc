// Clip: y = min(max(x, low), high). Opset < 11 has the bounds as attributes, later ones as inputs.
// Where low > high, y is high everywhere, as numpy has it.
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

template <class T>
T lowest() {
  if constexpr (kIsHalf<T>) {
    return narrow<T>(-std::numeric_limits<float>::infinity());
  } else if constexpr (std::is_floating_point_v<T>) {
    return -std::numeric_limits<T>::infinity();
  } else {
    return std::numeric_limits<T>::lowest();
  }
}
template <class T>
T highest() {
  if constexpr (kIsHalf<T>) {
    return narrow<T>(std::numeric_limits<float>::infinity());
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::numeric_limits<T>::infinity();
  } else {
    return std::numeric_limits<T>::max();
  }
}

// The bounds of a run: inputs 1 and 2 where they are given.
template <class T>
struct Bounds {
  T low = lowest<T>();
  T high = highest<T>();

  Bounds at(const KernelContext& k) const {
    const T *first = k.input<T>(1), *second = k.input<T>(2);
    return {first != nullptr ? *first : low, second != nullptr ? *second : high};
  }
};

template <class T>
PreparedKernel scalar_kernel(Bounds<T> fixed, std::int64_t n) {
  return {.name = "clip/scalar", .run = [=](const KernelContext& k) {
            const Bounds<T> bounds = fixed.at(k);
            const auto low = widen(bounds.low), high = widen(bounds.high);
            const T* x = k.input<T>(0);
            T* y = k.output<T>(0);
            k.parallel_for(n, 1, [&](Range range, int) {
              for (std::int64_t i = range.begin; i < range.end; ++i) {
                auto v = widen(x[i]);
                if (v < low) v = low;
                if (v > high) v = high;
                y[i] = narrow<T>(v);
              }
            });
            return ok();
          }};
}

PreparedKernel vector_kernel(PrepareContext& c, Bounds<float> fixed, std::int64_t n) {
  const auto kernel = simd::activate_f32.get(c.isa());
  return {.name = c.with_isa("clip"), .run = [=](const KernelContext& k) {
            const Bounds<float> bounds = fixed.at(k);
            const ActivationParams params{Activation::kClip, bounds.low, bounds.high};
            const auto* x = k.input<float>(0);
            auto* y = k.output<float>(0);
            k.parallel_for(n, 1, [&](Range range, int) {
              kernel(params, x + range.begin, y + range.begin,
                     static_cast<std::size_t>(range.end - range.begin));
            });
            return ok();
          }};
}

template <class T>
Bounds<T> fixed_bounds(const PrepareContext& c) {
  Bounds<T> bounds;
  if (c.opset() >= 11) return bounds;
  if (c.has("min")) bounds.low = narrow<T>(c.number("min", 0));
  if (c.has("max")) bounds.high = narrow<T>(c.number("max", 0));
  return bounds;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 3));
  return infer_same(c);
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  for (std::size_t i = 1; i < 3; ++i) {
    if (c.has_input(i) && (c.dtype(i) != c.dtype(0) || c.shape(i).elements() != 1)) {
      return invalid_model("input ", i, " has shape ", c.shape(i), " and dtype ", c.dtype(i),
                           "; a bound is one number of input 0's dtype, ", c.dtype(0));
    }
  }
  const auto n = static_cast<std::int64_t>(c.storage_elements(c.shape(0), c.layout(0)));
  PreparedKernel kernel;
  dispatch_dtype(c.dtype(0), [&]<class T>() {
    if constexpr (std::is_same_v<T, float>) {
      kernel = vector_kernel(c, fixed_bounds<T>(c), n);
    } else if constexpr (!std::is_same_v<T, bool>) {
      kernel = scalar_kernel<T>(fixed_bounds<T>(c), n);
    }
  });
  MINI_TRY(c.status());
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  kernel.flop = static_cast<double>(n);
  allow_in_place(c, kernel, 0);
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Clip, {.type = "Clip",
                      .since = {1, 6, 11, 12, 13},
                      .infer = infer,
                      .prepare = prepare,
                      .layout = same_layout})

}  // namespace mini_infer
