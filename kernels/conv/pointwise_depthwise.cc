// PointwiseDepthwise of mini-infer, made by the pass fuse_conv_depthwise:
//   y = activation(depthwise(activation'(conv1x1(x, w') + b'), w) + b)
// Blocked layouts, float32.
//
//   for each image, run of output rows        shared out between threads
//     for each panel of 2 * c channels
//       rows of the 1x1 convolution, with those that the window reaches beyond the run
//                                             into scratch that stays in the L2 cache
//       rows of the depthwise convolution
//
// The map between the two is never written to memory. Each convolution is computed by the kernels
// that compute it alone, and results are the same bits, but where conv_cost.h would have a map of
// that size read by another depthwise kernel.

#include <algorithm>

#include "kernels/conv/direct.simd.h"
#include "kernels/conv/fused_depthwise.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kPanelBlocks = 2;

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 8));
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kX, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

struct PointwiseDepthwise {
  ConvShape pointwise;
  FusedDepthwise depthwise;
  Isa isa{};
  ConvEnd pointwise_end;
  std::shared_ptr<const PackedBuffer> pointwise_weights;
  simd::direct_conv_f32_fn* pointwise_kernel = nullptr;

  std::int64_t lanes() const { return isa_lanes(isa); }
  std::int64_t channels() const { return pointwise.oc; }
  std::int64_t blocks() const { return ceil_div(channels(), lanes()); }
  std::int64_t row_floats() const { return pointwise.iw * lanes(); }
  std::int64_t scratch_floats(std::int64_t runs) const {
    return kPanelBlocks * depthwise.reach(ceil_div(depthwise.shape.oh, runs)) * row_floats();
  }

  // Of an image, at least: so that a panel of the map between and what it is made from stay in L2.
  std::int64_t least_runs() const {
    const std::int64_t row = kPanelBlocks * row_floats() * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t rows = std::max<std::int64_t>(l2_cache_bytes() / 2 / row, 1);
    return std::min(depthwise.shape.oh, ceil_div(pointwise.ih, rows));
  }
  // Rows on both sides of a cut are computed twice, so runs are not short; many threads share
  // panels.
  ConvSplit split(int threads) const {
    constexpr std::int64_t kLeastRows = 8;
    const std::int64_t least = least_runs(),
                       most = std::max(least, depthwise.shape.oh / kLeastRows);
    return split_output(pointwise.n, std::min(most, ceil_div(least, threads) * threads), most,
                        ceil_div(blocks(), kPanelBlocks), threads);
  }

  Status run(const KernelContext& k) const;
  void run_panel(const KernelContext& k, const ConvArgs& first, const ConvArgs& second,
                 std::int64_t image, Span rows, std::int64_t panel, float* map) const;
};

void PointwiseDepthwise::run_panel(const KernelContext& k, const ConvArgs& first,
                                   const ConvArgs& second, std::int64_t image, Span rows,
                                   std::int64_t panel, float* map) const {
  const Span read = depthwise.reads(rows);
  const std::int64_t plane = read.count() * row_floats();
  const std::int64_t block = panel * kPanelBlocks, oc = block * lanes();
  const std::ptrdiff_t tap = 0;
  DirectBlock b{};
  b.source_plane = pointwise.ih * row_floats();
  b.source = k.input<float>(kX) + image * ceil_div(pointwise.ic, lanes()) * b.source_plane +
             read.first * row_floats();
  b.step = static_cast<int>(lanes());
  b.taps = &tap;
  b.tap_count = 1;
  b.channels = static_cast<int>(pointwise.ic);
  b.rows = 1;
  b.width = static_cast<int>(read.count() * pointwise.iw);
  b.weights = pointwise_weights->data<float>() + oc * pointwise.ic;
  b.out_channels = static_cast<int>(std::min(channels() - oc, kPanelBlocks * lanes()));
  b.output = map;
  b.output_plane = plane;
  b.output_step = lanes();
  b.epilogue = make_epilogue(first, oc);
  if (read.count() > 0) pointwise_kernel(b);
  depthwise.run(k, second, image, rows, {block, std::min(block + kPanelBlocks, blocks())},
                {map, read.first, read.count(), plane});
}

