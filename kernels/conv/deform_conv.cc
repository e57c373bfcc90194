// DeformConv: a convolution whose taps are moved by an input of offsets.
//                                              onnx.ai/onnx/operators/onnx__DeformConv.html
//
// Inputs: x [n, c, h, w], weight [oc, c/g, kh, kw], offset [n, og*kh*kw*2, oh, ow] (dy, dx), bias,
// mask [n, og*kh*kw, oh, ow]. For each image and group the moved pixels are gathered into columns
// [c/g*kh*kw][oh*ow], which the weights are multiplied with.
#include <algorithm>
#include <cmath>

#include "kernels/gemm/gemm.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

struct Axis {
  std::int64_t in, kernel, stride, dilation, pad, out;
};

Result<Axis> axis_of(const AttributeReader& c, std::size_t i, std::int64_t in,
                     std::int64_t kernel) {
  const Ints strides = c.ints("strides", {1, 1}), dilations = c.ints("dilations", {1, 1});
  const Ints pads = c.ints("pads", {0, 0, 0, 0});
  if (strides.size() != 2 || dilations.size() != 2 || pads.size() != 4) {
    return not_implemented("DeformConv of other than two spatial axes");
  }
  Axis axis{in, kernel, strides[i], dilations[i], pads[i], 0};
  for (const std::int64_t n : {kernel, axis.stride, axis.dilation, pads[i] + 1, pads[i + 2] + 1}) {
    if (n < 1 || n > INT32_MAX) return invalid_model("a parameter of DeformConv is ", n);
  }
  const std::int64_t room = in + pads[i] + pads[i + 2] - axis.dilation * (kernel - 1) - 1;
  if (room < 0) return invalid_model("the kernel is larger than the padded input");
  axis.out = room / axis.stride + 1;
  return axis;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 5));
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, 4));
  const SymShape *x = c.shape(0), *w = c.shape(1);
  if (x == nullptr || w == nullptr) return ok();
  if (x->rank() != 4 || w->rank() != 4) {
    return invalid_model("input ", *x, " and weight ", *w, " must have rank 4");
  }
  SymShape out = unknown_shape(c, 0, 4);
  out[0] = (*x)[0];
  out[1] = (*w)[0];
  for (std::size_t i = 0; i < 2; ++i) {
    if (!(*x)[i + 2].known() || !(*w)[i + 2].known()) continue;
    MINI_TRY_ASSIGN(const Axis axis, axis_of(c, i, (*x)[i + 2].value(), (*w)[i + 2].value()));
    out[i + 2] = axis.out;
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

struct Problem {
  std::int64_t batches, channels, out_channels, groups, offset_groups;
  Axis rows, cols;

  std::int64_t taps() const { return rows.kernel * cols.kernel; }
  std::int64_t pixels() const { return rows.out * cols.out; }
  std::int64_t depth() const { return channels / groups * taps(); }  // of one product
};

// Bilinear; pixels outside are zero.
float pixel_at(const float* plane, std::int64_t height, std::int64_t width, float y, float x) {
  if (!(y > -1 && x > -1 && y < static_cast<float>(height) && x < static_cast<float>(width))) {
    return 0;
  }
  const auto y0 = static_cast<std::int64_t>(std::floor(y));
  const auto x0 = static_cast<std::int64_t>(std::floor(x));
  const float dy = y - static_cast<float>(y0), dx = x - static_cast<float>(x0);
  const auto at = [&](std::int64_t r, std::int64_t col) {
    return r < 0 || r >= height || col < 0 || col >= width ? 0.f : plane[r * width + col];
  };
  return (1 - dy) * ((1 - dx) * at(y0, x0) + dx * at(y0, x0 + 1)) +
         dy * ((1 - dx) * at(y0 + 1, x0) + dx * at(y0 + 1, x0 + 1));
}

// Column row number `i` = (channel, tap) of one image: all output pixels.
void gather_row(const KernelContext& k, const Problem& p, std::int64_t image, std::int64_t i,
                float* out) {
  const std::int64_t channel = i / p.taps(), tap = i % p.taps();
  const std::int64_t group = channel / (p.channels / p.offset_groups);
  const std::int64_t place = (image * p.offset_groups + group) * p.taps() + tap;
  const float* offset = k.input<float>(2) + place * 2 * p.pixels();
  const float* mask = k.input<float>(4);
  const float* plane = k.input<float>(0) + (image * p.channels + channel) * p.rows.in * p.cols.in;
  for (std::int64_t pixel = 0; pixel < p.pixels(); ++pixel) {
    const std::int64_t oy = pixel / p.cols.out, ox = pixel % p.cols.out;
    const std::int64_t ky = tap / p.cols.kernel, kx = tap % p.cols.kernel;
    const std::int64_t y = oy * p.rows.stride - p.rows.pad + ky * p.rows.dilation;
    const std::int64_t x = ox * p.cols.stride - p.cols.pad + kx * p.cols.dilation;
    const float value = pixel_at(plane, p.rows.in, p.cols.in, static_cast<float>(y) + offset[pixel],
                                 static_cast<float>(x) + offset[p.pixels() + pixel]);
    out[pixel] = mask == nullptr ? value : value * mask[place * p.pixels() + pixel];
  }
}

void run(const KernelContext& k, const Problem& p, const GemmPlan& plan) {
  const std::int64_t all = p.channels * p.taps(), out_group = p.out_channels / p.groups;
  float* columns = reinterpret_cast<float*>(k.scratch);
  float* gemm_scratch = columns + (all * p.pixels() + 15) / 16 * 16;
  for (std::int64_t image = 0; image < p.batches; ++image) {
    k.parallel_for(all, static_cast<double>(16 * p.pixels()), [&](Range range, int) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        gather_row(k, p, image, i, columns + i * p.pixels());
      }
    });
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const float* bias = k.input<float>(3);
      gemm(plan,
           {.a = {.data = k.input<float>(1) + group * out_group * p.depth(),
                  .row_stride = p.depth()},
            .b = {.data = columns + group * p.depth() * p.pixels(), .row_stride = p.pixels()},
            .c = k.output<float>(0) + (image * p.out_channels + group * out_group) * p.pixels(),
            .c_stride = p.pixels(),
            .epilogue = {.row_bias = bias == nullptr ? nullptr : bias + group * out_group}},
           gemm_scratch);
    }
  }
}

