// Transposed convolution over plain NCHW, any groups and axes: for each image and each run of a
// group's output channels
//   columns [oc, taps][input places] = w' [oc, taps][ic] * x [ic][input places]
// and every column is added to the output under its tap.

#include <algorithm>

#include "kernels/conv/conv_task.h"
#include "kernels/gemm/gemm.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

struct Col2imConv {
  ConvTask task;
  std::int64_t channels = 1;  // output channels of a run
  GemmPlan plan;              // of a whole run
  GemmPlan last_plan;         // of the last run of a group, which may be shorter
  std::int64_t columns_floats = 0;
  std::size_t thread_bytes = 0;

  std::int64_t runs() const { return (task.geometry.group_oc() + channels - 1) / channels; }
  void compute(const KernelContext& k, std::int64_t item, float* scratch) const;
  void add_channel(const float* columns, float* y) const;
  void finish(const KernelContext& k, std::int64_t n, std::int64_t oc, float* y) const;
};

// The input positions i of an axis with 0 <= i * stride + shift < out.
struct Span {
  std::int64_t first, last;
};
Span positions(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t shift) {
  const std::int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
  const std::int64_t last = out > shift ? (out - shift + stride - 1) / stride : 0;
  return {first, std::min(last, in)};
}

// y [out] += columns [taps][in], for one output channel.
void Col2imConv::add_channel(const float* columns, float* y) const {
  const ConvGeometry& g = task.geometry;
  for (std::int64_t tap = 0; tap < g.taps(); ++tap, columns += g.in_plane()) {
    const std::array<std::int64_t, 3> k = {tap / (g.kernel[1] * g.kernel[2]),
                                           tap / g.kernel[2] % g.kernel[1], tap % g.kernel[2]};
    std::array<std::int64_t, 3> shift;
    std::array<Span, 3> span;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      shift[axis] = k[axis] * g.dilation[axis] - g.pad_begin[axis];
      span[axis] = positions(g.in[axis], g.out[axis], g.stride[axis], shift[axis]);
    }
    for (std::int64_t z = span[0].first; z < span[0].last; ++z) {
      for (std::int64_t row = span[1].first; row < span[1].last; ++row) {
        const float* from = columns + (z * g.in[1] + row) * g.in[2];
        const std::int64_t oz = z * g.stride[0] + shift[0], oy = row * g.stride[1] + shift[1];
        float* to = y + (oz * g.out[1] + oy) * g.out[2] + shift[2];
        for (std::int64_t x = span[2].first; x < span[2].last; ++x) to[x * g.stride[2]] += from[x];
      }
    }
  }
}

// Residual and activation of one channel.
void Col2imConv::finish(const KernelContext& k, std::int64_t n, std::int64_t oc, float* y) const {
  const ConvGeometry& g = task.geometry;
  const std::int64_t plane = g.out_plane();
  if (const float* residual = float_input(k, task.end.residual)) {
    residual += (n * g.oc + oc) * plane;
    for (std::int64_t i = 0; i < plane; ++i) y[i] += residual[i];
  }
  ActivationParams activation = task.end.activation;
  if (const float* slopes = float_input(k, task.end.slopes)) {
    activation = {.kind = Activation::kLeakyRelu, .alpha = slopes[task.end.one_slope ? 0 : oc]};
  }
  if (activation.kind == Activation::kNone) return;
  simd::activate_f32.get(task.isa)(activation, y, y, static_cast<std::size_t>(plane));
}

// Run `item` of [n][groups][runs].
void Col2imConv::compute(const KernelContext& k, std::int64_t item, float* scratch) const {
  const ConvGeometry& g = task.geometry;
  const std::int64_t run = item % runs(), group = item / runs() % g.groups;
  const std::int64_t n = item / runs() / g.groups;
  const std::int64_t first = run * channels, count = std::min(channels, g.group_oc() - first);
  const std::int64_t filter = g.group_oc() * g.taps();  // floats of w for one input channel
  float* columns = scratch;
  gemm(run + 1 < runs() ? plan : last_plan,
       {.a = {.data = k.input<float>(kW) + group * g.group_ic() * filter + first * g.taps(),
              .row_stride = 1,
              .column_stride = filter},
        .b = {.data = k.input<float>(kX) + (n * g.ic + group * g.group_ic()) * g.in_plane(),
              .row_stride = g.in_plane()},
        .c = columns,
        .c_stride = g.in_plane()},
       scratch + columns_floats);
  const float* bias = float_input(k, task.end.bias);
  for (std::int64_t c = 0; c < count; ++c) {
    const std::int64_t oc = group * g.group_oc() + first + c;
    float* y = k.output<float>(0) + (n * g.oc + oc) * g.out_plane();
    std::fill_n(y, g.out_plane(), bias != nullptr ? bias[oc] : 0.f);
    add_channel(columns + c * g.taps() * g.in_plane(), y);
    finish(k, n, oc, y);
  }
}

std::int64_t round_up_16(std::int64_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace

PreparedKernel col2im_conv(const PrepareContext& c, const ConvTask& task) {
  constexpr std::int64_t kMostColumns = 1 << 20;  // floats of a run, unless one channel has more
  const ConvGeometry& g = task.geometry;
  auto conv = std::make_shared<Col2imConv>();
  conv->task = task;
  const std::int64_t channel = g.taps() * g.in_plane();
  conv->channels =
      std::clamp<std::int64_t>(kMostColumns / std::max<std::int64_t>(channel, 1), 1, g.group_oc());
  const auto plan = [&](std::int64_t channels) {
    return plan_gemm({.m = channels * g.taps(), .n = g.in_plane(), .k = g.group_ic()}, 1, c.isa());
  };
  conv->plan = plan(conv->channels);
  conv->last_plan = plan(g.group_oc() - (conv->runs() - 1) * conv->channels);
  conv->columns_floats = round_up_16(conv->channels * channel);
  const std::size_t gemm_bytes =
      std::max(conv->plan.scratch_bytes(), conv->last_plan.scratch_bytes());
  conv->thread_bytes =
      static_cast<std::size_t>(conv->columns_floats) * sizeof(float) + (gemm_bytes + 63) / 64 * 64;
  PreparedKernel kernel{.name = c.with_isa("conv_transpose/col2im")};
  kernel.scratch_bytes = conv->thread_bytes * static_cast<std::size_t>(c.threads());
  kernel.why = cat("plain layout, ", conv->channels, " channels at a time");
  kernel.run = [conv, work = static_cast<double>(channel * conv->channels) *
                             static_cast<double>(g.group_ic())](const KernelContext& k) {
    const ConvGeometry& shape = conv->task.geometry;
    k.parallel_for(shape.n * shape.groups * conv->runs(), work, [&](Range items, int thread) {
      std::byte* scratch = k.scratch + static_cast<std::size_t>(thread) * conv->thread_bytes;
      for (std::int64_t item = items.begin; item < items.end; ++item) {
        conv->compute(k, item, reinterpret_cast<float*>(scratch));
      }
    });
    return ok();
  };
  return kernel;
}

}  // namespace mini_infer
