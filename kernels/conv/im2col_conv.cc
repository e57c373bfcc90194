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

// Pixels of one output row, side by side: `count` of them from (oz, oy, ox) on.
struct PixelRun {
  std::int64_t oz, oy, ox, count;
};
constexpr int kMaxWidth = 64;  // of a panel

// The runs of `count` pixels from `pixel` on.
int runs_of(const ConvGeometry& g, std::int64_t pixel, std::int64_t count,
            PixelRun (&runs)[kMaxWidth]) {
  int n = 0;
  while (count > 0) {
    const std::int64_t ox = pixel % g.out[2], row = pixel / g.out[2];
    const std::int64_t length = std::min(count, g.out[2] - ox);
    runs[n++] = {row / g.out[1], row % g.out[1], ox, length};
    pixel += length;
    count -= length;
  }
  return n;
}

// Pixels [begin, end) of a run, all outside of the line.
void unroll_border(const ConvGeometry& g, const float* line, std::int64_t first, std::int64_t begin,
                   std::int64_t end, float* out) {
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t ix = border_source(g.border, first + i * g.stride[2], g.in[2]);
    out[i] = ix < 0 ? 0.f : line[ix];
  }
}

// The input under tap (kz, ky, kx) for a run.
void unroll_run(const ConvGeometry& g, const float* channel, std::int64_t kz, std::int64_t ky,
                std::int64_t kx, const PixelRun& run, float* out) {
  const auto source = [&](std::size_t axis, std::int64_t o, std::int64_t k) {
    const std::int64_t i = o * g.stride[axis] + k * g.dilation[axis] - g.pad_begin[axis];
    return border_source(g.border, i, g.in[axis]);
  };
  const std::int64_t iz = source(0, run.oz, kz), iy = source(1, run.oy, ky);
  if (iz < 0 || iy < 0) {
    std::fill_n(out, run.count, 0.f);
    return;
  }
  const std::int64_t stride = g.stride[2];
  const std::int64_t first = run.ox * stride + kx * g.dilation[2] - g.pad_begin[2];
  // Pixels begin to end of the run lie inside.
  const std::int64_t begin =
      std::min(run.count, first < 0 ? (-first + stride - 1) / stride : std::int64_t{0});
  const std::int64_t end =
      std::clamp(g.in[2] > first ? (g.in[2] - first + stride - 1) / stride : std::int64_t{0}, begin,
                 run.count);
  const float* const line = channel + (iz * g.in[1] + iy) * g.in[2];
  unroll_border(g, line, first, 0, begin, out);
  if (stride == 1) {
    std::copy(line + (first + begin), line + (first + end), out + begin);
  } else {
    for (std::int64_t i = begin; i < end; ++i) out[i] = line[first + i * stride];
  }
  unroll_border(g, line, first, end, run.count, out);
}

// One panel: `count` pixels from `pixel` on, zeros up to part.width, for each k of the part.
void unroll_panel(const Columns& columns, const GemmPanels& part, std::int64_t pixel,
                  std::int64_t count, float* panel) {
  const ConvGeometry& g = *columns.g;
  PixelRun runs[kMaxWidth];
  const int run_count = runs_of(g, pixel, count, runs);
  const std::int64_t tap = part.k0 % g.taps();
  const float* channel = columns.x + part.k0 / g.taps() * g.in_plane();
  std::int64_t kx = tap % g.kernel[2], ky = tap / g.kernel[2] % g.kernel[1];
  std::int64_t kz = tap / (g.kernel[1] * g.kernel[2]);
  for (std::int64_t k = 0; k < part.kc; ++k, panel += part.width) {
    float* out = panel;
    for (int i = 0; i < run_count; ++i) {
      unroll_run(g, channel, kz, ky, kx, runs[i], out);
      out += runs[i].count;
    }
    std::fill(out, panel + part.width, 0.f);
    if (++kx < g.kernel[2]) continue;
    kx = 0;
    if (++ky < g.kernel[1]) continue;
    ky = 0;
    if (++kz < g.kernel[0]) continue;
    kz = 0;
    channel += g.in_plane();
  }
}

}  // namespace

void unroll_columns(const void* context, const GemmPanels& part, float* out) {
  const Columns& columns = *static_cast<const Columns*>(context);
  for (std::int64_t i = 0; i < part.count; i += part.width, out += part.panel_stride) {
    unroll_panel(columns, part, part.first + i, std::min<std::int64_t>(part.width, part.count - i),
                 out);
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
             c.isa(), c.threads());
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
