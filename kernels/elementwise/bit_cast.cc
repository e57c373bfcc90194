// BitCast: the same bytes as another dtype of the same size.
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const std::int64_t to = c.integer("to", 0);
  const auto dtype = static_cast<DType>(to);
  if (to <= 0 || to > 255 || dtype_size(dtype) == 0) {
    return not_implemented("attribute 'to' is ", to, "; dtypes from 1 to 16 are known");
  }
  const bool strings = c.dtype(0) == DType::kString || dtype == DType::kString;
  if (c.dtype(0) != DType::kUndefined && (strings || dtype_size(c.dtype(0)) != dtype_size(dtype))) {
    return invalid_model("cannot read ", c.dtype(0), " as ", dtype,
                         ": both must be numbers of as many bytes");
  }
  c.set_output(0, dtype, c.input(0).shape);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) { return view_kernel(c, "view"); }

}  // namespace

MINI_DEFINE_OP(BitCast, {.type = "BitCast", .since = {26}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
