// CumSum, CumProd, LpNormalization: along one axis.
#include <algorithm>
#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/real.h"
#include "kernels/reduce/axis_view.h"

namespace mini_infer {
namespace {

struct CumulateOptions {
  bool exclusive = false;
  bool reverse = false;
  bool product = false;
};

// `count` neighbouring lines, count <= kSideBySide. Integers wrap around.
template <class T>
void cumulate(const T* x, T* y, const AxisView& view, std::int64_t count, CumulateOptions options) {
  using S = std::conditional_t<kIsInteger<T>, std::uint64_t, ComputeType<T>>;
  S totals[kSideBySide];
  std::fill_n(totals, count, static_cast<S>(options.product ? 1 : 0));
  const auto go = [&](auto join) {
    for (std::int64_t i = 0; i < view.k; ++i) {
      const std::int64_t at = (options.reverse ? view.k - 1 - i : i) * view.inner;
      for (std::int64_t line = 0; line < count; ++line) {
        const S before = totals[line];
        totals[line] = static_cast<S>(join(before, static_cast<S>(widen(x[at + line]))));
        y[at + line] = narrow<T>(options.exclusive ? before : totals[line]);
      }
    }
  };
  if (options.product) {
    go([](S a, S b) { return a * b; });
  } else {
    go([](S a, S b) { return a + b; });
  }
}

Status infer_cumulative(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  return infer_same(c);
}

template <bool product>
Result<PreparedKernel> prepare_cumulative(PrepareContext& c) {
  const CumulateOptions options{.exclusive = c.integer("exclusive", 0) != 0,
                                .reverse = c.integer("reverse", 0) != 0,
                                .product = product};
  MINI_TRY(c.status());
  if (c.shape(1).elements() != 1) {
    return invalid_model("input 1 has shape ", c.shape(1), "; the axis is one number");
  }
  MINI_TRY_ASSIGN(const IntParam axis, IntParam::input(c, 1));
  const Shape shape = c.shape(0);
  PreparedKernel kernel{.name = "cumulative/scalar"};
  dispatch_dtype(c.dtype(0), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      kernel.run = [=](const KernelContext& k) -> Status {
        MINI_TRY_ASSIGN(const AxisView view, axis_view(shape, axis.read(k)[0]));
        k.parallel_for(view.lines(), static_cast<double>(view.k), [&](Range range, int) {
          for_each_run_of_lines(view, range, [&](std::int64_t line, std::int64_t count) {
            const std::int64_t at = view.offset(line);
            cumulate(k.input<T>(0) + at, k.output<T>(0) + at, view, count, options);
          });
        });
        return ok();
      };
    }
  });
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  return kernel;
}

// y = x / |x|_p; 0 where the norm is.
template <class T>
void normalize(const T* x, T* y, AxisView view, bool squares) {
  double norm = 0;
  for (std::int64_t j = 0; j < view.k; ++j) {
    const double v = real(x[j * view.inner]);
    norm += squares ? v * v : std::abs(v);
  }
  if (squares) norm = std::sqrt(norm);
  for (std::int64_t j = 0; j < view.k; ++j) {
    y[j * view.inner] = from_real<T>(norm == 0 ? 0 : real(x[j * view.inner]) / norm);
  }
}

Result<PreparedKernel> prepare_lp(PrepareContext& c) {
  const std::int64_t p = c.integer("p", 2);
  MINI_TRY_ASSIGN(const AxisView view, axis_view(c.shape(0), c.integer("axis", -1)));
  MINI_TRY(c.status());
  if (p != 1 && p != 2) return invalid_model("attribute 'p' is ", p, "; it is 1 or 2");
  PreparedKernel kernel{.name = "lp_normalization/scalar"};
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) {
      k.parallel_for(view.lines(), 4.0 * static_cast<double>(view.k), [&](Range range, int) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
          const std::int64_t at = view.offset(i);
          normalize(k.input<T>(0) + at, k.output<T>(0) + at, view, p == 2);
        }
      });
      return ok();
    };
  });
  if (!known) return not_implemented("input 0 has dtype ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(CumSum, {.type = "CumSum",
                        .since = {11, 14},
                        .infer = infer_cumulative,
                        .prepare = prepare_cumulative<false>})
MINI_DEFINE_OP(CumProd, {.type = "CumProd",
                         .since = {26},
                         .infer = infer_cumulative,
                         .prepare = prepare_cumulative<true>})
MINI_DEFINE_OP(LpNormalization, {.type = "LpNormalization",
                                 .since = {1, 22},
                                 .infer = infer_same,
                                 .prepare = prepare_lp})

}  // namespace mini_infer
