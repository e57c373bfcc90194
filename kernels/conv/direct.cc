// Direct convolution of NCHWc, see conv_algorithm.h.
//
//   for each image, group, block of output rows            shared out between threads
//     window = its input rows with borders, all channels    (stays in L2; 1x1 reads the input
//     itself) for each panel of 2 * c output channels               (also shared out where rows are
//     few)
//       for each tile of pixels: all taps, all input channels, in registers; many channels in
//       chunks of which the weights stay in L2
//
// A 1x1 kernel has no rows: its blocks are runs of pixels, and those of a kernel of one column
// join. Rows of a dilated kernel fall into classes modulo the dilation, each a convolution without
// vertical dilation.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/conv_groups.h"
#include "kernels/conv/direct.simd.h"
#include "kernels/conv/expanded_conv.h"
#include "kernels/conv/scale_filters.simd.h"
#include "kernels/conv/source_window.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr int kPanelBlocks = 2;
// Inputs of a block of rows; with a panel of weights they fit in a 1 MiB L2.
constexpr std::size_t kWindowBytes = 256 << 10;
// Larger weights than this come from memory for each block: half as many blocks then.
constexpr std::int64_t kFarWeights = (4 << 20) / sizeof(float);
constexpr std::size_t kPixelBytes = 512 << 10;
// Of a block: two register tiles, or one where threads would have nothing to do.
constexpr std::int64_t kLeastPixels = 28, kTilePixels = 14;

// What one unit of work computes: some panels of one block of rows (or pixels) of one group.
struct DirectUnit {
  std::int64_t image, group;
  std::int64_t row_class;
  Span rows;  // of the class; pixels for 1x1 kernels
};

// One class of rows as a convolution of its own.
ConvShape class_shape(const ConvShape& s, std::int64_t classes) {
  ConvShape c = s;
  c.oh = ceil_div(s.oh, classes);
  c.dilation_h = s.dilation_h / classes;
  return c;
}

// Most lanes of the only block of outputs would be empty.
bool has_few_outputs(const ConvShape& s, Isa isa) {
  return s.oc <= kFewOutputs && 2 * s.oc <= isa_lanes(isa) && s.ic >= isa_lanes(isa) / 2 &&
         s.kh * s.kw > 1;
}

