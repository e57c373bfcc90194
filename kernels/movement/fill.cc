// ConstantOfShape and Range: tensors made from parameters.
//                                              onnx.ai/onnx/operators/onnx__ConstantOfShape.html
#include <cmath>
#include <type_traits>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Result<Tensor> fill_value(const AttributeReader& c) {
  const Tensor* value = c.tensor("value");
  if (value == nullptr) return Tensor::scalar(0.f);
  if (value->elements() != 1) {
    return invalid_model("value has shape ", value->shape(), "; it must have one element");
  }
  return *value;
}

Status infer_constant(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  MINI_TRY_ASSIGN(const Tensor value, fill_value(c));
  c.set_output(0, value.dtype());
  if (c.contents(0) == nullptr) {
    const auto rank = tracked_rank(c.shape(0));
    if (rank) c.set_output(0, value.dtype(), unknown_shape(c, 0, *rank));
    return ok();
  }
  const SymShape out(*c.contents(0));
  for (const Dim& dim : out) {
    if (dim.known() && dim.value() < 0) return invalid_model("shape ", out, " is negative");
  }
  c.set_output(0, value.dtype(), out);
  const auto count = tracked_elements(&out);
  const auto ints = integers(value);
  if (count && ints) {
    c.set_contents(0, std::vector<Dim>(static_cast<std::size_t>(*count), Dim(ints->front())));
  }
  return ok();
}

Result<PreparedKernel> prepare_constant(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  MINI_TRY_ASSIGN(const Tensor value, fill_value(c));
  auto axes = dense_axes(out);
  for (auto& axis : axes) axis.in = 0;
  PreparedKernel kernel;
  kernel.name = "fill";
  kernel.run = [copy = StridedCopy(std::move(axes)), value](const KernelContext& k) {
    copy.run(k, value.dtype(), value.data(), k.outputs[0]);
    return ok();
  };
  return kernel;
}

// Number of elements of start, start + delta, ... before limit.
Result<std::int64_t> range_length(double start, double limit, double delta) {
  const double count = std::ceil((limit - start) / delta);
  if (delta == 0 || !(std::abs(count) < 9e15)) {
    return invalid_model("a range from ", start, " to ", limit, " in steps of ", delta,
                         " has no length");
  }
  return static_cast<std::int64_t>(std::max(count, 0.0));
}

// The one element of an integer input, symbols included.
std::optional<Dim> single_dim(const InferContext& c, std::size_t i) {
  const auto* contents = c.contents(i);
  if (contents == nullptr || contents->size() != 1) return std::nullopt;
  return contents->front();
}

void infer_range_contents(InferContext& c, const Dim& start, const Dim& delta, std::int64_t count) {
  std::vector<Dim> contents;
  for (std::int64_t i = 0; i < count; ++i) contents.push_back(start + delta * Dim(i));
  c.set_contents(0, std::move(contents));
}

Status infer_range(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, 1));
  const auto start = single_dim(c, 0), limit = single_dim(c, 1), delta = single_dim(c, 2);
  if (start && limit && delta) {
    const Dim length = *limit - *start;
    if (delta->is(1) && !length.known()) c.set_output(0, c.dtype(0), SymShape{length});
    if (!length.known() || !delta->known()) return ok();
    MINI_TRY_ASSIGN(const std::int64_t count, range_length(0, static_cast<double>(length.value()),
                                                           static_cast<double>(delta->value())));
    c.set_output(0, c.dtype(0), SymShape{count});
    if (count <= kMostContents) infer_range_contents(c, *start, *delta, count);
    return ok();
  }
  double numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    if (c.constant(i) == nullptr) return ok();
    const auto number = single_number(*c.constant(i));
    if (!number) return invalid_model("input ", i, " of Range is not one number");
    numbers[i] = *number;
  }
  MINI_TRY_ASSIGN(const std::int64_t count, range_length(numbers[0], numbers[1], numbers[2]));
  c.set_output(0, c.dtype(0), SymShape{count});
  return ok();
}

Result<PreparedKernel> prepare_range(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  for (std::size_t i = 0; i < 3; ++i) {
    if (c.shape(i).elements() != 1 || c.dtype(i) != c.dtype(0)) {
      return invalid_model("input ", i, " of Range is ", dtype_name(c.dtype(i)), c.shape(i),
                           "; all must be one number of one dtype");
    }
  }
  PreparedKernel kernel;
  kernel.name = "range";
  const bool known = dispatch_dtype(c.dtype(0), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      kernel.run = [count = out.elements()](const KernelContext& k) {
        const auto start = widened(*k.input<T>(0)), delta = widened(*k.input<T>(2));
        T* y = k.output<T>(0);
        for (std::int64_t i = 0; i < count; ++i) {
          y[i] = narrowed<T>(start + static_cast<decltype(start)>(i) * delta);
        }
        return ok();
      };
    }
  });
  if (!known || !kernel.run) return not_implemented("Range of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(ConstantOfShape, {.type = "ConstantOfShape",
                                 .since = {9, 20, 21},
                                 .infer = infer_constant,
                                 .prepare = prepare_constant})
MINI_DEFINE_OP(Range,
               {.type = "Range", .since = {11}, .infer = infer_range, .prepare = prepare_range})

}  // namespace mini_infer
