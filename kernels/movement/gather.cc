// Gather: slices of x along one axis, by index.  onnx.ai/onnx/operators/onnx__Gather.html
#include "graph/ir/constants.h"
#include "kernels/movement/element.h"
#include "kernels/movement/indices.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

void infer_contents(InferContext& c) {
  const auto* contents = tracked_contents(c, 0);
  const auto indices = c.ints_of(1);
  if (contents == nullptr || c.shape(0)->rank() != 1 || !indices) return;
  std::vector<Dim> picked;
  const auto extent = static_cast<std::int64_t>(contents->size());
  for (const std::int64_t index : *indices) {
    if (index < -extent || index >= extent) return;
    picked.push_back((*contents)[static_cast<std::size_t>(index < 0 ? index + extent : index)]);
  }
  c.set_contents(0, std::move(picked));
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  const SymShape *x = c.shape(0), *indices = c.shape(1);
  c.set_output(0, c.dtype(0));
  if (x == nullptr || indices == nullptr) return ok();
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x->rank()));
  SymShape out;
  for (std::size_t i = 0; i < axis; ++i) out.push_back((*x)[i]);
  for (const Dim& dim : *indices) out.push_back(dim);
  for (std::size_t i = axis + 1; i < x->rank(); ++i) out.push_back((*x)[i]);
  c.set_output(0, c.dtype(0), out);
  infer_contents(c);
  return ok();
}

// x: [outer][extent][run], y: [outer][count][run]
struct Problem {
  std::int64_t outer, extent, run, count;
  std::size_t axis;
  DType dtype, index_dtype;
};

template <class T>
void gather(const KernelContext& k, const Problem& p) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  k.parallel_for(p.outer * p.count, static_cast<double>(p.run), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      std::int64_t index = index_at(k.inputs[1], p.index_dtype, i % p.count);
      if (index < 0) index += p.extent;
      copy_run(x + (i / p.count * p.extent + index) * p.run, y + i * p.run, p.run);
    }
  });
}

Status run(const KernelContext& k, const Problem& p) {
  MINI_TRY(check_indices(k.inputs[1], p.index_dtype, p.count, p.extent, p.axis));
  if (p.outer * p.count * p.run == 0) return ok();
  dispatch_element(p.dtype, [&]<class T>() { gather<T>(k, p); });
  return ok();
}

// One constant index of the outermost axis: a view.
PreparedKernel one_slice(const PrepareContext& c, const Problem& p, std::int64_t index) {
  PreparedKernel kernel;
  const std::int64_t from = (index < 0 ? index + p.extent : index) * p.run;
  kernel.name = "gather/view";
  kernel.aliases.push_back({.kind = Alias::Kind::kOutputInInput,
                            .offset = static_cast<std::size_t>(from) * dtype_size(c.dtype(0))});
  kernel.run = [p, from](const KernelContext& k) {
    const void* x = element_at(k.inputs[0], p.dtype, from);
    if (x == k.outputs[0]) return ok();
    dispatch_element(p.dtype,
                     [&]<class T>() { copy_run(static_cast<const T*>(x), k.output<T>(0), p.run); });
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &x = c.shape(0), &indices = c.shape(1);
  MINI_TRY(expect_indices(c.dtype(1), "indices"));
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  const Problem p{.outer = x.elements(0, axis),
                  .extent = x[axis],
                  .run = x.elements(axis + 1, x.rank()),
                  .count = indices.elements(),
                  .axis = axis,
                  .dtype = c.dtype(0),
                  .index_dtype = c.dtype(1)};
  if (const Tensor* constant = c.constant(1); constant != nullptr) {
    MINI_TRY(check_indices(constant->data(), p.index_dtype, p.count, p.extent, axis));
    if (p.outer == 1 && p.count == 1) {
      return one_slice(c, p, index_at(constant->data(), p.index_dtype, 0));
    }
  }
  PreparedKernel kernel;
  kernel.name = "gather/runs";
  kernel.run = [p](const KernelContext& k) { return run(k, p); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Gather, {.type = "Gather", .since = {1, 11, 13}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
