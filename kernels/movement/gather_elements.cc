// GatherElements, GatherND: elements or slices by index tuples.
//                                              onnx.ai/onnx/operators/onnx__GatherElements.html
#include "kernels/movement/element.h"
#include "kernels/movement/indices.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status infer_elements(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const SymShape *x = c.shape(0), *indices = c.shape(1);
  if (indices == nullptr) return ok();
  if (x != nullptr && x->rank() != indices->rank()) {
    return invalid_model("data ", *x, " and indices ", *indices, " must have the same rank");
  }
  c.set_output(0, c.dtype(0), *indices);
  return ok();
}

Result<PreparedKernel> prepare_elements(PrepareContext& c) {
  const Shape &x = c.shape(0), &indices = c.shape(1);
  MINI_TRY(expect_indices(c.dtype(1), "indices"));
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  MINI_TRY_ASSIGN(const ElementGrid grid, element_grid(x, indices, axis));
  PreparedKernel kernel;
  kernel.name = "gather_elements";
  kernel.run = [grid, dtype = c.dtype(0), index_dtype = c.dtype(1)](const KernelContext& k) {
    MINI_TRY(check_indices(k.inputs[1], index_dtype, grid.count(), grid.extent, grid.axis));
    dispatch_element(dtype, [&]<class T>() {
      const T* from = k.input<T>(0);
      T* y = k.output<T>(0);
      k.parallel_for(grid.count(), 4, [&](Range range, int) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
          y[i] = from[grid.place(i, index_at(k.inputs[1], index_dtype, i))];
        }
      });
    });
    return ok();
  };
  return kernel;
}

Result<std::size_t> batch_dims(const AttributeReader& c, std::size_t x_rank,
                               std::size_t index_rank) {
  const std::int64_t batch = c.integer("batch_dims", 0);
  if (batch >= 0 && batch < static_cast<std::int64_t>(std::min(x_rank, index_rank))) {
    return static_cast<std::size_t>(batch);
  }
  return invalid_model("batch_dims ", batch, " does not fit ranks ", x_rank, " and ", index_rank);
}

Status infer_nd(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const SymShape *x = c.shape(0), *indices = c.shape(1);
  if (x == nullptr || indices == nullptr || indices->rank() == 0) return ok();
  MINI_TRY_ASSIGN(const std::size_t batch, batch_dims(c, x->rank(), indices->rank()));
  const Dim& tuple = (*indices)[indices->rank() - 1];
  if (!tuple.known()) return ok();
  const auto depth = static_cast<std::size_t>(tuple.value());
  if (tuple.value() < 1 || batch + depth > x->rank()) {
    return invalid_model("indices ", *indices, " hold tuples of ", tuple, " for data ", *x);
  }
  SymShape out(std::vector<Dim>(indices->begin(), indices->end() - 1));
  for (std::size_t i = batch + depth; i < x->rank(); ++i) out.push_back((*x)[i]);
  c.set_output(0, c.dtype(0), out);
  return ok();
}

Result<PreparedKernel> prepare_nd(PrepareContext& c) {
  const Shape &x = c.shape(0), &indices = c.shape(1);
  MINI_TRY(expect_indices(c.dtype(1), "indices"));
  MINI_TRY_ASSIGN(const std::size_t batch, batch_dims(c, x.rank(), indices.rank()));
  MINI_TRY_ASSIGN(const TupleGrid grid, tuple_grid(x, indices, batch));
  for (std::size_t i = 0; i < batch; ++i) {
    if (x[i] != indices[i]) {
      return invalid_model("data ", x, " and indices ", indices, " differ in batch axis ", i);
    }
  }
  PreparedKernel kernel;
  kernel.name = "gather_nd";
  kernel.run = [grid, dtype = c.dtype(0), index_dtype = c.dtype(1)](const KernelContext& k) {
    MINI_TRY(check_tuples(grid, k.inputs[1], index_dtype));
    if (grid.count * grid.run == 0) return ok();
    dispatch_element(dtype, [&]<class T>() {
      const T* from = k.input<T>(0);
      T* y = k.output<T>(0);
      k.parallel_for(grid.count, static_cast<double>(grid.run), [&](Range range, int) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
          copy_run(from + grid.place(i, k.inputs[1], index_dtype), y + i * grid.run, grid.run);
        }
      });
    });
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(GatherElements, {.type = "GatherElements",
                                .since = {11, 13},
                                .infer = infer_elements,
                                .prepare = prepare_elements})
MINI_DEFINE_OP(
    GatherND, {.type = "GatherND", .since = {11, 12, 13}, .infer = infer_nd, .prepare = prepare_nd})

}  // namespace mini_infer
