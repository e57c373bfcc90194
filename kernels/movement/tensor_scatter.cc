// TensorScatter: rows written into a cache, for each batch from an index of its own on.
//                                              onnx.ai/onnx/operators/onnx__TensorScatter.html
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  c.set_output(0, c.dtype(0));
  if (c.shape(0) != nullptr) c.set_output(0, c.dtype(0), *c.shape(0));
  return ok();
}

// cache: [batches][outer][extent][run], update: [batches][outer][rows][run]
struct Problem {
  std::int64_t batches, outer, extent, rows, run;
  bool circular;
};

std::int64_t first_row(const KernelContext& k, std::int64_t batch) {
  const auto* indices = k.input<std::int64_t>(2);
  return indices != nullptr ? indices[batch] : 0;
}

Status check_rows(const KernelContext& k, const Problem& p) {
  for (std::int64_t b = 0; b < p.batches; ++b) {
    const std::int64_t first = first_row(k, b),
                       last = p.circular ? p.extent - 1 : p.extent - p.rows;
    if (first >= 0 && first <= last) continue;
    return error(Code::kInvalidArgument, "write_indices[", b, "] is ", first, "; it must be in [0,",
                 last, "]");
  }
  return ok();
}

template <class T>
void write_rows(const KernelContext& k, const Problem& p) {
  for (std::int64_t i = 0; i < p.batches * p.outer; ++i) {
    const std::int64_t first = first_row(k, i / p.outer);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const std::int64_t row = (first + r) % p.extent;
      copy_run(k.input<T>(1) + (i * p.rows + r) * p.run,
               k.output<T>(0) + (i * p.extent + row) * p.run, p.run);
    }
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &cache = c.shape(0), &update = c.shape(1);
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", -2), cache.rank()));
  Shape fits = cache;
  if (axis < update.rank()) fits[axis] = update[axis];
  if (axis == 0 || update != fits || update[axis] > cache[axis] || c.dtype(1) != c.dtype(0) ||
      (c.has_input(2) && (c.dtype(2) != DType::kInt64 || c.shape(2).elements() != cache[0]))) {
    return invalid_model("update ", update, " does not fit the cache ", cache, " along axis ",
                         axis);
  }
  const std::string mode = c.string("mode", "linear");
  if (mode != "linear" && mode != "circular") return invalid_model("mode '", mode, "'");
  const Problem p{.batches = cache[0],
                  .outer = cache.elements(1, axis),
                  .extent = cache[axis],
                  .rows = update[axis],
                  .run = cache.elements(axis + 1, cache.rank()),
                  .circular = mode == "circular"};
  PreparedKernel kernel;
  kernel.name = "tensor_scatter";
  kernel.aliases.push_back({.kind = Alias::Kind::kInPlace});
  kernel.run = [p, dtype = c.dtype(0),
                copy = StridedCopy({{cache.elements(), 1, 1}})](const KernelContext& k) {
    MINI_TRY(check_rows(k, p));
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    if (p.rows * p.run == 0) return ok();
    dispatch_element(dtype, [&]<class T>() { write_rows<T>(k, p); });
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(TensorScatter,
               {.type = "TensorScatter", .since = {24}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
