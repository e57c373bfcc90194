// Convolution over plain NCHW row by row, for few output channels or narrow groups, where a matrix
// product would unroll the input for little use. Vectors run along a row of outputs.
//
// So that every tap reads consecutive numbers, the input is first copied with its padding, the
// columns of a row sorted by their remainder modulo the stride:
//   source [n][ic][z][y][stride][columns]
// Without padding and stride along the row, the source is the input itself.

#include <algorithm>

#include "kernels/conv/conv_task.h"
#include "kernels/conv/row_conv.simd.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

struct RowConv {
  ConvTask task;
  bool copies = false;
  std::array<std::int64_t, 3> extent{};  // of the source: depth, height, columns of one remainder
  std::vector<std::ptrdiff_t> offsets;   // of [group_ic][taps], from a row's first output
  std::shared_ptr<const PackedBuffer> weights;  // null: not constant
  std::size_t weights_offset = 0;               // in scratch, where they are not constant

  std::int64_t row_floats() const {
    return copies ? task.geometry.stride[2] * extent[2] : extent[2];
  }
  std::int64_t channel_floats() const { return extent[0] * extent[1] * row_floats(); }
  std::int64_t tiles() const {
    return (task.geometry.group_oc() + simd::kRowChannels - 1) / simd::kRowChannels;
  }

  // Rows that are computed and then activated together; they stay in the L1 cache.
  std::int64_t block_rows() const {
    constexpr std::int64_t kBlockFloats = 1024;
    return std::max<std::int64_t>(kBlockFloats / task.geometry.out[2], 1);
  }
  std::int64_t row_blocks() const {
    return (task.geometry.out[1] + block_rows() - 1) / block_rows();
  }

  void copy_rows(const float* x, Range rows, float* source) const;
  void compute(const KernelContext& k, const float* source, const float* w, Range blocks) const;
  void activate_rows(const KernelContext& k, std::int64_t oc, float* y, std::int64_t n) const;
  Status run(const KernelContext& k) const;
};

// Rows of the source, counted over [n][ic][z][y].
void RowConv::copy_rows(const float* x, Range rows, float* source) const {
  const ConvGeometry& g = task.geometry;
  const auto take = simd::take_every_f32.get(task.isa);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    float* out = source + row * row_floats();
    const std::int64_t y = border_source(g.border, row % extent[1] - g.pad_begin[1], g.in[1]);
    const std::int64_t z =
        border_source(g.border, row / extent[1] % extent[0] - g.pad_begin[0], g.in[0]);
    const std::int64_t channel = row / (extent[1] * extent[0]);
    if (y < 0 || z < 0) {
      std::fill_n(out, row_floats(), 0.f);
      continue;
    }
    const float* in = x + ((channel * g.in[0] + z) * g.in[1] + y) * g.in[2];
    for (std::int64_t phase = 0; phase < g.stride[2]; ++phase, out += extent[2]) {
      // Column j of this remainder is column phase + j * stride - pad of the input.
      const std::int64_t stride = g.stride[2], start = phase - g.pad_begin[2];
      const std::int64_t first =
          start < 0 ? std::min((-start + stride - 1) / stride, extent[2]) : 0;
      const std::int64_t room = g.in[2] - start;
      const std::int64_t end =
          std::clamp(room > 0 ? (room + stride - 1) / stride : 0, first, extent[2]);
      const auto copy_border = [&](std::int64_t j, std::int64_t last) {
        for (; j < last; ++j) {
          const std::int64_t ix = border_source(g.border, start + j * stride, g.in[2]);
          out[j] = ix < 0 ? 0.f : in[ix];
        }
      };
      copy_border(0, first);
      if (stride == 1) {
        std::copy_n(in + start + first, end - first, out + first);
      } else {
        take(in + start + first * stride, stride, out + first, end - first);
      }
      copy_border(end, extent[2]);
    }
  }
}

// Blocks of output rows, counted over [n][groups][tiles of channels][oz][blocks].
void RowConv::compute(const KernelContext& k, const float* source, const float* w,
                      Range blocks) const {
  const ConvGeometry& g = task.geometry;
  const auto compute_row = simd::conv_row_f32.get(task.isa);
  const float* bias = float_input(k, task.end.bias);
  const float* residual = float_input(k, task.end.residual);
  for (std::int64_t i = blocks.begin; i < blocks.end; ++i) {
    const std::int64_t block = i % row_blocks(), oz = i / row_blocks() % g.out[0];
    const std::int64_t tile = i / (row_blocks() * g.out[0]) % tiles();
    const std::int64_t image_group = i / (row_blocks() * g.out[0] * tiles());
    const std::int64_t group = image_group % g.groups, n = image_group / g.groups;
    const std::int64_t first = tile * simd::kRowChannels;  // of the group's output channels
    const std::int64_t oc = group * g.group_oc() + first;
    const std::int64_t oy = block * block_rows();
    const std::int64_t rows = std::min(block_rows(), g.out[1] - oy);
    const std::int64_t out = (((n * g.oc + oc) * g.out[0] + oz) * g.out[1] + oy) * g.out[2];
    simd::ConvRow work{.source = source + (n * g.ic + group * g.group_ic()) * channel_floats() +
                                 (oz * g.stride[0] * extent[1] + oy * g.stride[1]) * row_floats(),
                       .offsets = offsets.data(),
                       .taps = g.depth(),
                       .weights = w + oc * g.depth(),
                       .channels = static_cast<int>(
                           std::min<std::int64_t>(simd::kRowChannels, g.group_oc() - first)),
                       .width = g.out[2],
                       .bias = bias != nullptr ? bias + oc : nullptr,
                       .residual = residual != nullptr ? residual + out : nullptr,
                       .out = k.output<float>(0) + out,
                       .plane = g.out_plane()};
    for (std::int64_t row = 0; row < rows; ++row) {
      compute_row(work);
      work.source += g.stride[1] * row_floats();
      work.out += g.out[2];
      if (work.residual != nullptr) work.residual += g.out[2];
    }
    for (int c = 0; c < work.channels; ++c) {
      activate_rows(k, oc + c, k.output<float>(0) + out + c * g.out_plane(), rows * g.out[2]);
    }
  }
}

