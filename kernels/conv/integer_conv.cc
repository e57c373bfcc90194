// Convolutions of 8-bit tensors, summed in int32.
//   ConvInteger   y = sum (x - x_zero) (w - w_zero)
//   QLinearConv   y = saturate(round((sum + b) * x_scale * w_scale / y_scale) + y_zero)
// Scales and zero points of w may be one for each output channel.
// onnx.ai/onnx/operators/onnx__ConvInteger.html, onnx__QLinearConv.html

#include "kernels/conv/conv_node.h"
#include "kernels/conv/im2col.h"
#include "kernels/gemm/igemm.h"
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

// Everything run() needs. The convolution is a product for each image and group,
//   sums [oc, pixels] = (w - w_zero) [oc, depth] * (x - x_zero) [depth, pixels]
// where padding is zero, as the standard has it.
struct IntegerConv {
  ConvGeometry g;
  Places at;
  Quantization q;
  GemmPlan plan;
  std::shared_ptr<const PackedBuffer> packed_w;  // null: not constant
  std::int64_t packed_group = 0;                 // floats of a group's packed weights
  // Offsets in scratch, in floats: Columns[n * groups], the operands less their zero points,
  // products, sums.
  std::size_t columns_at = 0, x_at = 0, w_at = 0, products_at = 0, sums_at = 0;
};

// out[i] = data[i] - zero of its row, rows of `length` elements.
template <class T, class ZeroOf>
void center(const KernelContext& k, const T* data, std::int64_t rows, std::int64_t length,
            ZeroOf&& zero_of, float* out) {
  k.parallel_for(rows, static_cast<double>(length), [&](Range part, int) {
    for (std::int64_t row = part.begin; row < part.end; ++row) {
      subtract_zero(data + row * length, zero_of(row), length, out + row * length);
    }
  });
}

// Sums of each plane as int32 (Y = int32), or requantised (Y = int8, uint8).
template <class Y>
void put_sums(const KernelContext& k, const IntegerConv& f, const std::int32_t* sums, Y* y) {
  const std::int64_t pixels = f.g.out_plane();
  k.parallel_for(f.g.n * f.g.oc, static_cast<double>(pixels), [&](Range planes, int) {
    for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
      const std::int32_t* const from = sums + plane * pixels;
      Y* const to = y + plane * pixels;
      if constexpr (std::is_same_v<Y, std::int32_t>) {
        std::copy_n(from, pixels, to);
      } else {
        const Quantization& q = f.q;
        const std::int64_t oc = plane % f.g.oc;
        const std::int32_t bias =
            q.bias < 0 ? 0 : k.input<std::int32_t>(static_cast<std::size_t>(q.bias))[oc];
        const std::int32_t zero = q.y_zero.integer(k, 0);
        const float scale =
            q.x_scale.number(k, 0) * q.w_scale.number(k, oc) / q.y_scale.number(k, 0);
        for (std::int64_t i = 0; i < pixels; ++i) {
          to[i] = requantize<Y>(static_cast<float>(from[i] + bias) * scale, zero);
        }
      }
    }
  });
}

// Of image and group i = image * groups + group.
GemmOperands operands(const IntegerConv& f, const float* w, const Columns* columns,
                      std::int64_t i) {
  const std::int64_t group = i % f.g.groups;
  GemmOperands o;
  if (f.packed_w != nullptr) {
    o.a = {.data = f.packed_w->data<float>() + group * f.packed_group};
  } else {
    o.a = {.data = w + group * f.g.group_oc() * f.g.depth(), .row_stride = f.g.depth()};
  }
  if (is_pointwise(f.g)) {
    o.b = {.data = columns[i].x, .row_stride = f.g.in_plane()};
  } else {
    o.b = {.pack = unroll_columns, .context = &columns[i]};
  }
  return o;
}

