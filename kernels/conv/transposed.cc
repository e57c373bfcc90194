// Transposed convolution of NCHWc, see conv_algorithm.h.
//
// On one axis with stride s, padding p and dilation d, input i adds to output o where o + p = i * s
// + t * d for tap t. Outputs o = j * s + f of one phase f therefore meet the taps of one class, t *
// d = f + p modulo s, each at input j + (f + p - t * d) / s: a direct convolution with stride 1.
//
//   for each image, group, block of j rows                  shared out between threads
//     window = its input rows with borders, all channels
//     for each phase (fy, fx): direct convolution with its taps, outputs s apart
//
// With one filter for each channel the groups are channel blocks.
#include <algorithm>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/direct.simd.h"
#include "kernels/conv/source_window.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr int kPanelBlocks = 2;
constexpr std::size_t kWindowBytes = 256 << 10;

// Which taps an axis' phases meet, and where.
struct PhaseAxis {
  std::int64_t stride, pad, dilation, taps, out;

  // The class of taps of phase f; tap t is of class t * dilation modulo stride.
  std::int64_t class_of_phase(std::int64_t f) const {
    return ((f + pad) % stride + stride) % stride;
  }
  bool has(std::int64_t tap_class, std::int64_t t) const {
    return t * dilation % stride == tap_class;
  }
  std::int64_t class_size(std::int64_t tap_class) const {
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < taps; ++t) count += has(tap_class, t) ? 1 : 0;
    return count;
  }
  // Input that tap t of phase f meets for j = 0. The division is exact.
  std::int64_t shift(std::int64_t f, std::int64_t t) const {
    return (f + pad - t * dilation) / stride;
  }
  // Outputs of phase f, and j < steps() for all phases.
  std::int64_t outputs(std::int64_t f) const {
    return std::max<std::int64_t>(0, ceil_div(out - f, stride));
  }
  std::int64_t steps() const { return ceil_div(out, stride); }
  // Bounds of shift(): those of the last tap of the first phase and of the first tap of the last
  // one, widened.
  std::int64_t least_shift() const {
    return -ceil_div(std::max<std::int64_t>(0, (taps - 1) * dilation - pad), stride);
  }
  std::int64_t greatest_shift() const { return (stride - 1 + pad) / stride; }
};

// The convolution whose windows hold all phases' inputs: one output for each j.
ConvShape window_shape(const ConvShape& s, const PhaseAxis& y, const PhaseAxis& x) {
  ConvShape w = s;
  w.oh = y.steps();
  w.ow = x.steps();
  w.kh = y.greatest_shift() - y.least_shift() + 1;
  w.kw = x.greatest_shift() - x.least_shift() + 1;
  w.stride_h = w.stride_w = w.dilation_h = w.dilation_w = 1;
  w.pad_top = -y.least_shift();
  w.pad_left = -x.least_shift();
  return w;
}

class TransposedConv final : public ConvAlgorithm {
 public:
  TransposedConv(const ConvShape& shape, Isa isa)
      : s_(shape),
        lanes_(isa_lanes(isa)),
        depthwise_(depthwise_conv_declines(shape, isa) == nullptr),
        kernel_(depthwise_ ? simd::depthwise_taps_f32.get(isa) : simd::direct_conv_f32.get(isa)),
        groups_(depthwise_ ? ceil_div(shape.oc, lanes_) : shape.groups),
        group_ic_(depthwise_ ? lanes_ : shape.ic / shape.groups),
        group_oc_(depthwise_ ? lanes_ : shape.oc / shape.groups),
        ic_blocks_(ceil_div(group_ic_, lanes_)),
        y_{shape.stride_h, shape.pad_top, shape.dilation_h, shape.kh, shape.oh},
        x_{shape.stride_w, shape.pad_left, shape.dilation_w, shape.kw, shape.ow},
        block_rows_(
            SourceWindow::rows_within(window_shape(s_, y_, x_), ic_blocks_, lanes_, kWindowBytes)),
        window_(window_shape(s_, y_, x_), block_rows_, lanes_) {
    for (std::int64_t fy = 0; fy < y_.stride; ++fy) {
      for (std::int64_t fx = 0; fx < x_.stride; ++fx) add_phase(fy, fx);
    }
  }

