// Convolution as a matrix product over plain NCHW: for each image and group
//   y [oc, pixels] = activation(w [oc, depth] * columns [depth, pixels] + bias + residual)
// where columns [ic, kz, ky, kx][oz, oy, ox] are input elements, unrolled panel by panel when the
// GEMM asks for them. A 1x1 kernel reads the input itself.

#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_task.h"
#include "kernels/conv/im2col.h"

namespace mini_infer {
namespace {

// One row of columns for the pixels from `pixel` on: the input under tap (kz, ky, kx).
void unroll_run(const ConvGeometry& g, const float* channel, std::int64_t kz, std::int64_t ky,
                std::int64_t kx, std::int64_t pixel, std::int64_t count, float* out) {
  while (count > 0) {
    const std::int64_t ox = pixel % g.out[2], row = pixel / g.out[2];
    const std::int64_t oy = row % g.out[1], oz = row / g.out[1];
    const std::int64_t run = std::min(count, g.out[2] - ox);
    const std::int64_t iz = oz * g.stride[0] + kz * g.dilation[0] - g.pad_begin[0];
    const std::int64_t iy = oy * g.stride[1] + ky * g.dilation[1] - g.pad_begin[1];
    if (iz < 0 || iz >= g.in[0] || iy < 0 || iy >= g.in[1]) {
      std::fill_n(out, run, 0.f);
    } else {
      const float* line = channel + (iz * g.in[1] + iy) * g.in[2];
      const std::int64_t first = ox * g.stride[2] + kx * g.dilation[2] - g.pad_begin[2];
      for (std::int64_t i = 0; i < run; ++i) {
        const std::int64_t ix = first + i * g.stride[2];
        out[i] = ix >= 0 && ix < g.in[2] ? line[ix] : 0.f;
      }
    }
    pixel += run;
    count -= run;
    out += run;
  }
}

}  // namespace

void unroll_columns(const void* context, const GemmPanels& part, float* out) {
  const Columns& columns = *static_cast<const Columns*>(context);
  const ConvGeometry& g = *columns.g;
  for (std::int64_t p = 0; p * part.width < part.count; ++p) {
    const std::int64_t pixel = part.first + p * part.width;
    const std::int64_t count = std::min<std::int64_t>(part.width, part.count - p * part.width);
    float* panel = out + p * part.panel_stride;
    for (std::int64_t k = 0; k < part.kc; ++k, panel += part.width) {
      const std::int64_t depth = part.k0 + k, tap = depth % g.taps();
      const float* channel = columns.x + depth / g.taps() * g.in_plane();
      unroll_run(g, channel, tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1],
                 tap % g.kernel[2], pixel, count, panel);
      std::fill(panel + count, panel + part.width, 0.f);
    }
  }
}

bool is_pointwise(const ConvGeometry& g) {
  return g.taps() == 1 && g.in == g.out && g.stride == std::array<std::int64_t, 3>{1, 1, 1} &&
         g.pad_begin == std::array<std::int64_t, 3>{};
}

namespace {

struct Im2colConv {
  ConvTask task;
  GemmPlan plan;
  bool pointwise = false;
  std::shared_ptr<const PackedBuffer> weights;  // null: not constant
  std::int64_t packed_group = 0;                // floats of a group's packed weights
  std::size_t columns_offset = 0;               // of Columns[n * groups] in scratch, in bytes

