// ArgMax, ArgMin: the place of the greatest or least element along an axis, the first or the last
// of equal ones. A NaN counts as the greatest and as the least, as numpy has it.
#include "graph/ir/constants.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/reduce/axis_view.h"

namespace mini_infer {
namespace {

template <class T, bool greatest>
struct Better {
  bool or_equal;
  bool operator()(T x, T best) const {
    if (best != best) return or_equal && x != x;
    if (x != x || (greatest ? x > best : x < best)) return true;
    return or_equal && x == best;
  }
};

template <class T, bool greatest>
PreparedKernel kernel_for(AxisView view, bool last) {
  return {.name = "arg/scalar", .run = [=](const KernelContext& k) {
            const Better<ComputeType<T>, greatest> better{last};
            k.parallel_for(view.lines(), static_cast<double>(view.k), [&](Range range, int) {
              for (std::int64_t i = range.begin; i < range.end; ++i) {
                const T* x = k.input<T>(0) + view.offset(i);
                std::int64_t best = 0;
                for (std::int64_t j = 1; j < view.k; ++j) {
                  if (better(widen(x[j * view.inner]), widen(x[best * view.inner]))) best = j;
                }
                k.output<std::int64_t>(0)[i] = best;
              }
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
  PreparedKernel kernel;
  dispatch_dtype(c.dtype(0), [&]<class T>() { kernel = kernel_for<T, greatest>(view, last); });
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(
    ArgMax, {.type = "ArgMax", .since = {1, 11, 12, 13}, .infer = infer, .prepare = prepare<true>})
MINI_DEFINE_OP(
    ArgMin, {.type = "ArgMin", .since = {1, 11, 12, 13}, .infer = infer, .prepare = prepare<false>})

}  // namespace mini_infer
