#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_task.h"

namespace mini_infer {
namespace {

std::size_t round_up_64(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Scratch: [algorithm's][slopes, where one is spread over all channels][weights, where packed at
// run time]
struct BlockedConv {
  std::shared_ptr<const ConvAlgorithm> algorithm;
  std::shared_ptr<const PackedBuffer> weights;  // null: not constant
  ConvEnd end;
  std::int64_t oc = 0;
  bool scaled = false;
  std::size_t slopes_offset = 0, weights_offset = 0;

  Status run(const KernelContext& k) const;
};

Status BlockedConv::run(const KernelContext& k) const {
  ConvArgs args{
      .input = k.input<float>(kX),
      .bias = float_input(k, end.bias),
      .scales = scaled ? k.input<float>(kScales) : nullptr,
      .residual = float_input(k, end.residual),
      .residual_place = end.residual < 0 ? ConvResidual::kNone : ConvResidual::kBeforeActivation,
      .activation = end.activation,
      .slope = float_input(k, end.slopes),
      .output = k.output<float>(0),
      .scratch = k.scratch,
      .threads = k.threads};
  if (end.one_slope) {
    float* slopes = reinterpret_cast<float*>(k.scratch + slopes_offset);
    std::fill_n(slopes, oc, *args.slope);
    args.slope = slopes;
  }
  if (weights != nullptr) {
    args.weights = weights->data<float>();
  } else {
    float* packed = reinterpret_cast<float*>(k.scratch + weights_offset);
    algorithm->pack(k.input<float>(kW), packed, k.threads);
    args.weights = packed;
  }
  algorithm->run(args);
  return ok();
}

// What the packed form depends on beside the algorithm: everything but batch and extents, which
// plans of other input shapes share.
std::string packing_key(const ConvAlgorithm& algorithm, const ConvGeometry& g, Isa isa) {
  return cat(algorithm.name(), "/", isa_name(isa), "/", g.oc, "/", g.ic, "/", g.groups, "/",
             g.kernel[0], "x", g.kernel[1], "x", g.kernel[2], "/", g.stride[1], "x", g.stride[2],
             "/", g.dilation[1], "x", g.dilation[2], "/", algorithm.packed_floats());
}

}  // namespace

ConvShape conv_shape(const ConvGeometry& g) {
  // One tap has no distance to others: outputs then are not sorted by it.
  const auto dilation = [&](std::size_t axis) {
    return g.kernel[axis] == 1 ? 1 : g.dilation[axis];
  };
  return {.n = g.n,
          .ic = g.ic,
          .ih = g.in[1],
          .iw = g.in[2],
          .oc = g.oc,
          .oh = g.out[1],
          .ow = g.out[2],
          .kh = g.kernel[1],
          .kw = g.kernel[2],
          .stride_h = g.stride[1],
          .stride_w = g.stride[2],
          .dilation_h = dilation(1),
          .dilation_w = dilation(2),
          .pad_top = g.pad_begin[1],
          .pad_left = g.pad_begin[2],
          .pad_bottom = g.pad_end[1],
          .pad_right = g.pad_end[2],
          .groups = g.groups,
          .border = g.border,
          .depth = {.in = g.in[0],
                    .out = g.out[0],
                    .kernel = g.kernel[0],
                    .stride = g.stride[0],
                    .dilation = g.dilation[0],
                    .pad_front = g.pad_begin[0]}};
}

std::optional<ConvShape> flat_shape(const ConvGeometry& g) {
  const ConvShape shape = conv_shape(g);
  return shape.depth.flat() ? std::optional(shape) : std::nullopt;
}

PreparedKernel blocked_conv(const PrepareContext& c, const ConvTask& task,
                            std::shared_ptr<const ConvAlgorithm> algorithm) {
  BlockedConv conv{
      .algorithm = algorithm, .end = task.end, .oc = task.geometry.oc, .scaled = task.shape.scaled};
  PreparedKernel kernel{.name = c.with_isa(algorithm->name())};
  kernel.scratch_bytes = round_up_64(algorithm->scratch_bytes(c.threads()));
  conv.slopes_offset = kernel.scratch_bytes;
  if (task.end.one_slope) {
    kernel.scratch_bytes += round_up_64(static_cast<std::size_t>(conv.oc) * sizeof(float));
  }
  const std::size_t packed_bytes = algorithm->packed_floats() * sizeof(float);
  if (task.constant_weights) {
    conv.weights = c.packed(kW, packing_key(*algorithm, task.geometry, c.isa()), packed_bytes,
                            [&](std::byte* out) {
                              algorithm->pack(c.constant(kW)->data<float>(),
                                              reinterpret_cast<float*>(out), c.packing_threads());
                            });
  } else {
    conv.weights_offset = kernel.scratch_bytes;
    kernel.scratch_bytes += packed_bytes;
  }
  kernel.flop = 2 * task.geometry.macs();
  if (task.end.residual >= 0) {
    kernel.aliases.push_back({.kind = Alias::Kind::kInPlace, .input = task.end.residual});
  }
  kernel.run = [conv = std::move(conv)](const KernelContext& k) { return conv.run(k); };
  return kernel;
}

}  // namespace mini_infer