  const char* name() const noexcept override {
    return depthwise_ ? "conv_transpose/depthwise" : "conv_transpose/phases";
  }

  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(groups_ * group_packed());
  }

  // [groups][classes of y][classes of x] panels, or [taps][c], whatever the padding is.
  void pack(const float* w, float* packed, int threads) const noexcept override {
    for (std::int64_t g = 0; g < groups_; ++g) {
      for (std::int64_t class_y = 0; class_y < y_.stride; ++class_y) {
        for (std::int64_t class_x = 0; class_x < x_.stride; ++class_x) {
          const std::vector<std::int64_t> taps = taps_of_class(class_y, class_x);
          packed =
              depthwise_ ? pack_block(w, g, taps, packed) : pack_group(w, g, taps, packed, threads);
        }
      }
    }
  }

  std::size_t scratch_bytes(int threads) const noexcept override {
    return static_cast<std::size_t>(scratch_of_threads(window_floats(), threads)) * sizeof(float);
  }

  ConvSplit split(int threads) const noexcept override {
    return split_output(s_.n * groups_, ceil_div(y_.steps(), block_rows_), y_.steps(), panels(),
                        threads);
  }

  void run(const ConvArgs& args) const noexcept override {
    const ConvSplit shares = split(args.threads);
    const std::int64_t row_blocks = shares.blocks / (s_.n * groups_), chunks = shares.chunks;
    const double work = conv_work(s_) / static_cast<double>(y_.stride * x_.stride);
    parallel_for(args.threads, shares.units(), work / static_cast<double>(shares.units()),
                 [&](Range units, int thread) {
                   float* const window = reinterpret_cast<float*>(args.scratch) +
                                         scratch_offset(window_floats(), thread);
                   std::int64_t copied = -1;
                   for (std::int64_t u = units.begin; u < units.end; ++u) {
                     const std::int64_t block = u / chunks, group = block / row_blocks;
                     const Unit unit{group / groups_, group % groups_,
                                     chunk_of(y_.steps(), block % row_blocks, row_blocks)};
                     if (copied != block) copy_window(args.input, unit, window);
                     copied = block;
                     for (const Phase& phase : phases_)
                       run_phase(args, unit, phase, chunk_of(panels(), u % chunks, chunks), window);
                   }
                 });
  }

 private:
  std::int64_t panels() const { return ceil_div(group_oc_, kPanelBlocks * lanes_); }

  float* pack_group(const float* w, std::int64_t group, const std::vector<std::int64_t>& taps,
                    float* packed, int threads) const noexcept {
    w += group * group_ic_ * group_oc_ * s_.kh * s_.kw;
    const auto weight = [&](std::int64_t o, std::int64_t i, std::int64_t t) {
      return w[(i * group_oc_ + o) * s_.kh * s_.kw + taps[static_cast<std::size_t>(t)]];
    };
    return pack_panels(weight, group_oc_, group_ic_, static_cast<std::int64_t>(taps.size()), lanes_,
                       kPanelBlocks, packed, threads);
  }
  float* pack_block(const float* w, std::int64_t block, const std::vector<std::int64_t>& taps,
                    float* packed) const noexcept {
    for (const std::int64_t tap : taps) {
      for (std::int64_t c = block * lanes_; c < (block + 1) * lanes_; ++c) {
        *packed++ = c < s_.oc ? w[c * s_.kh * s_.kw + tap] : 0.f;
      }
    }
    return packed;
  }

  struct Phase {
    std::int64_t fy, fx;
    std::int64_t packed;               // offset of its weights
    std::vector<std::ptrdiff_t> taps;  // places in the window
  };
  struct Unit {
    std::int64_t image, group;
    Span rows;  // j of the y axis
  };

  // Indices ky * kw + kx of the taps of a class, in order.
  std::vector<std::int64_t> taps_of_class(std::int64_t class_y, std::int64_t class_x) const {
    std::vector<std::int64_t> places;
    for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s_.kw; ++kx) {
        if (y_.has(class_y, ky) && x_.has(class_x, kx)) places.push_back(ky * s_.kw + kx);
      }
    }
    return places;
  }

  void add_phase(std::int64_t fy, std::int64_t fx) {
    const std::int64_t class_y = y_.class_of_phase(fy), class_x = x_.class_of_phase(fx);
    Phase phase{fy, fx, 0, {}};
    for (const std::int64_t place : taps_of_class(class_y, class_x)) {
      const std::int64_t shift_y = y_.shift(fy, place / s_.kw),
                         shift_x = x_.shift(fx, place % s_.kw);
      phase.taps.push_back(window_.tap(shift_y - y_.least_shift(), shift_x - x_.least_shift()));
    }
    for (std::int64_t i = 0; i < class_y * x_.stride + class_x; ++i) {
      phase.packed += class_floats(i / x_.stride, i % x_.stride);
    }
    phases_.push_back(std::move(phase));
  }

  std::int64_t class_floats(std::int64_t class_y, std::int64_t class_x) const {
    return tap_floats(y_.class_size(class_y) * x_.class_size(class_x));
  }
  std::int64_t group_packed() const { return tap_floats(s_.kh * s_.kw); }
  std::int64_t tap_floats(std::int64_t taps) const {
    return depthwise_ ? taps * lanes_ : packed_panel_floats(group_oc_, group_ic_, taps, lanes_);
  }
  std::int64_t window_floats() const { return ic_blocks_ * window_.plane(); }

  void copy_window(const float* input, const Unit& unit, float* window) const {
    const std::int64_t block = unit.image * ceil_div(s_.ic, lanes_) + unit.group * ic_blocks_;
    window_.copy(input + block * s_.ih * s_.iw * lanes_, ic_blocks_, unit.rows.first,
                 unit.rows.count(), window);
  }

  void run_phase(const ConvArgs& args, const Unit& unit, const Phase& phase, Span panels,
                 const float* window) const {
    const std::int64_t rows = std::min(unit.rows.last, y_.outputs(phase.fy)) - unit.rows.first;
    const std::int64_t width = x_.outputs(phase.fx);
    if (rows <= 0 || width <= 0) return;
    const std::int64_t panel = kPanelBlocks * lanes_;
    const std::int64_t first_oc = unit.group * group_oc_ + panels.first * panel;
    const std::int64_t out_plane = s_.oh * s_.ow * lanes_;
    const std::int64_t oy = unit.rows.first * s_.stride_h + phase.fy;
    const std::int64_t out =
        (unit.image * ceil_div(s_.oc, lanes_) + first_oc / lanes_) * out_plane +
        (oy * s_.ow + phase.fx) * lanes_;
    DirectBlock b{};
    b.source = window;
    b.source_plane = window_.plane();
    b.source_row = window_.output_row();
    b.step = lanes_;
    b.taps = phase.taps.data();
    b.tap_count = static_cast<int>(phase.taps.size());
    b.channels = static_cast<int>(group_ic_);
    b.rows = static_cast<int>(rows);
    b.width = static_cast<int>(width);
    b.weights = args.weights + unit.group * group_packed() + phase.packed +
                panels.first * panel * group_ic_ * b.tap_count;
    const std::int64_t exist = std::min(group_oc_, s_.oc - unit.group * group_oc_);
    b.out_channels = static_cast<int>(std::min(exist, panels.last * panel) - panels.first * panel);
    b.residual = args.residual == nullptr ? nullptr : args.residual + out;
    b.output = args.output + out;
    b.output_plane = out_plane;
    b.output_row = s_.stride_h * s_.ow * lanes_;
    b.output_step = s_.stride_w * lanes_;
    b.epilogue = make_epilogue(args, first_oc);
    kernel_(b);
  }

  ConvShape s_;
  int lanes_;
  bool depthwise_;
  simd::direct_conv_f32_fn* kernel_;
  std::int64_t groups_;  // channel blocks where depthwise
  std::int64_t group_ic_, group_oc_, ic_blocks_;
  PhaseAxis y_, x_;
  std::int64_t block_rows_;
  SourceWindow window_;
  std::vector<Phase> phases_;
};

}  // namespace

const char* transposed_conv_declines(const ConvShape& s, Isa isa) {
  return depthwise_conv_declines(s, isa) == nullptr ? nullptr : direct_conv_declines(s, isa);
}

std::unique_ptr<ConvAlgorithm> make_transposed_conv(const ConvShape& shape, Isa isa) {
  return std::make_unique<TransposedConv>(shape, isa);
}

}  // namespace mini_infer