template <class X, class W, class Y>
Status run(const KernelContext& k, const IntegerConv& f) {
  const ConvGeometry& g = f.g;
  float* const scratch = reinterpret_cast<float*>(k.scratch);
  float* const x = scratch + f.x_at;
  float* const w = scratch + f.w_at;
  const std::int32_t x_zero = f.q.x_zero.integer(k, 0);
  center(
      k, k.input<X>(static_cast<std::size_t>(f.at.x)), g.n * g.ic, g.in_plane(),
      [&](std::int64_t) { return x_zero; }, x);
  if (f.packed_w == nullptr) {
    center(
        k, k.input<W>(static_cast<std::size_t>(f.at.w)), g.oc, g.depth(),
        [&](std::int64_t oc) { return f.q.w_zero.integer(k, oc); }, w);
  }
  auto* const columns = reinterpret_cast<Columns*>(scratch + f.columns_at);
  for (std::int64_t i = 0; i < g.n * g.groups; ++i) {
    columns[i] = {&g, x + i * g.group_ic() * g.in_plane()};
  }
  auto* const sums = reinterpret_cast<std::int32_t*>(scratch + f.sums_at);
  igemm_batch(
      f.plan, [&](std::int64_t i) { return operands(f, w, columns, i); }, scratch,
      scratch + f.products_at, sums);
  put_sums<Y>(k, f, sums, k.output<Y>(0));
  return ok();
}

// Packs constant weights whose zero point is one constant for all channels.
template <class W>
void pack_constant_weights(const PrepareContext& c, IntegerConv& f) {
  const auto w = static_cast<std::size_t>(f.at.w);
  const std::optional<std::int32_t> zero = constant_zero_point(c, f.at.w_zero);
  const std::int64_t rows = f.g.group_oc(), depth = f.g.depth();
  f.packed_group = packed_a_floats(rows, depth, c.isa());
  const auto bytes = checked_bytes(DType::kFloat32, Shape{f.packed_group, f.g.groups});
  if (c.constant(w) == nullptr || !zero.has_value() || f.packed_group == 0 || !bytes.ok()) return;
  const std::string key = cat("integer_conv/", isa_name(c.isa()), "/", f.g.groups, "/", *zero);
  f.packed_w = c.packed(w, key, *bytes, [&](std::byte* out) {
    const W* data = c.constant(w)->data<W>();
    std::vector<float> matrix(static_cast<std::size_t>(rows * depth));
    for (std::int64_t group = 0; group < f.g.groups; ++group) {
      subtract_zero(data + group * rows * depth, *zero, rows * depth, matrix.data());
      pack_a({.data = matrix.data(), .row_stride = depth}, rows, depth,
             reinterpret_cast<float*>(out) + group * f.packed_group, c.isa(), c.packing_threads());
    }
  });
}

PreparedKernel start_kernel(const PrepareContext& c, IntegerConv& f) {
  const ConvGeometry& g = f.g;
  f.plan = plan_gemm({.m = g.group_oc(),
                      .n = g.out_plane(),
                      .k = g.depth(),
                      .batch = g.n * g.groups,
                      .a = f.packed_w != nullptr ? GemmSource::kPacked : GemmSource::kStrided,
                      .b = is_pointwise(g) ? GemmSource::kStrided : GemmSource::kCallback},
                     c.threads(), c.isa());
  const auto whole_lines = [](std::size_t bytes) { return (bytes + 63) / 64 * 16; };
  const auto floats = [&](std::int64_t count) {
    return whole_lines(static_cast<std::size_t>(count) * sizeof(float));
  };
  f.columns_at = whole_lines(f.plan.scratch_bytes());
  f.x_at = f.columns_at + whole_lines(static_cast<std::size_t>(g.n * g.groups) * sizeof(Columns));
  f.w_at = f.x_at + floats(g.n * g.ic * g.in_plane());
  f.products_at = f.w_at + (f.packed_w != nullptr ? 0 : floats(g.oc * g.depth()));
  f.sums_at = f.products_at + floats(g.n * g.oc * g.out_plane());
  PreparedKernel kernel{.name = c.with_isa("integer_conv"), .flop = 2 * g.macs()};
  kernel.scratch_bytes = (f.sums_at + floats(g.n * g.oc * g.out_plane())) * sizeof(float);
  return kernel;
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
  IntegerConv f{.g = g, .at = kAt, .q = q};
  dispatch_8bit(w, w, [&]<class W, class>() { pack_constant_weights<W>(c, f); });
  PreparedKernel kernel = start_kernel(c, f);
  dispatch_8bit(x, w, [&]<class X, class W>() {
    if (y == DType::kInt8) {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::int8_t>(k, f); };
    } else if (y == DType::kUInt8) {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::uint8_t>(k, f); };
    } else {
      kernel.run = [=](const KernelContext& k) { return run<X, W, std::int32_t>(k, f); };
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
