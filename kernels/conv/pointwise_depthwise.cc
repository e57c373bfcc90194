// PointwiseDepthwise of mini-infer, made by the pass fuse_pointwise_depthwise:
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

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/conv_task.h"
#include "kernels/conv/depthwise.h"
#include "kernels/conv/direct.simd.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

// Inputs 0 to 4 are those of the depthwise convolution, whose input is the 1x1 convolution's.
enum PointwiseInput : int { kPointwiseW = 5, kPointwiseBias, kPointwiseSlopes };

constexpr std::int64_t kPanelBlocks = 2;

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 8));
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, kX, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

struct PointwiseDepthwise {
  ConvShape pointwise, depthwise;
  Isa isa{};
  ConvEnd pointwise_end, depthwise_end;
  std::shared_ptr<const PackedBuffer> pointwise_weights, depthwise_weights;
  simd::direct_conv_f32_fn* pointwise_kernel = nullptr;
  DepthwiseMethod depthwise_method{};

  std::int64_t lanes() const { return isa_lanes(isa); }
  std::int64_t blocks() const { return ceil_div(depthwise.oc, lanes()); }
  std::int64_t row_floats() const { return depthwise.iw * lanes(); }

  // Rows of the map between the convolutions that `rows` output rows read at most.
  std::int64_t reach(std::int64_t rows) const {
    const ConvShape& d = depthwise;
    return std::min(d.ih, (rows - 1) * d.stride_h + (d.kh - 1) * d.dilation_h + 1);
  }
  std::int64_t scratch_floats(std::int64_t runs) const {
    return kPanelBlocks * reach(ceil_div(depthwise.oh, runs)) * row_floats();
  }

  // Of an image, at least: so that a panel of the map between and what it is made from stay in L2.
  std::int64_t least_runs() const {
    const std::int64_t row = kPanelBlocks * row_floats() * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t rows = std::max<std::int64_t>(l2_cache_bytes() / 2 / row, 1);
    return std::min(depthwise.oh, ceil_div(depthwise.ih, rows));
  }
  // Rows on both sides of a cut are computed twice, so runs are not short; many threads share
  // panels.
  ConvSplit split(int threads) const {
    constexpr std::int64_t kLeastRows = 8;
    const std::int64_t least = least_runs(), most = std::max(least, depthwise.oh / kLeastRows);
    return split_output(depthwise.n, std::min(most, ceil_div(least, threads) * threads), most,
                        ceil_div(blocks(), kPanelBlocks), threads);
  }

  Status run(const KernelContext& k) const;
  void run_panel(const KernelContext& k, const ConvArgs& first, const ConvArgs& second,
                 std::int64_t image, Span rows, std::int64_t panel, float* map) const;
};

// What make_epilogue() reads.
ConvArgs end_of(const KernelContext& k, const ConvEnd& end, const float* slopes) {
  return {.bias = float_input(k, end.bias),
          .activation = end.activation,
          .slope = end.one_slope ? slopes : float_input(k, end.slopes)};
}

void PointwiseDepthwise::run_panel(const KernelContext& k, const ConvArgs& first,
                                   const ConvArgs& second, std::int64_t image, Span rows,
                                   std::int64_t panel, float* map) const {
  const ConvShape& d = depthwise;
  const std::int64_t wanted = rows.first * d.stride_h - d.pad_top;
  const std::int64_t top = std::max<std::int64_t>(wanted, 0);
  const std::int64_t bottom =
      std::min(d.ih, wanted + (rows.count() - 1) * d.stride_h + (d.kh - 1) * d.dilation_h + 1);
  const std::int64_t count = std::max<std::int64_t>(bottom - top, 0), plane = count * row_floats();
  const std::int64_t block = panel * kPanelBlocks, oc = block * lanes();
  const std::ptrdiff_t tap = 0;
  DirectBlock b{};
  b.source_plane = d.ih * row_floats();
  b.source = k.input<float>(kX) + image * ceil_div(pointwise.ic, lanes()) * b.source_plane +
             top * row_floats();
  b.step = static_cast<int>(lanes());
  b.taps = &tap;
  b.tap_count = 1;
  b.channels = static_cast<int>(pointwise.ic);
  b.rows = 1;
  b.width = static_cast<int>(count * d.iw);
  b.weights = pointwise_weights->data<float>() + oc * pointwise.ic;
  b.out_channels = static_cast<int>(std::min(d.oc - oc, kPanelBlocks * lanes()));
  b.output = map;
  b.output_plane = plane;
  b.output_step = lanes();
  b.epilogue = make_epilogue(first, oc);
  if (count > 0) pointwise_kernel(b);

  DepthwiseRows r = depthwise_rows(d);
  r.rows = static_cast<int>(rows.count());
  r.ih = static_cast<int>(count);
  r.pad_top = static_cast<int>(top - wanted);
  r.epilogue = make_epilogue(second, 0);
  for (std::int64_t j = block; j < std::min(block + kPanelBlocks, blocks()); ++j) {
    r.input = map + (j - block) * plane;
    r.weights = depthwise_weights->data<float>() + j * depthwise_method.filter;
    r.first_channel = static_cast<int>(j * lanes());
    r.channels = static_cast<int>(std::min(lanes(), d.oc - j * lanes()));
    r.output = k.output<float>(0) + ((image * blocks() + j) * d.oh + rows.first) * d.ow * lanes();
    depthwise_method.kernel(r);
  }
}