// n outputs of channel oc.
void RowConv::activate_rows(const KernelContext& k, std::int64_t oc, float* y,
                            std::int64_t n) const {
  ActivationParams activation = task.end.activation;
  if (const float* slopes = float_input(k, task.end.slopes)) {
    activation = {.kind = Activation::kLeakyRelu, .alpha = slopes[task.end.one_slope ? 0 : oc]};
  }
  if (activation.kind == Activation::kNone) return;
  simd::activate_f32.get(task.isa)(activation, y, y, static_cast<std::size_t>(n));
}

// w [oc][depth] -> [oc / kRowChannels of a group][depth][channels of the tile]
void pack_rows(const ConvGeometry& g, const float* w, float* packed) {
  const std::int64_t depth = g.depth();
  for (std::int64_t oc = 0; oc < g.oc;) {
    const std::int64_t in_group = oc % g.group_oc();
    const std::int64_t channels =
        std::min<std::int64_t>(simd::kRowChannels, g.group_oc() - in_group);
    for (std::int64_t d = 0; d < depth; ++d) {
      for (std::int64_t c = 0; c < channels; ++c) {
        packed[oc * depth + d * channels + c] = w[(oc + c) * depth + d];
      }
    }
    oc += channels;
  }
}

Status RowConv::run(const KernelContext& k) const {
  const ConvGeometry& g = task.geometry;
  const float* source = k.input<float>(kX);
  if (copies) {
    float* copy = reinterpret_cast<float*>(k.scratch);
    k.parallel_for(g.n * g.ic * extent[0] * extent[1], static_cast<double>(row_floats()),
                   [&](Range rows, int) { copy_rows(source, rows, copy); });
    source = copy;
  }
  const float* w;
  if (weights != nullptr) {
    w = weights->data<float>();
  } else {
    float* packed = reinterpret_cast<float*>(k.scratch + weights_offset);
    pack_rows(g, k.input<float>(kW), packed);
    w = packed;
  }
  const double work = static_cast<double>(block_rows() * g.out[2] * simd::kRowChannels) *
                      static_cast<double>(g.depth());
  k.parallel_for(g.n * g.groups * tiles() * g.out[0] * row_blocks(), work,
                 [&](Range blocks, int) { compute(k, source, w, blocks); });
  return ok();
}

void find_offsets(RowConv& conv) {
  const ConvGeometry& g = conv.task.geometry;
  const std::int64_t row = conv.row_floats();
  for (std::int64_t ic = 0; ic < g.group_ic(); ++ic) {
    for (std::int64_t kz = 0; kz < g.kernel[0]; ++kz) {
      for (std::int64_t ky = 0; ky < g.kernel[1]; ++ky) {
        for (std::int64_t kx = 0; kx < g.kernel[2]; ++kx) {
          const std::int64_t x = kx * g.dilation[2];
          const std::int64_t column =
              conv.copies ? x % g.stride[2] * conv.extent[2] + x / g.stride[2] : x;
          conv.offsets.push_back(ic * conv.channel_floats() + column +
                                 (kz * g.dilation[0] * conv.extent[1] + ky * g.dilation[1]) * row);
        }
      }
    }
  }
}

}  // namespace

bool takes_row_conv(const ConvGeometry& g) {
  // More channels share the unrolling of im2col.
  constexpr std::int64_t kMostChannels = 16, kMostTaps = 1 << 20;
  constexpr double kMostSource = 1 << 28;  // floats
  double source = static_cast<double>(g.n * g.ic);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    source *=
        static_cast<double>(g.in[axis] + g.pad_begin[axis] + g.pad_end[axis] + g.stride[axis]);
  }
  return g.group_oc() <= kMostChannels && g.depth() <= kMostTaps && source <= kMostSource;
}

PreparedKernel row_conv(const PrepareContext& c, const ConvTask& task) {
  const ConvGeometry& g = task.geometry;
  auto conv = std::make_shared<RowConv>();
  conv->task = task;
  conv->copies = g.stride[2] != 1 || g.pad_begin != std::array<std::int64_t, 3>{} ||
                 g.pad_end != std::array<std::int64_t, 3>{};
  conv->extent = g.in;
  PreparedKernel kernel{.name = c.with_isa("conv/rows"), .flop = 2 * g.macs()};
  if (conv->copies) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      conv->extent[axis] =
          (g.out[axis] - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] + 1;
    }
    conv->extent[2] = (conv->extent[2] + g.stride[2] - 1) / g.stride[2];
    kernel.scratch_bytes =
        static_cast<std::size_t>(g.n * g.ic * conv->channel_floats()) * sizeof(float);
  }
  find_offsets(*conv);
  const std::size_t packed_bytes = static_cast<std::size_t>(g.oc * g.depth()) * sizeof(float);
  if (task.constant_weights) {
    conv->weights = c.packed(kW, cat("conv_rows/", g.groups), packed_bytes, [&](std::byte* out) {
      pack_rows(g, c.constant(kW)->data<float>(), reinterpret_cast<float*>(out));
    });
  } else {
    conv->weights_offset = (kernel.scratch_bytes + 63) / 64 * 64;
    kernel.scratch_bytes = conv->weights_offset + packed_bytes;
  }
  kernel.run = [conv](const KernelContext& k) { return conv->run(k); };
  return kernel;
}

}  // namespace mini_infer
