// NonZero and Compress: elements chosen by what is in them; their number is known at run time only.
//                                              onnx.ai/onnx/operators/onnx__NonZero.html
#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status infer_non_zero(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  Dim rank = c.unknown(0, 0);
  if (c.shape(0) != nullptr) {
    rank = static_cast<std::int64_t>(std::max<std::size_t>(c.shape(0)->rank(), 1));
  }
  c.set_output(0, DType::kInt64, SymShape{rank, c.unknown(0, 1)});
  return ok();
}

template <class T>
bool is_zero(const T& x) {
  if constexpr (std::is_same_v<T, std::string>) {
    return x.empty();
  } else {
    return widened(x) == 0;
  }
}

// Column j of the output holds the coordinates of the j-th element that is not zero.
template <class T>
Status non_zero(const KernelContext& k, const Shape& shape) {
  const T* x = k.input<T>(0);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    if (!is_zero(x[i])) places.push_back(i);
  }
  const auto count = static_cast<std::int64_t>(places.size());
  const auto rank = static_cast<std::int64_t>(shape.rank());
  MINI_TRY_ASSIGN(Tensor out, Tensor::allocate(DType::kInt64, {rank, count}));
  std::int64_t* y = out.mutable_data<std::int64_t>();
  for (std::int64_t j = 0; j < count; ++j) {
    std::int64_t rest = places[static_cast<std::size_t>(j)];
    for (std::int64_t a = rank; a-- > 0;) {
      const std::int64_t extent = shape[static_cast<std::size_t>(a)];
      y[a * count + j] = rest % extent;
      rest /= extent;
    }
  }
  k.set_output(0, std::move(out));
  return ok();
}

Result<PreparedKernel> prepare_non_zero(PrepareContext& c) {
  const Shape shape = c.shape(0).rank() == 0 ? Shape{1} : c.shape(0);
  PreparedKernel kernel;
  kernel.name = "non_zero";
  const bool known = dispatch_dtype(c.dtype(0), [&]<class T>() {
    kernel.run = [shape](const KernelContext& k) { return non_zero<T>(k, shape); };
  });
  if (c.dtype(0) == DType::kString) {
    kernel.run = [shape](const KernelContext& k) { return non_zero<std::string>(k, shape); };
  } else if (!known) {
    return not_implemented("NonZero of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

Status infer_compress(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  SymShape out{c.unknown(0, 0)};
  if (c.has("axis")) {
    if (x == nullptr) return ok();
    MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x->rank()));
    out = *x;
    out[axis] = c.unknown(0, axis);
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// x: [outer][extent][run]; the condition may be shorter than the axis.
struct CompressProblem {
  Shape shape;
  std::size_t axis;
  std::int64_t outer, extent, run, conditions;
};

Status compress(const KernelContext& k, const CompressProblem& p, DType dtype) {
  const bool* condition = k.input<bool>(1);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < std::min(p.conditions, p.extent); ++i) {
    if (condition[i]) kept.push_back(i);
  }
  const auto count = static_cast<std::int64_t>(kept.size());
  Shape shape = p.shape;
  shape[p.axis] = count;
  MINI_TRY_ASSIGN(Tensor out, Tensor::allocate(dtype, shape));
  dispatch_element(dtype, [&]<class T>() {
    T* y = static_cast<T*>(out.mutable_data());
    for (std::int64_t i = 0; i < p.outer * count; ++i) {
      const std::int64_t from = kept[static_cast<std::size_t>(i % count)];
      copy_run(k.input<T>(0) + (i / count * p.extent + from) * p.run, y + i * p.run, p.run);
    }
  });
  k.set_output(0, std::move(out));
  return ok();
}

Result<PreparedKernel> prepare_compress(PrepareContext& c) {
  const Shape x = c.has("axis") ? c.shape(0) : Shape{c.shape(0).elements()};
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), x.rank()));
  if (c.dtype(1) != DType::kBool) return invalid_model("condition must be bool");
  const CompressProblem p{.shape = x,
                          .axis = axis,
                          .outer = x.elements(0, axis),
                          .extent = x[axis],
                          .run = x.elements(axis + 1, x.rank()),
                          .conditions = c.shape(1).elements()};
  PreparedKernel kernel;
  kernel.name = "compress";
  kernel.run = [p, dtype = c.dtype(0)](const KernelContext& k) { return compress(k, p, dtype); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Compress, {.type = "Compress",
                          .since = {9, 11},
                          .infer = infer_compress,
                          .prepare = prepare_compress,
                          .traits = kDataShapes})
MINI_DEFINE_OP(NonZero, {.type = "NonZero",
                         .since = {9, 13},
                         .infer = infer_non_zero,
                         .prepare = prepare_non_zero,
                         .traits = kDataShapes})

}  // namespace mini_infer