  Status run(const KernelContext& k) const;
  GemmOperands operands(const KernelContext& k, std::int64_t i, const Columns* columns) const;
};

const float* float_input(const KernelContext& k, int i) {
  return i < 0 ? nullptr : k.input<float>(static_cast<std::size_t>(i));
}

// Of image and group i = image * groups + group.
GemmOperands Im2colConv::operands(const KernelContext& k, std::int64_t i,
                                  const Columns* columns) const {
  const ConvGeometry& g = task.geometry;
  const std::int64_t group = i % g.groups, oc = group * g.group_oc();
  const std::int64_t start = i * g.group_oc() * g.out_plane();
  const float* bias = float_input(k, task.end.bias);
  const float* residual = float_input(k, task.end.residual);
  GemmOperands o{.c = k.output<float>(0) + start, .c_stride = g.out_plane()};
  if (weights != nullptr) {
    o.a = {.data = weights->data<float>() + group * packed_group};
  } else {
    o.a = {.data = k.input<float>(kW) + oc * g.depth(), .row_stride = g.depth()};
  }
  if (pointwise) {
    o.b = {.data = columns[i].x, .row_stride = g.in_plane()};
  } else {
    o.b = {.pack = unroll_columns, .context = &columns[i]};
  }
  o.epilogue = {.row_bias = bias != nullptr ? bias + oc : nullptr,
                .residual = residual != nullptr ? residual + start : nullptr,
                .residual_stride = g.out_plane(),
                .activation = task.end.activation};
  return o;
}

// y = y < 0 ? slope * y : y, one slope for each channel.
void apply_slopes(const KernelContext& k, const ConvTask& task) {
  const ConvGeometry& g = task.geometry;
  const float* slopes = float_input(k, task.end.slopes);
  float* y = k.output<float>(0);
  const std::int64_t plane = g.out_plane();
  k.parallel_for(g.n * g.oc, static_cast<double>(plane), [&](Range planes, int) {
    for (std::int64_t p = planes.begin; p < planes.end; ++p) {
      const float slope = slopes[task.end.one_slope ? 0 : p % g.oc];
      for (std::int64_t i = p * plane; i < (p + 1) * plane; ++i) {
        y[i] = y[i] < 0.f ? y[i] * slope : y[i];
      }
    }
  });
}

Status Im2colConv::run(const KernelContext& k) const {
  const ConvGeometry& g = task.geometry;
  auto* columns = reinterpret_cast<Columns*>(k.scratch + columns_offset);
  for (std::int64_t i = 0; i < g.n * g.groups; ++i) {
    columns[i] = {&g, k.input<float>(kX) + i * g.group_ic() * g.in_plane()};
  }
  gemm_batch(
      plan, [&](std::int64_t i) { return operands(k, i, columns); },
      reinterpret_cast<float*>(k.scratch));
  if (task.end.slopes >= 0) apply_slopes(k, task);
  return ok();
}

std::shared_ptr<const PackedBuffer> pack_weights(const PrepareContext& c, const ConvGeometry& g,
                                                 std::int64_t packed_group) {
  const std::size_t bytes = static_cast<std::size_t>(g.groups * packed_group) * sizeof(float);
  const std::string key = cat("conv_gemm/", isa_name(c.isa()), "/", g.groups);
  return c.packed(kW, key, bytes, [&](std::byte* out) {
    const float* w = c.constant(kW)->data<float>();
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const GemmInput matrix{.data = w + group * g.group_oc() * g.depth(), .row_stride = g.depth()};
      pack_a(matrix, g.group_oc(), g.depth(), reinterpret_cast<float*>(out) + group * packed_group,
             c.isa());
    }
  });
}

}  // namespace

PreparedKernel im2col_conv(const PrepareContext& c, const ConvTask& task) {
  const ConvGeometry& g = task.geometry;
  auto conv = std::make_shared<Im2colConv>();
  conv->task = task;
  conv->pointwise = is_pointwise(g);
  if (task.constant_weights) {
    conv->packed_group = packed_a_floats(g.group_oc(), g.depth(), c.isa());
    conv->weights = pack_weights(c, g, conv->packed_group);
  }
  conv->plan =
      plan_gemm({.m = g.group_oc(),
                 .n = g.out_plane(),
                 .k = g.depth(),
                 .batch = g.n * g.groups,
                 .a = conv->weights != nullptr ? GemmSource::kPacked : GemmSource::kStrided,
                 .b = conv->pointwise ? GemmSource::kStrided : GemmSource::kCallback},
                c.threads(), c.isa());
  conv->columns_offset = (conv->plan.scratch_bytes() + 63) / 64 * 64;
  PreparedKernel kernel{.name = c.with_isa(conv->pointwise ? "conv/gemm" : "conv/im2col")};
  kernel.scratch_bytes =
      conv->columns_offset + static_cast<std::size_t>(g.n * g.groups) * sizeof(Columns);
  kernel.flop = 2 * g.macs();
  kernel.run = [conv](const KernelContext& k) { return conv->run(k); };
  return kernel;
}

}  // namespace mini_infer
