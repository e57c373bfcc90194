// StemDepthwise of mini-infer, made by the pass fuse_conv_depthwise:
//   y = activation(depthwise(activation'(conv(x, w') + b'), w) + b)
// x is on the plain layout, as the first layer of an image network reads it, y blocked; float32.
//
//   for each image, run of output rows         shared out between threads
//     a few rows at a time
//       the rows of the first convolution that they read, but for those that are there already,
//                                              into scratch that stays in the L2 cache
//       the rows of the depthwise convolution
//
// The map between the two is never written to memory.
#include <algorithm>
#include <limits>

#include "kernels/conv/fused_depthwise.h"
#include "kernels/conv/stem.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

// The first convolution's window: attributes stem_strides, stem_dilations, stem_pads as in Conv,
// all there.
Result<ConvShape> read_stem(const AttributeReader& node, const Shape& x, const Shape& w) {
  const Ints strides = node.ints("stem_strides"), dilations = node.ints("stem_dilations"),
             pads = node.ints("stem_pads");
  MINI_TRY(Status(node.status()));
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  const auto sane = [](const Ints& numbers, std::size_t size, std::int64_t least) {
    return numbers.size() == size &&
           std::ranges::all_of(numbers, [&](std::int64_t v) { return v >= least && v <= kMost; });
  };
  if (x.rank() != 4 || w.rank() != 4 || w[1] != x[1] || !sane(strides, 2, 1) ||
      !sane(dilations, 2, 1) || !sane(pads, 4, 0)) {
    return invalid_model("the input has shape ", x, " and the weights ", w, ", strides ", strides,
                         ", dilations ", dilations, ", pads ", pads,
                         "; the weights must be [channels, input channels, h, w], and there must "
                         "be two strides, two dilations and four pads");
  }
  ConvShape s{.n = x[0], .ic = x[1], .ih = x[2], .iw = x[3], .oc = w[0], .kh = w[2], .kw = w[3]};
  s.stride_h = strides[0];
  s.stride_w = strides[1];
  s.dilation_h = dilations[0];
  s.dilation_w = dilations[1];
  s.pad_top = pads[0];
  s.pad_left = pads[1];
  s.pad_bottom = pads[2];
  s.pad_right = pads[3];
  set_output_extents(s);
  if (s.oh < 1 || s.ow < 1 || s.kh < 1 || s.kw < 1) {
    return invalid_model("a window of ", s.kh, "x", s.kw, " does not fit into ", x);
  }
  return s;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 8));
  const SymShape* x = c.shape(kX);
  const SymShape* w = c.shape(kFirstW);
  const auto in = x != nullptr ? x->concrete() : std::nullopt;
  const auto weights = w != nullptr ? w->concrete() : std::nullopt;
  if (!in || !weights) return ok();
  MINI_TRY_ASSIGN(const ConvShape stem, read_stem(c, *in, *weights));
  const SymShape map{stem.n, stem.oc, stem.oh, stem.ow};
  MINI_TRY_ASSIGN(auto shape, infer_conv_shape(c, &map, kW));
  c.set_output(0, c.dtype(kX), std::move(shape));
  return ok();
}

struct StemDepthwise {
  FusedDepthwise depthwise;
  ConvShape stem;
  ConvEnd stem_end;
  std::shared_ptr<const PackedBuffer> stem_weights;
  Isa isa{};
  std::int64_t rows;  // of output at a time
  StemRows stem_rows;

  // As many as leave the map in the caches beside the input's window and the output.
  static std::int64_t rows_at_once(const FusedDepthwise& d, const ConvShape& stem, Isa isa) {
    const std::int64_t lanes = isa_lanes(isa);
    const std::int64_t row =
        ceil_div(stem.oc, lanes) * lanes * stem.ow * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t most = std::max<std::int64_t>(l2_cache_bytes() / 4 / row, 1);
    return std::clamp<std::int64_t>(most / d.shape.stride_h, 1, d.shape.oh);
  }

  std::int64_t channels() const { return stem.oc; }
  std::int64_t blocks() const { return ceil_div(stem.oc, isa_lanes(isa)); }
  std::int64_t row_floats() const { return stem.ow * isa_lanes(isa); }
  std::int64_t plane() const { return depthwise.reach(rows) * row_floats(); }
  // Scratch of a thread: [map][window]
  std::int64_t thread_floats() const { return blocks() * plane() + stem_rows.window_floats(); }
  // Runs of rows of an image: rows at both sides of a cut are computed twice.
  std::int64_t runs(int threads) const {
    constexpr std::int64_t kLeastRows = 4;
    if (stem.n % threads == 0) return 1;
    return std::clamp<std::int64_t>(depthwise.shape.oh / kLeastRows, 1, threads);
  }

  Status run(const KernelContext& k) const;
  void run_rows(const KernelContext& k, const ConvArgs& first, const ConvArgs& second,
                std::int64_t image, Span wanted, float* map) const;
  void make_rows(const KernelContext& k, const ConvArgs& first, std::int64_t image, Span map_rows,
                 float* to, float* window) const;
};

