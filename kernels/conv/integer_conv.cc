// Convolutions of 8-bit tensors, summed in int32.
//   ConvInteger   y = sum (x - x_zero) (w - w_zero)
//   QLinearConv   y = saturate(round((sum + b) * x_scale * w_scale / y_scale) + y_zero)
// Scales and zero points of w may be one for each output channel.
// onnx.ai/onnx/operators/onnx__ConvInteger.html, onnx__QLinearConv.html

#include "kernels/conv/conv_node.h"
#include "kernels/conv/reference.h"
#include "kernels/quantized.h"

namespace mini_infer {
namespace {

// Where a node has its tensors; -1 where the operator has no such input.
struct Places {
  int x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias;
};
constexpr Places kInteger{.x = 0,
                          .x_scale = -1,
                          .x_zero = 2,
                          .w = 1,
                          .w_scale = -1,
                          .w_zero = 3,
                          .y_scale = -1,
                          .y_zero = -1,
                          .bias = -1};
constexpr Places kLinear{.x = 0,
                         .x_scale = 1,
                         .x_zero = 2,
                         .w = 3,
                         .w_scale = 4,
                         .w_zero = 5,
                         .y_scale = 6,
                         .y_zero = 7,
                         .bias = 8};

struct Quantization {
  QuantParam x_scale, x_zero, w_scale, w_zero, y_scale, y_zero;
  int bias = -1;
};

Result<Quantization> read_quantization(const PrepareContext& c, const Places& at, std::int64_t oc) {
  Quantization q;
  const auto read = [&](QuantParam& param, int i, std::int64_t count) -> Status {
    if (i < 0) return ok();
    MINI_TRY_ASSIGN(param, QuantParam::of(c, static_cast<std::size_t>(i), count));
    return ok();
  };
  MINI_TRY(read(q.x_scale, at.x_scale, 1));
  MINI_TRY(read(q.x_zero, at.x_zero, 1));
  MINI_TRY(read(q.w_scale, at.w_scale, oc));
  MINI_TRY(read(q.w_zero, at.w_zero, oc));
  MINI_TRY(read(q.y_scale, at.y_scale, 1));
  MINI_TRY(read(q.y_zero, at.y_zero, 1));
  if (at.bias >= 0 && c.has_input(static_cast<std::size_t>(at.bias))) {
    const auto bias = static_cast<std::size_t>(at.bias);
    if (c.dtype(bias) != DType::kInt32)
      return invalid_model("the bias is ", c.dtype(bias), "; it must be int32");
    MINI_TRY(check_channel_input(c, bias, "B", oc));
    q.bias = at.bias;
  }
  return q;
}

// Puts sums as int32 (Y = int32) or requantised (Y = int8, uint8).
template <class Y>
void put_sum(const KernelContext& k, const Quantization& q, Y* y, std::int64_t index,
             std::int64_t oc, std::int32_t sum) {
  if constexpr (std::is_same_v<Y, std::int32_t>) {
    y[index] = sum;
  } else {
    if (q.bias >= 0) sum += k.input<std::int32_t>(static_cast<std::size_t>(q.bias))[oc];
    const float scale = q.x_scale.number(k, 0) * q.w_scale.number(k, oc) / q.y_scale.number(k, 0);
    y[index] = requantize<Y>(static_cast<float>(sum) * scale, q.y_zero.integer(k, 0));
  }
}

template <class X, class W, class Y>
Status run(const KernelContext& k, const ConvGeometry& g, const Places& at, const Quantization& q) {
  const X* x = k.input<X>(static_cast<std::size_t>(at.x));
  const W* w = k.input<W>(static_cast<std::size_t>(at.w));
  Y* y = k.output<Y>(0);
  const std::int32_t x_zero = q.x_zero.integer(k, 0);
  const double work = static_cast<double>(g.out_plane()) * static_cast<double>(g.depth());
  k.parallel_for(g.n * g.oc, work, [&](Range planes, int) {
    for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
      const std::int32_t w_zero = q.w_zero.integer(k, plane % g.oc);
      reference::conv<std::int32_t>(
          g, {plane, plane + 1}, [=](std::int64_t i) { return std::int32_t{x[i]} - x_zero; },
          [=](std::int64_t i, std::int64_t) { return std::int32_t{w[i]} - w_zero; },
          [&](std::int64_t i, std::int64_t oc, std::int32_t sum) { put_sum(k, q, y, i, oc, sum); });
    }
  });
  return ok();
}

template <const Places& kAt>
Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kAt.x, kAt.w));
  c.set_output(0, kAt.y_zero < 0 ? DType::kInt32 : c.dtype(kAt.y_zero), std::move(shape));
  return ok();
}

template <const Places& kAt>
Result<PreparedKernel> prepare(PrepareContext& c) {
  const DType x = c.dtype(kAt.x), w = c.dtype(kAt.w), y = c.output_dtype();
  if (!is_8bit(x) || !is_8bit(w) || (kAt.y_zero >= 0 && !is_8bit(y))) {
    return invalid_model("x is ", x, ", w is ", w, " and y is ", y, "; they must be int8 or uint8");
  }
  MINI_TRY_ASSIGN(const ConvGeometry g, read_conv_geometry(c, kAt.x, kAt.w));
  MINI_TRY_ASSIGN(const Quantization q, read_quantization(c, kAt, g.oc));
  PreparedKernel kernel{.name = "integer_conv/reference", .flop = 2 * g.macs()};
  dispatch_8bit(x, w, [&]<class X, class W>() {
    if (y == DType::kInt8) {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::int8_t>(k, g, kAt, q); };
    } else if (y == DType::kUInt8) {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::uint8_t>(k, g, kAt, q); };
    } else {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::int32_t>(k, g, kAt, q); };
    }
  });
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(ConvInteger, {.type = "ConvInteger",
                             .since = {10},
                             .infer = infer<kInteger>,
                             .prepare = prepare<kInteger>})
MINI_DEFINE_OP(QLinearConv, {.type = "QLinearConv",
                             .since = {10},
                             .infer = infer<kLinear>,
                             .prepare = prepare<kLinear>})

}  // namespace mini_infer
