// ArgMax, ArgMin: the place of the greatest or least element along an axis, the first or the last
// of equal ones. A NaN counts as the greatest and as the least, as numpy has it.
#include <algorithm>
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/reduce/axis_view.h"

namespace mini_infer {
namespace {

// Whether x is to be taken instead of the best so far, without a branch.
template <bool greatest, bool last, class T>
bool better(T x, T best) {
  const bool number = best == best;
  if constexpr (last) return (number & !(greatest ? x < best : x > best)) | (x != x);
  return number & !(greatest ? x <= best : x >= best);
}

// `count` neighbouring lines, count <= kSideBySide.
template <bool greatest, bool last, class T>
void arg_lines(const T* x, const AxisView& view, std::int64_t count, std::int64_t* y) {
  ComputeType<T> best[kSideBySide];
  std::int32_t places[kSideBySide] = {};
  for (std::int64_t i = 0; i < count; ++i) best[i] = widen(x[i]);
  for (std::int64_t j = 1; j < view.k; ++j) {
    x += view.inner;
    for (std::int64_t i = 0; i < count; ++i) {
      const ComputeType<T> value = widen(x[i]);
      const bool taken = better<greatest, last>(value, best[i]);
      best[i] = taken ? value : best[i];
      places[i] = taken ? static_cast<std::int32_t>(j) : places[i];
    }
  }
  std::copy_n(places, count, y);
}

template <class T, bool greatest, bool last>
PreparedKernel kernel_for(AxisView view) {
  return {.name = "arg/scalar", .run = [=](const KernelContext& k) {
            k.parallel_for(view.lines(), static_cast<double>(view.k), [&](Range range, int) {
              for_each_run_of_lines(view, range, [&](std::int64_t line, std::int64_t count) {
                arg_lines<greatest, last>(k.input<T>(0) + view.offset(line), view, count,
                                          k.output<std::int64_t>(0) + line);
              });
            });
            return ok();
          }};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  std::optional<SymShape> out;
  if (const SymShape* x = c.shape(0)) {
    MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x->rank()));
    out.emplace();
    for (std::size_t d = 0; d < x->rank(); ++d) {
      if (d != axis) out->push_back((*x)[d]);
      if (d == axis && c.integer("keepdims", 1) != 0) out->push_back(1);
    }
  }
  c.set_output(0, DType::kInt64, std::move(out));
  return ok();
}

template <bool greatest>
Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const AxisView view, axis_view(c.shape(0), c.integer("axis", 0)));
  const bool last = c.integer("select_last_index", 0) != 0;
  MINI_TRY(c.status());
  if (view.k == 0 && view.lines() > 0) {
    return invalid_model("input 0 has shape ", c.shape(0), ": nothing to choose from");
  }
  if (view.k > std::numeric_limits<std::int32_t>::max()) {
    return not_implemented("input 0 has shape ", c.shape(0),
                           ": an axis of more than 2^31 elements");
  }
  PreparedKernel kernel;
  dispatch_dtype(c.dtype(0), [&]<class T>() {
    kernel = last ? kernel_for<T, greatest, true>(view) : kernel_for<T, greatest, false>(view);
  });
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(
    ArgMax, {.type = "ArgMax", .since = {1, 11, 12, 13}, .infer = infer, .prepare = prepare<true>})
MINI_DEFINE_OP(
    ArgMin, {.type = "ArgMin", .since = {1, 11, 12, 13}, .infer = infer, .prepare = prepare<false>})

}  // namespace mini_infer
