// ScatterElements (Scatter before opset 11), ScatterND: a copy of data with updates by index.
//                                              onnx.ai/onnx/operators/onnx__ScatterElements.html
//
// Updates are applied in order, so that the last of several to one place stays.
#include <string>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/element.h"
#include "kernels/movement/indices.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  c.set_output(0, c.dtype(0));
  if (c.shape(0) != nullptr) c.set_output(0, c.dtype(0), *c.shape(0));
  return ok();
}

// Calls f.template operator()<T>(combine) with combine(T& place, const T& update).
template <class F>
Status dispatch_update(DType dtype, Reduction reduction, F&& f) {
  if (reduction == Reduction::kNone) {
    dispatch_element(dtype, [&]<class T>() {
      f.template operator()<T>([](T& place, const T& update) { place = update; });
    });
    return ok();
  }
  const bool known = dispatch_dtype(dtype, [&]<class T>() {
    f.template operator()<T>(
        [reduction](T& place, T update) { place = reduce(reduction, place, update); });
  });
  if (known) return ok();
  return not_implemented("a reduction of ", dtype_name(dtype));
}

// update_all(T* y, const T* updates, combine) after y has become a copy of the data.
template <class Update>
PreparedKernel scatter_kernel(const PrepareContext& c, const char* name, Reduction reduction,
                              Update update_all) {
  const DType dtype = c.dtype(0);
  PreparedKernel kernel;
  kernel.name = name;
  kernel.aliases.push_back({.kind = Alias::Kind::kInPlace});
  kernel.run = [copy = StridedCopy({{c.shape(0).elements(), 1, 1}}), dtype, reduction,
                update_all](const KernelContext& k) {
    MINI_TRY(update_all.check(k));
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return dispatch_update(dtype, reduction, [&]<class T>(auto combine) {
      update_all(k, k.output<T>(0), k.input<T>(2), combine);
    });
  };
  return kernel;
}

struct UpdateElements {
  ElementGrid grid;
  DType index_dtype;

  Status check(const KernelContext& k) const {
    return check_indices(k.inputs[1], index_dtype, grid.count(), grid.extent, grid.axis);
  }
  template <class T, class Combine>
  void operator()(const KernelContext& k, T* y, const T* updates, Combine combine) const {
    const std::int64_t count = grid.count();
    for (std::int64_t i = 0; i < count; ++i) {
      combine(y[grid.place(i, index_at(k.inputs[1], index_dtype, i))], updates[i]);
    }
  }
};

struct UpdateTuples {
  TupleGrid grid;
  DType index_dtype;

  Status check(const KernelContext& k) const {
    return check_tuples(grid, k.inputs[1], index_dtype);
  }
  template <class T, class Combine>
  void operator()(const KernelContext& k, T* y, const T* updates, Combine combine) const {
    for (std::int64_t i = 0; i < grid.count; ++i) {
      T* to = y + grid.place(i, k.inputs[1], index_dtype);
      for (std::int64_t j = 0; j < grid.run; ++j) combine(to[j], updates[i * grid.run + j]);
    }
  }
};

// Constant tuples, checked and reckoned beforehand; neighbours that are written to neighbours make
// one segment, so that x[..., a:b, :] = u is a few copies.
struct UpdateSegments {
  struct Segment {
    std::int64_t to, from, count;
  };
  std::vector<Segment> segments;

  Status check(const KernelContext&) const { return ok(); }
  template <class T, class Combine>
  void operator()(const KernelContext&, T* y, const T* updates, Combine combine) const {
    for (const Segment& s : segments) {
      for (std::int64_t i = 0; i < s.count; ++i) combine(y[s.to + i], updates[s.from + i]);
    }
  }
};

UpdateSegments make_segments(const TupleGrid& grid, const void* indices, DType dtype) {
  UpdateSegments out;
  for (std::int64_t i = 0; i < grid.count; ++i) {
    const std::int64_t to = grid.place(i, indices, dtype);
    if (!out.segments.empty() && out.segments.back().to + out.segments.back().count == to) {
      out.segments.back().count += grid.run;
    } else {
      out.segments.push_back({to, i * grid.run, grid.run});
    }
  }
  return out;
}

Result<Reduction> checked_reduction(const PrepareContext& c) {
  MINI_TRY(expect_indices(c.dtype(1), "indices"));
  if (c.dtype(2) != c.dtype(0)) {
    return invalid_model("updates are ", dtype_name(c.dtype(2)), ", data is ",
                         dtype_name(c.dtype(0)));
  }
  MINI_TRY_ASSIGN(const Reduction reduction, reduction_of(c));
  if (reduction != Reduction::kNone && !dispatch_dtype(c.dtype(0), []<class T>() {})) {
    return not_implemented("a reduction of ", dtype_name(c.dtype(0)));
  }
  return reduction;
}

Result<PreparedKernel> prepare_elements(PrepareContext& c) {
  const Shape &x = c.shape(0), &indices = c.shape(1);
  MINI_TRY_ASSIGN(const Reduction reduction, checked_reduction(c));
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  MINI_TRY_ASSIGN(const ElementGrid grid, element_grid(x, indices, axis));
  if (c.shape(2) != indices) {
    return invalid_model("updates ", c.shape(2), " and indices ", indices, " must be alike");
  }
  return scatter_kernel(c, "scatter_elements", reduction, UpdateElements{grid, c.dtype(1)});
}

Result<PreparedKernel> prepare_nd(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Reduction reduction, checked_reduction(c));
  MINI_TRY_ASSIGN(const TupleGrid grid, tuple_grid(c.shape(0), c.shape(1), 0));
  if (c.shape(2).elements() != grid.count * grid.run) {
    return invalid_model("updates ", c.shape(2), " do not fit data ", c.shape(0), " and indices ",
                         c.shape(1));
  }
  if (const Tensor* indices = c.constant(1); indices != nullptr) {
    MINI_TRY(check_tuples(grid, indices->data(), c.dtype(1)));
    return scatter_kernel(c, "scatter_nd/segments", reduction,
                          make_segments(grid, indices->data(), c.dtype(1)));
  }
  return scatter_kernel(c, "scatter_nd", reduction, UpdateTuples{grid, c.dtype(1)});
}

}  // namespace

MINI_DEFINE_OP(Scatter,
               {.type = "Scatter", .since = {9, 11}, .infer = infer, .prepare = prepare_elements})
MINI_DEFINE_OP(ScatterElements, {.type = "ScatterElements",
                                 .since = {11, 13, 16, 18},
                                 .infer = infer,
                                 .prepare = prepare_elements})
MINI_DEFINE_OP(ScatterND, {.type = "ScatterND",
                           .since = {11, 13, 16, 18},
                           .infer = infer,
                           .prepare = prepare_nd})

}  // namespace mini_infer
