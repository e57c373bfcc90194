// OneHot, EyeLike, Trilu: tensors of ones and zeros, or parts of matrices.
//                                              onnx.ai/onnx/operators/onnx__OneHot.html
#include <algorithm>
#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// The single whole number in a constant of any numeric dtype.
Result<std::int64_t> whole_number(const Tensor& tensor, std::string_view what) {
  const auto number = single_number(tensor);
  if (!number || !(std::abs(*number) < 9e15)) {
    return invalid_model(what, " must be one number");
  }
  return static_cast<std::int64_t>(*number);
}

Result<std::size_t> one_hot_axis(const AttributeReader& c, std::size_t index_rank) {
  return normalize_axis(c.integer("axis", -1), index_rank + 1);
}

Status infer_one_hot(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  c.set_output(0, c.dtype(2));
  const SymShape* indices = c.shape(0);
  if (indices == nullptr) return ok();
  MINI_TRY_ASSIGN(const std::size_t axis, one_hot_axis(c, indices->rank()));
  Dim depth = c.unknown(0, axis);
  if (c.constant(1) != nullptr) {
    MINI_TRY_ASSIGN(const std::int64_t number, whole_number(*c.constant(1), "depth"));
    if (number < 0) return invalid_model("depth ", number, " is negative");
    depth = number;
  } else if (c.contents(1) != nullptr && c.contents(1)->size() == 1) {
    depth = c.contents(1)->front();
  }
  std::vector<Dim> out = indices->dims();
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  c.set_output(0, c.dtype(2), SymShape(std::move(out)));
  return ok();
}

double number_at(const void* data, DType dtype, std::int64_t i) {
  double number = 0;
  dispatch_dtype(dtype, [&]<class T>() {
    number = static_cast<double>(widened(static_cast<const T*>(data)[i]));
  });
  return number;
}

// y: [outer][depth][inner], indices: [outer][inner]. Indices out of range leave their column off.
template <class T>
void one_hot(const KernelContext& k, DType index_dtype, std::int64_t count, std::int64_t depth,
             std::int64_t inner) {
  const T* values = k.input<T>(2);
  T* y = k.output<T>(0);
  std::fill_n(y, count * depth, values[0]);
  for (std::int64_t i = 0; i < count; ++i) {
    const double wanted = number_at(k.inputs[0], index_dtype, i);
    const double index = wanted < 0 ? wanted + static_cast<double>(depth) : wanted;
    if (!(index >= 0 && index < static_cast<double>(depth))) continue;
    const std::int64_t row = i / inner * depth + static_cast<std::int64_t>(index);
    y[row * inner + i % inner] = values[1];
  }
}

Result<PreparedKernel> prepare_one_hot(PrepareContext& c) {
  const Shape& indices = c.shape(0);
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  MINI_TRY_ASSIGN(const std::size_t axis, one_hot_axis(c, indices.rank()));
  if (c.shape(2).elements() != 2) return invalid_model("values must be [off, on]");
  PreparedKernel kernel;
  kernel.name = "one_hot";
  const std::int64_t count = indices.elements(), depth = out[axis];
  const std::int64_t inner = std::max<std::int64_t>(indices.elements(axis, indices.rank()), 1);
  const DType index_dtype = c.dtype(0);
  if (!dispatch_dtype(index_dtype, []<class T>() {})) {
    return not_implemented("indices of ", dtype_name(index_dtype));
  }
  dispatch_element(c.dtype(2), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) {
      one_hot<T>(k, index_dtype, count, depth, inner);
      return ok();
    };
  });
  return kernel;
}

Status infer_eye(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const auto dtype = static_cast<DType>(c.integer("dtype", static_cast<int>(c.dtype(0))));
  c.set_output(0, dtype);
  if (c.shape(0) == nullptr) return ok();
  if (c.shape(0)->rank() != 2) {
    return invalid_model("input has shape ", *c.shape(0), "; EyeLike needs rank 2");
  }
  c.set_output(0, dtype, *c.shape(0));
  return ok();
}

Result<PreparedKernel> prepare_eye(PrepareContext& c) {
  const std::int64_t rows = c.shape(0)[0], cols = c.shape(0)[1];
  const std::int64_t offset = std::clamp(c.integer("k", 0), -rows - 1, cols + 1);
  PreparedKernel kernel;
  kernel.name = "eye";
  const bool known = dispatch_dtype(c.output_dtype(), [&]<class T>() {
    kernel.run = [=](const KernelContext& k) {
      T* y = k.output<T>(0);
      std::fill_n(y, rows * cols, narrowed<T>(0));
      for (std::int64_t r = 0; r < rows; ++r) {
        if (r + offset >= 0 && r + offset < cols) y[r * cols + r + offset] = narrowed<T>(1);
      }
      return ok();
    };
  });
  if (!known) return not_implemented("EyeLike of ", dtype_name(c.output_dtype()));
  return kernel;
}

Status infer_trilu(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 2));
  c.set_output(0, c.dtype(0));
  if (c.shape(0) == nullptr) return ok();
  if (c.shape(0)->rank() < 2) {
    return invalid_model("input has shape ", *c.shape(0), "; Trilu needs at least rank 2");
  }
  c.set_output(0, c.dtype(0), *c.shape(0));
  return ok();
}

// Row r keeps the columns [r + k, cols) of the upper part or [0, r + k] of the lower one.
template <class T>
void trilu(const KernelContext& k, std::int64_t rows, std::int64_t cols, std::int64_t count,
           bool upper, std::int64_t diagonal) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  k.parallel_for(count, static_cast<double>(cols), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t cut =
          std::clamp<std::int64_t>(i % rows + diagonal + (upper ? 0 : 1), 0, cols);
      const std::int64_t first = upper ? cut : 0, last = upper ? cols : cut;
      const T* from = x + i * cols;
      T* to = y + i * cols;
      std::fill(to, to + first, T{});
      if (from != to) copy_run(from + first, to + first, last - first);
      std::fill(to + last, to + cols, T{});
    }
  });
}

Result<PreparedKernel> prepare_trilu(PrepareContext& c) {
  const Shape& x = c.shape(0);
  const std::int64_t rows = x[x.rank() - 2], cols = x[x.rank() - 1];
  MINI_TRY_ASSIGN(const IntParam diagonal, IntParam::input(c, 1));
  if (diagonal.given() && c.shape(1).elements() != 1) return invalid_model("k must be one number");
  PreparedKernel kernel;
  kernel.name = "trilu";
  kernel.aliases.push_back({.kind = Alias::Kind::kInPlace});
  kernel.run = [=, upper = c.integer("upper", 1) != 0, dtype = c.dtype(0),
                count = x.elements(0, x.rank() - 1)](const KernelContext& k) {
    const std::int64_t wanted = diagonal.given() ? diagonal.read(k).front() : 0;
    const std::int64_t offset = std::clamp(wanted, -rows - 1, cols + 1);
    if (count * cols == 0) return ok();
    dispatch_element(dtype, [&]<class T>() { trilu<T>(k, rows, cols, count, upper, offset); });
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(EyeLike,
               {.type = "EyeLike", .since = {9, 22}, .infer = infer_eye, .prepare = prepare_eye})
MINI_DEFINE_OP(OneHot, {.type = "OneHot",
                        .since = {9, 11},
                        .infer = infer_one_hot,
                        .prepare = prepare_one_hot})
MINI_DEFINE_OP(Trilu,
               {.type = "Trilu", .since = {14}, .infer = infer_trilu, .prepare = prepare_trilu})

}  // namespace mini_infer
