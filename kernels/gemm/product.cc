#include "kernels/gemm/product.h"

#include <algorithm>

namespace mini_infer {
namespace {

// The axes of an operand in the order stack..., row, column; kVectorAxis for the axis of extent 1
// that a vector lacks.
constexpr std::size_t kVectorAxis = static_cast<std::size_t>(-1);

std::vector<std::size_t> ordered_axes(std::size_t rank, OperandOrder order, bool is_left) {
  if (rank == 1) {
    return is_left ? std::vector<std::size_t>{kVectorAxis, 0}
                   : std::vector<std::size_t>{0, kVectorAxis};
  }
  std::vector<std::size_t> axes(rank);
  for (std::size_t i = 0; i < rank; ++i) axes[i] = i;
  if (order.stack_transposed) std::rotate(axes.begin(), axes.begin() + 1, axes.end() - 1);
  if (order.transposed) std::swap(axes[rank - 2], axes[rank - 1]);
  return axes;
}

template <class S>
auto extent(const S& shape, std::size_t axis) {
  return axis == kVectorAxis ? std::decay_t<decltype(shape[0])>(1) : shape[axis];
}

// The stack's extents, outermost first.
template <class S>
S stack_shape(const S& shape, const std::vector<std::size_t>& axes) {
  S stack;
  for (std::size_t i = 0; i + 2 < axes.size(); ++i) stack.push_back(shape[axes[i]]);
  return stack;
}

MatrixStack stack_of(const Shape& shape, const std::vector<std::size_t>& axes, const Shape& batch) {
  std::vector<std::int64_t> strides(shape.rank(), 1);
  for (std::size_t i = shape.rank() - 1; i-- > 0;) strides[i] = strides[i + 1] * shape[i + 1];
  const auto stride = [&](std::size_t axis) { return axis == kVectorAxis ? 0 : strides[axis]; };
  const std::size_t row = axes[axes.size() - 2], column = axes[axes.size() - 1];
  MatrixStack stack{.rows = extent(shape, row),
                    .columns = extent(shape, column),
                    .row_stride = stride(row),
                    .column_stride = stride(column)};
  stack.matrices = stack_shape(shape, axes).elements();
  // Every product's offset: an odometer over the broadcast batch.
  stack.offsets.assign(static_cast<std::size_t>(batch.elements()), 0);
  std::int64_t repeat = 1;
  for (std::size_t i = 0; i < batch.rank(); ++i) {
    const std::size_t axis = batch.rank() - 1 - i;  // of the batch, innermost first
    if (i + 2 < axes.size()) {
      const std::size_t own = axes[axes.size() - 3 - i];
      if (shape[own] > 1) {
        for (std::size_t at = 0; at < stack.offsets.size(); ++at) {
          const std::int64_t index = static_cast<std::int64_t>(at) / repeat % batch[axis];
          stack.offsets[at] += index * strides[own];
        }
      }
    }
    repeat *= batch[axis];
  }
  return stack;
}

}  // namespace

Result<std::optional<SymShape>> infer_product_shape(const SymShape* a, OperandOrder a_order,
                                                    const SymShape* b, OperandOrder b_order) {
  if (a == nullptr || b == nullptr) return std::optional<SymShape>();
  if (a->rank() == 0 || b->rank() == 0) {
    return invalid_model("the operands have shapes ", *a, " and ", *b, "; a scalar is no matrix");
  }
  const auto a_axes = ordered_axes(a->rank(), a_order, true);
  const auto b_axes = ordered_axes(b->rank(), b_order, false);
  const Dim inner_a = extent(*a, a_axes.back()), inner_b = extent(*b, b_axes[b_axes.size() - 2]);
  const auto batch = broadcast(stack_shape(*a, a_axes), stack_shape(*b, b_axes));
  if (!batch || (inner_a.known() && inner_b.known() && inner_a != inner_b)) {
    return invalid_model("matrices of shapes ", *a, " and ", *b,
                         " cannot be multiplied: the inner extents must agree and the outer ones "
                         "broadcast");
  }
  SymShape shape = *batch;
  if (a->rank() > 1) shape.push_back(extent(*a, a_axes[a_axes.size() - 2]));
  if (b->rank() > 1) shape.push_back(extent(*b, b_axes.back()));
  return std::optional(shape);
}

Result<Product> read_product(const Shape& a, OperandOrder a_order, const Shape& b,
                             OperandOrder b_order) {
  const SymShape a_symbolic(a), b_symbolic(b);
  MINI_TRY_ASSIGN(const auto shape,
                  infer_product_shape(&a_symbolic, a_order, &b_symbolic, b_order));
  MINI_TRY(checked_bytes(DType::kFloat64, *shape->concrete()).status());
  const auto a_axes = ordered_axes(a.rank(), a_order, true);
  const auto b_axes = ordered_axes(b.rank(), b_order, false);
  const Shape batch = *broadcast(stack_shape(a, a_axes), stack_shape(b, b_axes));
  constexpr std::int64_t kMostProducts = 1 << 26;
  Product p{.batch = batch.elements()};
  if (p.batch > kMostProducts) {
    return error(Code::kResourceExhausted, "a stack of ", p.batch, " matrix products (at most ",
                 kMostProducts, ")");
  }
  p.a = stack_of(a, a_axes, batch);
  p.b = stack_of(b, b_axes, batch);
  p.m = p.a.rows;
  p.n = p.b.columns;
  p.k = p.a.columns;
  return p;
}

void merge_stack(Product& p) {
  if (p.batch <= 1 || p.b.matrices != 1 || p.a.column_stride != 1 || p.a.row_stride != p.k) return;
  for (std::size_t i = 0; i < p.a.offsets.size(); ++i) {
    if (p.a.offsets[i] != static_cast<std::int64_t>(i) * p.m * p.k) return;
  }
  p.m *= p.batch;
  p.batch = 1;
  p.a.rows = p.m;
  p.a.matrices = 1;
  p.a.offsets.resize(1);
  p.b.offsets.resize(1);
}

}  // namespace mini_infer
