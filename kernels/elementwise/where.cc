// Where: y = condition ? a : b, all three broadcast together.
#include <string>
#include <type_traits>

#include "graph/ir/constants.h"
#include "kernels/elementwise/broadcast.h"
#include "kernels/elementwise/elementwise.h"

namespace mini_infer {
namespace {

// Both operands, with steps of 0 or 1, are read whatever the condition says, which takes no branch.
template <class T>
void select_row(const bool* condition, const T* a, std::int64_t a_step, const T* b,
                std::int64_t b_step, std::int64_t n, T* y) {
  const auto go = [&](auto a_at, auto b_at) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T mask = static_cast<T>(-static_cast<T>(condition[i]));
      y[i] = static_cast<T>((a[a_at(i)] & mask) | (b[b_at(i)] & ~mask));
    }
  };
  const auto each = [](std::int64_t i) { return i; };
  const auto one = [](std::int64_t /*i*/) { return std::int64_t{0}; };
  if (a_step != 0 && b_step != 0) {
    go(each, each);
  } else if (a_step != 0) {
    go(each, one);
  } else if (b_step != 0) {
    go(one, each);
  } else {
    go(one, one);
  }
}

// T has the size of an element; what its bits mean does not matter.
template <class T>
void select_tile(const Tile& t, const bool* condition, const T* a, const T* b, T* y) {
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const bool* cr = condition + t.offset[0] + r * t.row_stride[0];
    const T* ar = a + t.offset[1] + r * t.row_stride[1];
    const T* br = b + t.offset[2] + r * t.row_stride[2];
    T* yr = y + t.out + r * t.n;
    if constexpr (std::is_unsigned_v<T>) {
      if (t.step[0] != 0) {
        select_row(cr, ar, t.step[1], br, t.step[2], t.n, yr);
        continue;
      }
    }
    for (std::int64_t i = 0; i < t.n; ++i) {
      yr[i] = cr[i * t.step[0]] ? ar[i * t.step[1]] : br[i * t.step[2]];
    }
  }
}

template <class T>
PreparedKernel kernel_for(BroadcastLoop loop) {
  return {.name = "where", .run = [loop = std::move(loop)](const KernelContext& k) {
            loop.run_parallel(k, 1, [&](const Tile& tile) {
              select_tile(tile, k.input<bool>(0), k.input<T>(1), k.input<T>(2), k.output<T>(0));
            });
            return ok();
          }};
}

void infer_where_contents(InferContext& c) {
  const auto condition = known_contents(c, 0), a = known_contents(c, 1), b = known_contents(c, 2);
  const auto& shape = c.outputs()[0].shape;
  if (!condition || !a || !b || !shape || shape->rank() > 1) return;
  const Dim count = shape->elements();
  if (!count.known()) return;
  const auto at = [&](const std::vector<Dim>& list, std::size_t i) {
    return list[list.size() == 1 ? 0 : i];
  };
  std::vector<Dim> out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count.value()); ++i) {
    const Dim choice = at(*condition, i);
    if (!choice.known()) return;
    out.push_back(choice.is(0) ? at(*b, i) : at(*a, i));
  }
  c.set_contents(0, std::move(out));
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  std::optional<SymShape> out;
  if (c.shape(0) != nullptr && c.shape(1) != nullptr && c.shape(2) != nullptr) {
    out = broadcast(*c.shape(0), *c.shape(1));
    if (out) out = broadcast(*out, *c.shape(2));
    if (!out) {
      return invalid_model("inputs of shape ", *c.shape(0), ", ", *c.shape(1), " and ", *c.shape(2),
                           " do not broadcast together");
    }
  }
  c.set_output(0, c.dtype(1), std::move(out));
  infer_where_contents(c);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  if (c.dtype(0) != DType::kBool || c.dtype(1) != c.dtype(2)) {
    return invalid_model("inputs have dtypes ", c.dtype(0), ", ", c.dtype(1), " and ", c.dtype(2),
                         "; the condition is bool, and the others are the same");
  }
  const Shape operands[] = {c.shape(0), c.shape(1), c.shape(2)};
  BroadcastLoop loop(c.output_shape(), operands);
  if (c.dtype(1) == DType::kString) return kernel_for<std::string>(std::move(loop));
  switch (dtype_size(c.dtype(1))) {
    case 1:
      return kernel_for<std::uint8_t>(std::move(loop));
    case 2:
      return kernel_for<std::uint16_t>(std::move(loop));
    case 4:
      return kernel_for<std::uint32_t>(std::move(loop));
    case 8:
      return kernel_for<std::uint64_t>(std::move(loop));
    default:
      return not_implemented("inputs of dtype ", c.dtype(1));
  }
}

}  // namespace

MINI_DEFINE_OP(
    Where,
    {.type = "Where", .since = {9, 16}, .infer = infer, .prepare = prepare, .traits = kElementwise})

}  // namespace mini_infer