Status check_shapes(const PrepareContext& c, const Problem& p) {
  const Shape maps{p.batches, p.offset_groups * p.taps(), p.rows.out, p.cols.out};
  Shape offsets = maps;
  offsets[1] *= 2;
  const bool fits = p.channels % p.groups == 0 && p.out_channels % p.groups == 0 &&
                    p.channels % p.offset_groups == 0 && c.shape(1)[1] == p.channels / p.groups &&
                    c.shape(2) == offsets &&
                    (!c.has_input(3) || c.shape(3).elements() == p.out_channels) &&
                    (!c.has_input(4) || c.shape(4) == maps);
  if (fits) return ok();
  return invalid_model("input ", c.shape(0), ", weight ", c.shape(1), ", offset ", c.shape(2),
                       ", bias ", c.shape(3), " and mask ", c.shape(4),
                       " do not fit each other in ", p.groups, " groups");
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &x = c.shape(0), &w = c.shape(1);
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (c.has_input(i) && c.dtype(i) != DType::kFloat32) {
      return not_implemented("DeformConv of ", dtype_name(c.dtype(i)));
    }
  }
  Problem p{.batches = x[0],
            .channels = x[1],
            .out_channels = w[0],
            .groups = c.integer("group", 1),
            .offset_groups = c.integer("offset_group", 1)};
  MINI_TRY_ASSIGN(p.rows, axis_of(c, 0, x[2], w[2]));
  MINI_TRY_ASSIGN(p.cols, axis_of(c, 1, x[3], w[3]));
  if (p.groups < 1 || p.offset_groups < 1) return invalid_model("group or offset_group");
  MINI_TRY(check_shapes(c, p));
  const GemmPlan plan = plan_gemm({.m = p.out_channels / p.groups, .n = p.pixels(), .k = p.depth()},
                                  c.threads(), c.isa());
  PreparedKernel kernel;
  kernel.name = c.with_isa("deform_conv");
  kernel.flop = 2.0 * static_cast<double>(p.batches * p.out_channels) *
                static_cast<double>(p.depth() * p.pixels());
  kernel.scratch_bytes =
      static_cast<std::size_t>((p.channels * p.taps() * p.pixels() + 15) / 16 * 16) *
          sizeof(float) +
      plan.scratch_bytes();
  kernel.run = [p, plan](const KernelContext& k) {
    if (p.batches * p.out_channels * p.pixels() > 0) run(k, p, plan);
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(DeformConv,
               {.type = "DeformConv", .since = {19, 22}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