// Scratch: [threads' maps][slopes of the first convolution, of the second]
Status PointwiseDepthwise::run(const KernelContext& k) const {
  const ConvSplit shares = split(k.threads);
  const std::int64_t runs = shares.blocks / depthwise.n, floats = scratch_floats(runs);
  float* const scratch = reinterpret_cast<float*>(k.scratch);
  float* slopes = scratch + scratch_of_threads(floats, k.threads);
  for (const ConvEnd* end : {&pointwise_end, &depthwise_end}) {
    if (end->one_slope) std::fill_n(slopes, depthwise.oc, *float_input(k, end->slopes));
    slopes += depthwise.oc;
  }
  const ConvArgs second = end_of(k, depthwise_end, slopes - depthwise.oc),
                 first = end_of(k, pointwise_end, slopes - 2 * depthwise.oc);
  const double work =
      (conv_work(pointwise) + conv_macs(depthwise)) / static_cast<double>(shares.units());
  parallel_for(k.threads, shares.units(), work, [&](Range units, int thread) {
    float* const map = scratch + scratch_offset(floats, thread);
    for (std::int64_t u = units.begin; u < units.end; ++u) {
      const std::int64_t block = u / shares.chunks;
      const Span rows = chunk_of(depthwise.oh, block % runs, runs);
      const Span panels =
          chunk_of(ceil_div(blocks(), kPanelBlocks), u % shares.chunks, shares.chunks);
      for (std::int64_t p = panels.first; p < panels.last; ++p)
        run_panel(k, first, second, block / runs, rows, p, map);
    }
  });
  return ok();
}

std::shared_ptr<const PackedBuffer> packed_weights(const PrepareContext& c, std::size_t input,
                                                   const ConvAlgorithm& algorithm) {
  const std::string key = cat(algorithm.name(), "/", isa_name(c.isa()), "/", c.shape(input));
  return c.packed(input, key, algorithm.packed_floats() * sizeof(float), [&](std::byte* out) {
    algorithm.pack(c.constant(input)->data<float>(), reinterpret_cast<float*>(out), c.threads());
  });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  if (c.layout(kX) != Layout::kBlocked)
    return not_implemented("PointwiseDepthwise on plain layout");
  const Shape& x = c.shape(kX);
  const Shape& w = c.shape(kPointwiseW);
  if (x.rank() != 4 || w.rank() != 4 || w[1] != x[1] || w[2] != 1 || w[3] != 1) {
    return invalid_model("the input has shape ", x, " and the weights ", w,
                         "; the weights must be [channels, input channels, 1, 1]");
  }
  MINI_TRY_ASSIGN(const ConvGeometry g,
                  read_conv_geometry(c, Shape{x[0], w[0], x[2], x[3]}, c.shape(kW)));
  const auto flat = flat_shape(g);
  if (c.dtype(kX) != DType::kFloat32 || !flat ||
      depthwise_conv_declines(*flat, c.isa()) != nullptr || c.constant(kW) == nullptr ||
      c.constant(kPointwiseW) == nullptr) {
    return error(Code::kInternal, "not a float32 depthwise convolution with constant weights");
  }
  if (g.n * g.out_plane() == 0) {
    return PreparedKernel{.name = "conv/empty", .run = [](const KernelContext&) { return ok(); }};
  }
  PointwiseDepthwise conv{.depthwise = *flat, .isa = c.isa()};
  conv.pointwise = {.n = flat->n, .ic = x[1], .ih = flat->ih, .iw = flat->iw, .oc = flat->ic};
  set_output_extents(conv.pointwise);
  MINI_TRY_ASSIGN(conv.pointwise_end,
                  read_conv_end(c, flat->ic, kPointwiseBias, kPointwiseSlopes, "pointwise_"));
  MINI_TRY_ASSIGN(conv.depthwise_end, read_conv_end(c, g));
  conv.pointwise_weights =
      packed_weights(c, kPointwiseW, *make_direct_conv(conv.pointwise, c.isa()));
  // What is in the caches is a panel.
  ConvShape panel = conv.depthwise;
  panel.ic = panel.oc = panel.groups = kPanelBlocks * conv.lanes();
  conv.depthwise_method = depthwise_method(panel, c.isa());
  conv.depthwise_weights = packed_weights(
      c, kW, *make_depthwise_with(conv.depthwise_method, conv.depthwise, c.isa()));
  conv.pointwise_kernel = simd::direct_conv_f32.get(c.isa());
  PreparedKernel kernel{.name = c.with_isa("conv/pointwise_depthwise")};
  const std::int64_t runs = conv.split(c.threads()).blocks / flat->n;
  const std::int64_t floats =
      scratch_of_threads(conv.scratch_floats(runs), c.threads()) + 2 * flat->oc;
  kernel.scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float);
  kernel.flop = 2 * (conv_macs(conv.pointwise) + g.macs());
  kernel.why = cat("the map between is large (", x[1], "->", flat->oc, ", map ", flat->ih, "x",
                   flat->iw, ")");
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
