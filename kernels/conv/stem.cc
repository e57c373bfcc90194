// Direct convolution from plain NCHW to NCHWc, see conv_algorithm.h. Every element of the kernel,
// of every input channel, is one tap into a window of plain rows, so that three input channels cost
// three, not a whole block.
#include "kernels/conv/stem.h"

#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr int kPanelBlocks = 2;
constexpr std::size_t kWindowBytes = 256 << 10;

// Strides of one and two are in the kernel; larger ones sort the columns.
std::int64_t step_of(const ConvShape& s) { return s.stride_w <= 2 ? s.stride_w : 1; }

class StemConv final : public ConvAlgorithm {
 public:
  StemConv(const ConvShape& shape, Isa isa)
      : s_(shape),
        lanes_(isa_lanes(isa)),
        block_rows_(SourceWindow::rows_within(shape, shape.ic, 1, kWindowBytes)),
        rows_(shape, block_rows_, isa) {}

  const char* name() const noexcept override { return "conv/stem"; }
  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(packed_panel_floats(s_.oc, 1, rows_.tap_count(), lanes_));
  }
  void pack(const float* w, float* packed, int /*threads*/) const noexcept override {
    const auto weight = [&](std::int64_t o, std::int64_t, std::int64_t t) {
      return w[o * rows_.tap_count() + t];
    };
    pack_panels(weight, s_.oc, 1, rows_.tap_count(), lanes_, kPanelBlocks, packed, 1);
  }
  std::size_t scratch_bytes(int threads) const noexcept override {
    return static_cast<std::size_t>(scratch_of_threads(rows_.window_floats(), threads)) *
           sizeof(float);
  }

  ConvSplit split(int threads) const noexcept override {
    return split_output(s_.n, ceil_div(s_.oh, block_rows_), s_.oh, panels(), threads);
  }

  void run(const ConvArgs& args) const noexcept override {
    const ConvSplit shares = split(args.threads);
    const std::int64_t row_blocks = shares.blocks / s_.n, chunks = shares.chunks;
    const double work = conv_work(s_) / static_cast<double>(shares.units());
    parallel_for(args.threads, shares.units(), work, [&](Range units, int thread) {
      float* const window =
          reinterpret_cast<float*>(args.scratch) + scratch_offset(rows_.window_floats(), thread);
      std::int64_t copied = -1;
      for (std::int64_t u = units.begin; u < units.end; ++u) {
        const std::int64_t block = u / chunks, image = block / row_blocks;
        const Span rows = chunk_of(s_.oh, block % row_blocks, row_blocks);
        if (copied != block) rows_.copy(args.input + image * s_.ic * s_.ih * s_.iw, rows, window);
        copied = block;
        run_unit(args, image, rows, chunk_of(panels(), u % chunks, chunks), window);
      }
    });
  }

 private:
  std::int64_t panels() const { return ceil_div(s_.oc, kPanelBlocks * lanes_); }

  void run_unit(const ConvArgs& args, std::int64_t image, Span rows, Span panels,
                const float* window) const {
    const std::int64_t panel = kPanelBlocks * lanes_;
    const std::int64_t first_oc = panels.first * panel;
    const std::int64_t out_plane = s_.oh * s_.ow * lanes_;
    const std::int64_t out = (image * ceil_div(s_.oc, lanes_) + first_oc / lanes_) * out_plane +
                             rows.first * s_.ow * lanes_;
    DirectBlock b = rows_.block(window, rows.count());
    b.weights = args.weights + first_oc * rows_.tap_count();
    b.out_channels = static_cast<int>(std::min(s_.oc, panels.last * panel) - first_oc);
    b.residual = args.residual == nullptr ? nullptr : args.residual + out;
    b.output = args.output + out;
    b.output_plane = out_plane;
    b.inwards = args.threads > 1;
    b.epilogue = make_epilogue(args, first_oc);
    rows_.run(b);
  }

  ConvShape s_;
  int lanes_;
  std::int64_t block_rows_;
  StemRows rows_;
};

}  // namespace

StemRows::StemRows(const ConvShape& shape, std::int64_t rows, Isa isa)
    : s_(shape),
      kernel_(simd::direct_conv_plain_f32.get(isa)),
      lanes_(isa_lanes(isa)),
      step_(step_of(shape)),
      window_(shape, rows, 1,
              step_ == shape.stride_w ? SourceWindow::Columns::kInOrder
                                      : SourceWindow::Columns::kSorted) {
  for (std::int64_t ic = 0; ic < s_.ic; ++ic) {
    for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s_.kw; ++kx)
        taps_.push_back(ic * window_.plane() + window_.tap(ky, kx));
    }
  }
}

DirectBlock StemRows::block(const float* window, std::int64_t rows) const {
  DirectBlock b{};
  b.source = window;
  b.source_row = window_.output_row();
  b.step = static_cast<int>(step_);
  b.taps = taps_.data();
  b.tap_count = static_cast<int>(taps_.size());
  b.channels = 1;
  b.rows = static_cast<int>(rows);
  b.width = static_cast<int>(s_.ow);
  b.output_row = s_.ow * lanes_;
  b.output_step = lanes_;
  return b;
}

const char* stem_conv_declines(const ConvShape& s, Isa /*isa*/) {
  return s.groups == 1 ? nullptr : "it has groups";
}

std::unique_ptr<ConvAlgorithm> make_stem_conv(const ConvShape& shape, Isa isa) {
  return std::make_unique<StemConv>(shape, isa);
}

}  // namespace mini_infer