// Scratch: [threads' maps][slopes of the first convolution, of the second]
Status PointwiseDepthwise::run(const KernelContext& k) const {
  const ConvSplit shares = split(k.threads);
  const std::int64_t runs = shares.blocks / pointwise.n, floats = scratch_floats(runs);
  float* const scratch = reinterpret_cast<float*>(k.scratch);
  float* slopes = scratch + scratch_of_threads(floats, k.threads);
  const ConvArgs first = end_of(k, pointwise_end, channels(), slopes);
  const ConvArgs second = end_of(k, depthwise.end, channels(), slopes + channels());
  const double work =
      (conv_work(pointwise) + conv_macs(depthwise.shape)) / static_cast<double>(shares.units());
  parallel_for(k.threads, shares.units(), work, [&](Range units, int thread) {
    float* const map = scratch + scratch_offset(floats, thread);
    for (std::int64_t u = units.begin; u < units.end; ++u) {
      const std::int64_t block = u / shares.chunks;
      const Span rows = chunk_of(depthwise.shape.oh, block % runs, runs);
      const Span panels =
          chunk_of(ceil_div(blocks(), kPanelBlocks), u % shares.chunks, shares.chunks);
      for (std::int64_t p = panels.first; p < panels.last; ++p)
        run_panel(k, first, second, block / runs, rows, p, map);
    }
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  if (c.layout(kX) != Layout::kBlocked)
    return not_implemented("PointwiseDepthwise on plain layout");
  const Shape& x = c.shape(kX);
  const Shape& w = c.shape(kFirstW);
  if (x.rank() != 4 || w.rank() != 4 || w[1] != x[1] || w[2] != 1 || w[3] != 1) {
    return invalid_model("the input has shape ", x, " and the weights ", w,
                         "; the weights must be [channels, input channels, 1, 1]");
  }
  PointwiseDepthwise conv{.isa = c.isa()};
  MINI_TRY_ASSIGN(conv.depthwise, prepare_fused_depthwise(c, Shape{x[0], w[0], x[2], x[3]}));
  const ConvShape& depthwise = conv.depthwise.shape;
  if (depthwise.n * depthwise.oh * depthwise.ow == 0) {
    return PreparedKernel{.name = "conv/empty", .run = [](const KernelContext&) { return ok(); }};
  }
  conv.pointwise = {
      .n = x[0], .ic = x[1], .ih = depthwise.ih, .iw = depthwise.iw, .oc = depthwise.ic};
  set_output_extents(conv.pointwise);
  MINI_TRY_ASSIGN(conv.pointwise_end,
                  read_conv_end(c, w[0], kFirstBias, kFirstSlopes, "pointwise_"));
  conv.pointwise_weights = packed_weights(c, kFirstW, *make_direct_conv(conv.pointwise, c.isa()));
  conv.pointwise_kernel = simd::direct_conv_f32.get(c.isa());
  PreparedKernel kernel{.name = c.with_isa("conv/pointwise_depthwise")};
  const std::int64_t runs = conv.split(c.threads()).blocks / depthwise.n;
  const std::int64_t floats =
      scratch_of_threads(conv.scratch_floats(runs), c.threads()) + 2 * conv.channels();
  kernel.scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float);
  kernel.flop = 2 * (conv_macs(conv.pointwise) + conv_macs(depthwise));
  kernel.why = cat("the map between is large (", x[1], "->", w[0], ", map ", x[2], "x", x[3], ")");
  kernel.run = [conv = std::move(conv)](const KernelContext& k) { return conv.run(k); };
  return kernel;
}

LayoutChoice layout(const LayoutQuery& query) {
  LayoutChoice blocked{std::vector<Layout>(query.node.inputs.size(), Layout::kPlain),
                       {Layout::kBlocked}};
  blocked.inputs[kX] = Layout::kBlocked;
  return blocked;
}

}  // namespace

MINI_DEFINE_OP(PointwiseDepthwise, {.domain = kInternalDomain,
                                    .type = "PointwiseDepthwise",
                                    .since = {1},
                                    .infer = infer,
                                    .prepare = prepare,
                                    .layout = layout})

}  // namespace mini_infer