class DirectConv final : public ConvAlgorithm {
 public:
  DirectConv(const ConvShape& shape, std::int64_t merged, Isa isa)
      : s_(shape),
        groups_(shape, merged),
        lanes_(isa_lanes(isa)),
        few_outputs_(groups_.count == 1 && has_few_outputs(s_, isa)),
        kernel_(few_outputs_ ? simd::few_outputs_conv_f32.get(isa)
                             : simd::direct_conv_f32.get(isa)),
        scale_kernel_(simd::scale_filters_f32.get(isa)),
        ic_blocks_(ceil_div(groups_.ic, lanes_)),
        pixels_only_(shape.kh == 1 && shape.kw == 1),
        in_place_(pixels_only_ && shape.stride_h == 1 && shape.stride_w == 1 &&
                  shape.oh == shape.ih && shape.ow == shape.iw && shape.pad_top == 0 &&
                  shape.pad_left == 0),
        classes_(pixels_only_ || shape.stride_h > 1 ? 1 : shape.dilation_h),
        rows_(pixels_only_ ? shape.oh * shape.ow : ceil_div(shape.oh, classes_)),
        block_rows_(rows_of_block()),
        window_(class_shape(s_, classes_), pixels_only_ ? 1 : block_rows_, lanes_) {
    for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s_.kw; ++kx) taps_.push_back(window_.tap(ky, kx));
    }
    if (skips_rows_of_kernel(s_) && !few_outputs_ && !one_row()) list_row_taps();
  }

  const char* name() const noexcept override {
    return few_outputs_ ? "conv/few_outputs" : pixels_only_ ? "conv/1x1" : "conv/direct";
  }

  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(groups_.count * group_packed());
  }

  void pack(const float* w, float* packed, int threads) const noexcept override {
    if (few_outputs_) return pack_few(w, packed);
    const std::int64_t taps = s_.kh * s_.kw;
    for (std::int64_t g = 0; g < groups_.count; ++g, w += groups_.oc * groups_.ic * taps) {
      const auto weight = [&](std::int64_t o, std::int64_t i, std::int64_t t) {
        return w[(o * groups_.ic + i) * taps + t];
      };
      pack_panels(weight, groups_.out_channels(g), groups_.in_channels(g), taps, lanes_,
                  kPanelBlocks, packed + g * group_packed(), threads);
    }
  }

  std::size_t scratch_bytes(int threads) const noexcept override {
    return static_cast<std::size_t>(scratch_of_threads(thread_floats(), threads)) * sizeof(float);
  }

  ConvSplit split(int threads) const noexcept override {
    return groups_.split(s_.n * classes_, row_blocks_for(threads),
                         std::min(rows_, rows_ * row_pixels() / kTilePixels), panels(), threads);
  }

  void run(const ConvArgs& args) const noexcept override {
    const ConvSplit shares = split(args.threads);
    const std::int64_t row_blocks = shares.blocks / parts(), chunks = shares.chunks;
    const double work = conv_work(s_) / static_cast<double>(shares.units());
    parallel_for(args.threads, shares.units(), work, [&](Range units, int thread) {
      float* const window =
          reinterpret_cast<float*>(args.scratch) + scratch_offset(thread_floats(), thread);
      ConvArgs own = args;
      if (s_.scaled) {
        scale_filters(args, panels_of(units, chunks), window + window_floats());
        own.weights = window + window_floats();
      }
      std::int64_t copied = -1;
      for (std::int64_t u = units.begin; u < units.end; ++u) {
        const std::int64_t block = u / chunks;
        const DirectUnit unit = unit_of(block, row_blocks);
        if (unit.rows.count() <= 0) continue;  // fewer rows than classes
        if (!in_place_ && copied != block) copy_source(args.input, unit, window);
        copied = block;
        run_unit(own, unit, chunk_of(panels(), u % chunks, chunks), window);
      }
    });
  }

 private:
  std::int64_t parts() const { return s_.n * groups_.count * classes_; }
  std::int64_t panels() const { return ceil_div(groups_.oc, kPanelBlocks * lanes_); }
  std::int64_t row_pixels() const { return pixels_only_ ? 1 : s_.ow; }

  // Kernels of one column: rows follow each other in the window and the output without a gap.
  bool one_row() const {
    return pixels_only_ || (classes_ == 1 && window_.output_row() == s_.ow * lanes_);
  }

  // Of all classes, `rows_` each; none where nothing is left out.
  void list_row_taps() {
    const auto width = static_cast<int>(s_.kw);
    const std::int64_t last_top = (s_.oh - 1) * s_.stride_h - s_.pad_top;
    if (s_.pad_top <= 0 && last_top + (s_.kh - 1) * s_.dilation_h < s_.ih) return;
    for (std::int64_t row_class = 0; row_class < classes_; ++row_class) {
      for (std::int64_t row = 0; row < rows_; ++row) {
        const Span met = kernel_rows_inside(s_, row * classes_ + row_class);
        row_taps_.push_back(
            {static_cast<int>(met.first) * width, static_cast<int>(met.count()) * width});
      }
    }
  }

  std::int64_t group_packed() const {
    if (few_outputs_) return ic_blocks_ * lanes_ * s_.kh * s_.kw * s_.oc;
    return packed_panel_floats(groups_.oc, groups_.ic, s_.kh * s_.kw, lanes_);
  }

  // [ic blocks][taps][oc][c]
  void pack_few(const float* w, float* packed) const noexcept {
    const std::int64_t taps = s_.kh * s_.kw;
    for (std::int64_t block = 0; block < ic_blocks_; ++block) {
      for (std::int64_t t = 0; t < taps; ++t) {
        for (std::int64_t o = 0; o < s_.oc; ++o) {
          for (std::int64_t c = block * lanes_; c < (block + 1) * lanes_; ++c) {
            *packed++ = c < s_.ic ? w[(o * s_.ic + c) * taps + t] : 0.f;
          }
        }
      }
    }
  }

  DirectUnit unit_of(std::int64_t block, std::int64_t row_blocks) const {
    const ConvUnit unit = conv_unit(block, classes_ * row_blocks, groups_.count);
    const std::int64_t row_class = unit.block / row_blocks;
    // Later classes may be a row shorter.
    const std::int64_t rows = pixels_only_ ? rows_ : ceil_div(s_.oh - row_class, classes_);
    return {unit.image, unit.group, row_class, chunk_of(rows, unit.block % row_blocks, row_blocks)};
  }

  // As few as the window allows; as many for each thread where the input is larger than the
  // weights, so that a thread finds the rows in its cache that it has written before.
  std::int64_t row_blocks_for(int threads) const {
    const std::int64_t fewest = ceil_div(rows_, block_rows_);
    const std::int64_t equal = ceil_div(fewest, threads) * threads;
    if (s_.n % threads == 0 || rows_ * row_pixels() < equal * kLeastPixels || rows_ < equal) {
      return fewest;
    }
    return s_.ih * s_.iw >= s_.oc * s_.kh * s_.kw ? equal : fewest;
  }

  std::int64_t rows_of_block() const {
    if (!pixels_only_) {
      return SourceWindow::rows_within(
          class_shape(s_, classes_), ic_blocks_, lanes_,
          group_packed() > kFarWeights ? 2 * kWindowBytes : kWindowBytes);
    }
    const auto pixel = static_cast<std::int64_t>(sizeof(float)) * ic_blocks_ * lanes_;
    const std::int64_t most =
        std::max<std::int64_t>(static_cast<std::int64_t>(kPixelBytes) / pixel, 16);
    return ceil_div(rows_, ceil_div(rows_, most));
  }

  // Input channels whose weights of one panel share the L2 cache with what they meet. The panel of
  // more channels is read in equal chunks, and sums wait in the output.
  std::int64_t chunk_channels() const {
    const std::int64_t channel = kPanelBlocks * lanes_ * s_.kh * s_.kw;
    const std::int64_t bytes = groups_.ic * channel * static_cast<std::int64_t>(sizeof(float));
    if (bytes <= l2_cache_bytes() / 4) return groups_.ic;
    return ceil_div(ic_blocks_, ceil_div(bytes, l2_cache_bytes() / 6)) * lanes_;
  }

  // Scratch of a thread: [window][filters times the factors of input channels]. Each thread scales
  // what it needs: it is in its own cache then.
  std::int64_t thread_floats() const {
    return window_floats() + (s_.scaled ? static_cast<std::int64_t>(packed_floats()) : 0);
  }
  Span panels_of(Range units, std::int64_t chunks) const {
    const std::int64_t first = units.begin % chunks, last = (units.end - 1) % chunks;
    if (units.end - units.begin >= chunks || last < first) return {0, panels()};
    return {chunk_of(panels(), first, chunks).first, chunk_of(panels(), last, chunks).last};
  }
  void scale_filters(const ConvArgs& args, Span panels, float* scaled) const {
    const std::int64_t panel = kPanelBlocks * lanes_, padded = ceil_div(s_.oc, lanes_) * lanes_;
    for (std::int64_t p = panels.first; p < panels.last; ++p) {
      const std::int64_t first = p * panel * s_.ic;
      scale_kernel_({args.weights + first, args.scales, scaled + first, s_.ic,
                     std::min(panel, padded - p * panel)});
    }
  }

  std::int64_t window_floats() const { return in_place_ ? 0 : ic_blocks_ * source_plane(); }

  // floats between blocks of input channels in what the kernel reads.
  std::ptrdiff_t source_plane() const {
    if (in_place_) return s_.ih * s_.iw * lanes_;
    return pixels_only_ ? block_rows_ * lanes_ : window_.plane();
  }

  const float* input_of(const float* input, const DirectUnit& unit) const {
    const std::int64_t image_blocks = ceil_div(s_.ic, lanes_);
    return input + (unit.image * image_blocks + unit.group * ic_blocks_) * s_.ih * s_.iw * lanes_;
  }

  void copy_source(const float* input, const DirectUnit& unit, float* window) const {
    const float* const from = input_of(input, unit);
    const std::int64_t blocks = ceil_div(groups_.in_channels(unit.group), lanes_);
    if (pixels_only_) {
      copy_pixels(from, blocks, unit.rows, window);
    } else {
      const std::int64_t top =
          unit.row_class - s_.pad_top + unit.rows.first * classes_ * s_.stride_h;
      window_.copy_rows(from, blocks, top, classes_, unit.rows.count(), window);
    }
  }

  // The pixels that a strided or padded 1x1 kernel reads.
  void copy_pixels(const float* input, std::int64_t blocks, Span pixels, float* window) const {
    const std::size_t bytes = static_cast<std::size_t>(lanes_) * sizeof(float);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const float* const plane = input + block * s_.ih * s_.iw * lanes_;
      float* to = window + block * source_plane();
      std::int64_t oy = pixels.first / s_.ow, ox = pixels.first % s_.ow;
      for (std::int64_t p = pixels.first; p < pixels.last; ++p, to += lanes_) {
        const std::int64_t iy = border_source(s_.border, oy * s_.stride_h - s_.pad_top, s_.ih);
        const std::int64_t ix = border_source(s_.border, ox * s_.stride_w - s_.pad_left, s_.iw);
        if (iy >= 0 && ix >= 0) {
          std::memcpy(to, plane + (iy * s_.iw + ix) * lanes_, bytes);
        } else {
          std::memset(to, 0, bytes);
        }
        if (++ox == s_.ow) {
          ox = 0;
          ++oy;
        }
      }
    }
  }

  void run_unit(const ConvArgs& args, const DirectUnit& unit, Span panels,
                const float* window) const {
    const std::int64_t panel = kPanelBlocks * lanes_;
    if (panels.first * panel >= groups_.out_channels(unit.group)) return;
    const std::int64_t first_oc = unit.group * groups_.oc + panels.first * panel;
    const std::int64_t out_plane = s_.oh * s_.ow * lanes_;
    const std::int64_t first_pixel =
        pixels_only_ ? unit.rows.first : (unit.rows.first * classes_ + unit.row_class) * s_.ow;
    const std::int64_t out =
        (unit.image * ceil_div(s_.oc, lanes_) + first_oc / lanes_) * out_plane +
        first_pixel * lanes_;
    DirectBlock b{};
    b.source = in_place_ ? input_of(args.input, unit) + unit.rows.first * lanes_ : window;
    b.source_plane = source_plane();
    b.source_row = window_.output_row();
    b.step = lanes_;
    b.taps = taps_.data();
    b.tap_count = static_cast<int>(taps_.size());
    b.channels = static_cast<int>(groups_.in_channels(unit.group));
    b.chunk = static_cast<int>(chunk_channels());
    b.rows = static_cast<int>(one_row() ? 1 : unit.rows.count());
    if (!row_taps_.empty())
      b.row_taps = row_taps_.data() + unit.row_class * rows_ + unit.rows.first;
    b.width = static_cast<int>(one_row() ? unit.rows.count() * row_pixels() : s_.ow);
    b.weights = args.weights + unit.group * group_packed() +
                panels.first * panel * b.channels * b.tap_count;
    b.out_channels = static_cast<int>(
        std::min(groups_.out_channels(unit.group), panels.last * panel) - panels.first * panel);
    b.residual = args.residual == nullptr ? nullptr : args.residual + out;
    b.output = args.output + out;
    b.output_plane = out_plane;
    b.output_row = classes_ * s_.ow * lanes_;
    b.output_step = lanes_;
    b.inwards = args.threads > 1;
    b.epilogue = make_epilogue(args, first_oc);
    kernel_(b);
  }

  ConvShape s_;
  ConvGroups groups_;
  int lanes_;
  bool few_outputs_;  // lanes are input channels
  simd::direct_conv_f32_fn* kernel_;
  simd::scale_filters_f32_fn* scale_kernel_;
  std::int64_t ic_blocks_;
  bool pixels_only_;  // 1x1: output pixels are one long row
  bool in_place_;     // the input needs no copy
  std::int64_t classes_;
  std::int64_t rows_, block_rows_;
  SourceWindow window_;
  std::vector<std::ptrdiff_t> taps_;
  std::vector<RowTaps> row_taps_;  // empty where all rows meet all taps
};

}  // namespace

const char* direct_conv_declines(const ConvShape& s, Isa isa) {
  const int lanes = isa_lanes(isa);
  if (s.groups > 1 && (s.ic / s.groups % lanes != 0 || s.oc / s.groups % lanes != 0)) {
    return "groups are not whole channel blocks";
  }
  return nullptr;
}

std::unique_ptr<ConvAlgorithm> make_direct_conv(const ConvShape& shape, Isa isa) {
  return make_merged_direct(shape, 1, isa);
}

std::unique_ptr<ConvAlgorithm> make_merged_direct(const ConvShape& shape, std::int64_t merged,
                                                  Isa isa) {
  return std::make_unique<DirectConv>(shape, merged, isa);
}

}  // namespace mini_infer