// Rows of the map, of all channel blocks.
void StemDepthwise::make_rows(const KernelContext& k, const ConvArgs& first, std::int64_t image,
                              Span map_rows, float* to, float* window) const {
  stem_rows.copy(k.input<float>(kX) + image * stem.ic * stem.ih * stem.iw, map_rows, window);
  DirectBlock b = stem_rows.block(window, map_rows.count());
  b.weights = stem_weights->data<float>();
  b.out_channels = static_cast<int>(channels());
  b.output = to;
  b.output_plane = plane();
  b.epilogue = make_epilogue(first, 0);
  stem_rows.run(b);
}

void StemDepthwise::run_rows(const KernelContext& k, const ConvArgs& first, const ConvArgs& second,
                             std::int64_t image, Span wanted, float* map) const {
  Span there{0, 0};  // rows in `map`
  for (std::int64_t row = wanted.first; row < wanted.last; row += rows) {
    const Span out{row, std::min(row + rows, wanted.last)};
    const Span read = depthwise.reads(out);
    const std::int64_t kept = std::clamp<std::int64_t>(there.last - read.first, 0, read.count());
    for (std::int64_t j = 0; kept > 0 && j < blocks(); ++j) {
      float* const block = map + j * plane();
      const float* const from = block + (read.first - there.first) * row_floats();
      std::copy(from, from + kept * row_floats(), block);
    }
    const Span missing{read.first + kept, read.last};
    if (missing.count() > 0) {
      make_rows(k, first, image, missing, map + kept * row_floats(), map + blocks() * plane());
    }
    there = read;
    depthwise.run(k, second, image, out, {0, blocks()}, {map, read.first, read.count(), plane()});
  }
}

// Scratch: [threads'][slopes of the first convolution, of the second]
Status StemDepthwise::run(const KernelContext& k) const {
  const std::int64_t image_runs = runs(k.threads), units = stem.n * image_runs;
  float* const scratch = reinterpret_cast<float*>(k.scratch);
  float* const slopes = scratch + scratch_of_threads(thread_floats(), k.threads);
  const ConvArgs first = end_of(k, stem_end, channels(), slopes);
  const ConvArgs second = end_of(k, depthwise.end, channels(), slopes + channels());
  const double work = (conv_work(stem) + conv_macs(depthwise.shape)) / static_cast<double>(units);
  parallel_for(k.threads, units, work, [&](Range range, int thread) {
    for (std::int64_t u = range.begin; u < range.end; ++u) {
      run_rows(k, first, second, u / image_runs,
               chunk_of(depthwise.shape.oh, u % image_runs, image_runs),
               scratch + scratch_offset(thread_floats(), thread));
    }
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY(check_conv_dtypes(c));
  if (c.layout(kX) != Layout::kPlain || c.output_layout() != Layout::kBlocked)
    return not_implemented("StemDepthwise on these layouts");
  MINI_TRY_ASSIGN(const ConvShape stem, read_stem(c, c.shape(kX), c.shape(kFirstW)));
  MINI_TRY_ASSIGN(FusedDepthwise depthwise,
                  prepare_fused_depthwise(c, Shape{stem.n, stem.oc, stem.oh, stem.ow}));
  if (stem.n * depthwise.shape.oh * depthwise.shape.ow == 0) {
    return PreparedKernel{.name = "conv/empty", .run = [](const KernelContext&) { return ok(); }};
  }
  const std::int64_t rows = StemDepthwise::rows_at_once(depthwise, stem, c.isa());
  StemDepthwise conv{.depthwise = depthwise,
                     .stem = stem,
                     .isa = c.isa(),
                     .rows = rows,
                     .stem_rows = StemRows(stem, depthwise.reach(rows), c.isa())};
  MINI_TRY_ASSIGN(conv.stem_end, read_conv_end(c, stem.oc, kFirstBias, kFirstSlopes, "stem_"));
  conv.stem_weights = packed_weights(c, kFirstW, *make_stem_conv(stem, c.isa()));
  PreparedKernel kernel{.name = c.with_isa("conv/stem_depthwise")};
  const std::int64_t floats = scratch_of_threads(conv.thread_floats(), c.threads()) + 2 * stem.oc;
  kernel.scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float);
  kernel.flop = 2 * (conv_macs(stem) + conv_macs(depthwise.shape));
  kernel.why = cat("the map between is large (", stem.ic, "->", stem.oc, ", ", stem.kh, "x",
                   stem.kw, ", map ", stem.oh, "x", stem.ow, ")");
  kernel.run = [conv = std::move(conv)](const KernelContext& k) { return conv.run(k); };
  return kernel;
}

LayoutChoice layout(const LayoutQuery& query) {
  return {std::vector<Layout>(query.node.inputs.size(), Layout::kPlain), {Layout::kBlocked}};
}

}  // namespace

MINI_DEFINE_OP(StemDepthwise, {.domain = kInternalDomain,
                               .type = "StemDepthwise",
                               .since = {1},
                               .infer = infer,
                               .prepare = prepare,
                               .layout = layout})

}  // namespace mini_infer
