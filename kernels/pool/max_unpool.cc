// MaxUnpool: puts each input element where MaxPool found it, and zeros elsewhere.
// onnx.ai/onnx/operators/onnx__MaxUnpool.html
//
// The indices count through a tensor of the inferred shape, (in - 1) * stride + kernel - pads along
// each axis; the optional output_shape may be larger, the rest of it is zero.

#include "graph/ir/constants.h"
#include "kernels/op.h"
#include "kernels/window.h"

namespace mini_infer {
namespace {

enum Input : int { kX, kIndices, kOutputShape };

// An extent of the inferred shape.
Dim unpooled(const Window& w, std::size_t axis, const Dim& in) {
  const std::int64_t rest = w.kernel[axis] - w.pads_begin[axis] - w.pads_end[axis];
  return (in - 1) * Dim(w.strides[axis]) + Dim(rest);
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  const SymShape* x = c.shape(kX);
  MINI_TRY_ASSIGN(const Window window, read_window(c));
  SymShape out;
  if (x != nullptr && x->rank() != window.rank() + 2) {
    return invalid_model("the input has shape ", *x, "; kernel_shape ", window.kernel,
                         " needs rank ", window.rank() + 2);
  }
  if (c.has_input(kOutputShape)) {
    if (const auto* contents = c.contents(kOutputShape)) out = SymShape(*contents);
    if (out.rank() == 0) {
      c.set_output(0, c.dtype(kX));
      return ok();
    }
  } else if (x != nullptr) {
    out = {(*x)[0], (*x)[1]};
    for (std::size_t axis = 0; axis < window.rank(); ++axis) {
      out.push_back(unpooled(window, axis, (*x)[axis + 2]));
    }
  }
  c.set_output(0, c.dtype(kX), x != nullptr ? std::optional(out) : std::nullopt);
  return ok();
}

struct Unpool {
  Shape in, inferred;
  std::size_t size;  // bytes of an element
};

// Where element `index` of the inferred shape lies in `out`, or -1 when it is outside.
std::int64_t place(const Shape& inferred, const Shape& out, std::int64_t index) {
  std::int64_t at = 0, step = 1;
  for (std::size_t axis = out.rank(); axis-- > 0;) {
    const std::int64_t i = index % inferred[axis];
    index /= inferred[axis];
    if (i >= out[axis]) return -1;
    at += i * step;
    step *= out[axis];
  }
  return at;
}

Status scatter(const Unpool& u, const Shape& out, const KernelContext& k, std::byte* y) {
  const std::byte* x = k.input<std::byte>(kX);
  const std::int64_t* indices = k.input<std::int64_t>(kIndices);
  const std::int64_t limit = u.inferred.elements(), count = u.in.elements();
  std::fill_n(y, static_cast<std::size_t>(out.elements()) * u.size, std::byte{});
  for (std::int64_t i = 0; i < count; ++i) {
    if (indices[i] < 0 || indices[i] >= limit) {
      return error(Code::kInvalidArgument, "index ", indices[i], " is outside of the ", limit,
                   " elements of the unpooled shape ", u.inferred);
    }
    const std::int64_t at = place(u.inferred, out, indices[i]);
    if (at >= 0)
      std::copy_n(x + static_cast<std::size_t>(i) * u.size, u.size,
                  y + static_cast<std::size_t>(at) * u.size);
  }
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(kX);
  MINI_TRY_ASSIGN(const Window window, read_window(c));
  if (c.shape(kIndices) != x || x.rank() != window.rank() + 2 ||
      c.dtype(kIndices) != DType::kInt64) {
    return invalid_model("the input has shape ", x, " and the indices ", c.shape(kIndices), " of ",
                         c.dtype(kIndices), "; they must be alike and the indices int64");
  }
  Unpool u{.in = x, .inferred = {x[0], x[1]}, .size = dtype_size(c.dtype(kX))};
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    u.inferred.push_back(unpooled(window, axis, x[axis + 2]).value());
  }
  MINI_TRY(checked_bytes(c.dtype(kX), u.inferred).status());
  if (c.dtype(kX) == DType::kString) return not_implemented("MaxUnpool of strings");
  PreparedKernel kernel{.name = "max_unpool/reference"};
  const DType dtype = c.dtype(kX);
  if (c.output(0).shape) {
    const Shape out = c.output_shape();
    if (out.rank() != x.rank()) {
      return invalid_model("output_shape has ", out.rank(), " entries; it needs ", x.rank());
    }
    kernel.run = [=](const KernelContext& k) { return scatter(u, out, k, k.output<std::byte>(0)); };
    return kernel;
  }
  if (c.dtype(kOutputShape) != DType::kInt64 ||
      c.shape(kOutputShape).elements() != static_cast<std::int64_t>(x.rank())) {
    return invalid_model("output_shape must be ", x.rank(), " int64 numbers");
  }
  kernel.run = [=](const KernelContext& k) -> Status {
    const std::int64_t* dims = k.input<std::int64_t>(kOutputShape);
    const Shape out(Ints(dims, dims + u.in.rank()));
    MINI_TRY_ASSIGN(Tensor y, Tensor::allocate(dtype, out));
    MINI_TRY(scatter(u, out, k, static_cast<std::byte*>(y.mutable_data())));
    k.set_output(0, std::move(y));
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MaxUnpool,
               {.type = "MaxUnpool", .since = {9, 11, 22}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
