// TopK: the k largest or smallest elements along an axis, with their indices.
//                                              onnx.ai/onnx/operators/onnx__TopK.html
//
// Of equal elements that with the lower index comes first; NaN counts as larger than all numbers.
#include <algorithm>
#include <numeric>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// k: an attribute in opset 1, an input since opset 10.
std::optional<Dim> wanted_count(const InferContext& c) {
  if (c.opset() < 10) return Dim(c.integer("k", -1));
  const auto* contents = c.contents(1);
  if (contents == nullptr || contents->size() != 1) return std::nullopt;
  return contents->front();
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(c.opset() < 10 ? 1 : 2, 2));
  c.set_output(0, c.dtype(0));
  c.set_output(1, DType::kInt64);
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", -1), x->rank()));
  SymShape out = *x;
  out[axis] = wanted_count(c).value_or(c.unknown(0, axis));
  const Dim& extent = (*x)[axis];
  if (out[axis].known() &&
      (out[axis].value() < 0 || (extent.known() && out[axis].value() > extent.value()))) {
    return invalid_model("k is ", out[axis], ", axis ", axis, " has the extent ", extent);
  }
  c.set_output(0, c.dtype(0), out);
  c.set_output(1, DType::kInt64, out);
  return ok();
}

// x: [outer][extent][inner], y: [outer][k][inner]
struct Problem {
  std::int64_t outer, extent, inner, k;
  bool largest, sorted;
};

template <class T>
bool is_nan(T x) {
  return x != x;
}

// Whether element `a` comes before `b`, both as {value, index}.
template <class T>
bool before(T a, std::int64_t i, T b, std::int64_t j, bool largest) {
  if (is_nan(a) || is_nan(b)) {
    if (is_nan(a) && is_nan(b)) return i < j;
    return is_nan(a) == largest;
  }
  if (a == b) return i < j;
  return largest ? a > b : a < b;
}

// The first k of `order` become the first k of all elements. Nearly all of many elements come after
// those k that are found so far; what does not is collected, and now and then cut to k.
template <class At, class Before>
void select_few(const At& at, const Before& comes_before, const Problem& p, std::int64_t* order) {
  const std::int64_t most = 4 * p.k;
  std::int64_t count = 0;
  std::int64_t* const last = order + p.k - 1;
  auto worst = at(0);
  bool full = false;
  for (std::int64_t i = 0; i < p.extent; ++i) {
    const auto value = at(i);
    // Of equal elements the index is higher.
    if (full && (p.largest ? value <= worst : value >= worst)) continue;
    order[count++] = i;
    if (count < most) continue;
    std::nth_element(order, last, order + count, comes_before);
    worst = at(*last);
    full = true;
    count = p.k;
  }
  std::nth_element(order, last, order + count, comes_before);
}

// The first k of `order` become the indices wanted.
template <class T>
void select(const T* x, const Problem& p, std::int64_t* order) {
  const auto at = [&](std::int64_t i) { return widened(x[i * p.inner]); };
  const auto comes_before = [&](std::int64_t i, std::int64_t j) {
    return before(at(i), i, at(j), j, p.largest);
  };
  if (p.k > 0 && p.k < p.extent / 16) {
    select_few(at, comes_before, p, order);
  } else {
    std::iota(order, order + p.extent, 0);
    if (p.k < p.extent) std::nth_element(order, order + p.k, order + p.extent, comes_before);
  }
  std::sort(order, order + p.k, comes_before);
  if (!p.sorted) std::sort(order, order + p.k);
}

template <class T>
void run(const KernelContext& k, const Problem& p) {
  const T* x = k.input<T>(0);
  T* values = k.output<T>(0);
  std::int64_t* indices = k.output<std::int64_t>(1);
  k.parallel_for(p.outer * p.inner, static_cast<double>(8 * p.extent), [&](Range range, int t) {
    std::int64_t* order = reinterpret_cast<std::int64_t*>(k.scratch) + t * p.extent;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* slice = x + i / p.inner * p.extent * p.inner + i % p.inner;
      const std::int64_t to = i / p.inner * p.k * p.inner + i % p.inner;
      select(slice, p, order);
      for (std::int64_t j = 0; j < p.k; ++j) {
        if (values != nullptr) values[to + j * p.inner] = slice[order[j] * p.inner];
        if (indices != nullptr) indices[to + j * p.inner] = order[j];
      }
    }
  });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", -1), x.rank()));
  MINI_TRY_ASSIGN(const Shape out, known_output(c, c.has_output(0) ? 0 : 1));
  const Problem p{.outer = x.elements(0, axis),
                  .extent = x[axis],
                  .inner = x.elements(axis + 1, x.rank()),
                  .k = out[axis],
                  .largest = c.integer("largest", 1) != 0,
                  .sorted = c.integer("sorted", 1) != 0};
  if (p.k > p.extent) return invalid_model("k is ", p.k, ", the axis has ", p.extent);
  PreparedKernel kernel;
  kernel.name = "top_k";
  kernel.scratch_bytes = static_cast<std::size_t>(p.extent * c.threads()) * sizeof(std::int64_t);
  const bool known = dispatch_dtype(c.dtype(0), [&]<class T>() {
    kernel.run = [p](const KernelContext& k) {
      if (p.k > 0) run<T>(k, p);
      return ok();
    };
  });
  if (!known) return not_implemented("TopK of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(TopK, {.type = "TopK", .since = {1, 10, 11, 24}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
