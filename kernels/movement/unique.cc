// Unique: the different elements, or slices along an axis.
//                                              onnx.ai/onnx/operators/onnx__Unique.html
#include <algorithm>
#include <numeric>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  SymShape y{c.unknown(0, 0)};
  const SymShape* x = c.shape(0);
  c.set_output(0, c.dtype(0));
  if (!c.has("axis")) {
    c.set_output(0, c.dtype(0), y);
  } else if (x != nullptr) {
    MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x->rank()));
    y = *x;
    y[axis] = c.unknown(0, axis);
    c.set_output(0, c.dtype(0), y);
  }
  for (std::size_t i = 1; i < 4; ++i) {
    c.set_output(i, DType::kInt64, SymShape{c.unknown(i, 0)});
  }
  return ok();
}

// x: [outer][extent][run]; slice s is made of the elements [o][s][r].
struct Problem {
  Shape shape;
  std::size_t axis;
  std::int64_t outer, extent, run;
  DType dtype;
  bool sorted;
};

// Less than, equal or greater: -1, 0, 1; NaN last and equal to itself.
template <class T>
int compare(const T& a, const T& b) {
  if constexpr (!std::is_same_v<T, std::string>) {
    if (a != a || b != b) return (a != a) - (b != b);
  }
  return a < b ? -1 : a == b ? 0 : 1;
}

template <class T>
const T& comparable(const T& x) {
  return x;
}
inline float comparable(Float16 x) { return to_float(x); }
inline float comparable(BFloat16 x) { return to_float(x); }

template <class T>
int compare_slices(const T* x, const Problem& p, std::int64_t a, std::int64_t b) {
  for (std::int64_t o = 0; o < p.outer; ++o) {
    for (std::int64_t r = 0; r < p.run; ++r) {
      const T* base = x + o * p.extent * p.run + r;
      const int order = compare(comparable(base[a * p.run]), comparable(base[b * p.run]));
      if (order != 0) return order;
    }
  }
  return 0;
}

// What is found: by group of equal slices, its first member and size; by slice, its group.
struct Groups {
  std::vector<std::int64_t> first, count, of;
};

template <class T>
Groups find_groups(const T* x, const Problem& p) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(p.extent));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return compare_slices(x, p, a, b) < 0; });
  Groups groups{.of = std::vector<std::int64_t>(order.size())};
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare_slices(x, p, order[i - 1], order[i]) != 0) {
      groups.first.push_back(order[i]);
      groups.count.push_back(0);
    }
    ++groups.count.back();
    groups.of[static_cast<std::size_t>(order[i])] =
        static_cast<std::int64_t>(groups.first.size()) - 1;
  }
  return groups;
}

// The groups by first appearance.
Groups by_appearance(const Groups& groups) {
  std::vector<std::int64_t> order(groups.first.size()), place(groups.first.size());
  std::iota(order.begin(), order.end(), 0);
  const auto first = [&](std::int64_t g) { return groups.first[static_cast<std::size_t>(g)]; };
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return first(a) < first(b); });
  Groups out;
  for (std::size_t i = 0; i < order.size(); ++i) {
    out.first.push_back(first(order[i]));
    out.count.push_back(groups.count[static_cast<std::size_t>(order[i])]);
    place[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  }
  for (const std::int64_t g : groups.of) out.of.push_back(place[static_cast<std::size_t>(g)]);
  return out;
}

void set_ints(const KernelContext& k, std::size_t output, const std::vector<std::int64_t>& values) {
  k.set_output(output,
               Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

template <class T>
Status run(const KernelContext& k, const Problem& p) {
  const T* x = k.input<T>(0);
  Groups groups = find_groups(x, p);
  if (!p.sorted) groups = by_appearance(groups);
  const auto count = static_cast<std::int64_t>(groups.first.size());
  Shape shape = p.shape;
  shape[p.axis] = count;
  MINI_TRY_ASSIGN(Tensor out, Tensor::allocate(p.dtype, shape));
  T* y = static_cast<T*>(out.mutable_data());
  for (std::int64_t i = 0; i < p.outer * count; ++i) {
    const std::int64_t from = groups.first[static_cast<std::size_t>(i % count)];
    copy_run(x + (i / count * p.extent + from) * p.run, y + i * p.run, p.run);
  }
  k.set_output(0, std::move(out));
  set_ints(k, 1, groups.first);
  set_ints(k, 2, groups.of);
  set_ints(k, 3, groups.count);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape x = c.has("axis") ? c.shape(0) : Shape{c.shape(0).elements()};
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  const Problem p{.shape = x,
                  .axis = axis,
                  .outer = x.elements(0, axis),
                  .extent = x[axis],
                  .run = x.elements(axis + 1, x.rank()),
                  .dtype = c.dtype(0),
                  .sorted = c.integer("sorted", 1) != 0};
  PreparedKernel kernel;
  kernel.name = "unique";
  const bool known = dispatch_dtype(p.dtype, [&]<class T>() {
    kernel.run = [p](const KernelContext& k) { return run<T>(k, p); };
  });
  if (p.dtype == DType::kString) {
    kernel.run = [p](const KernelContext& k) { return run<std::string>(k, p); };
  } else if (!known) {
    return not_implemented("Unique of ", dtype_name(p.dtype));
  }
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(
    Unique,
    {.type = "Unique", .since = {11}, .infer = infer, .prepare = prepare, .traits = kDataShapes})

}  // namespace mini_infer
