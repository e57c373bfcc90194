#include "kernels/conv/fused_depthwise.h"

#include <algorithm>

#include "kernels/conv/conv_task.h"

namespace mini_infer {

Span FusedDepthwise::reads(Span rows) const {
  const std::int64_t wanted = rows.first * shape.stride_h - shape.pad_top;
  const std::int64_t past =
      wanted + (rows.count() - 1) * shape.stride_h + (shape.kh - 1) * shape.dilation_h + 1;
  const std::int64_t top = std::clamp<std::int64_t>(wanted, 0, shape.ih);
  return {top, std::clamp(past, top, shape.ih)};
}

std::int64_t FusedDepthwise::reach(std::int64_t rows) const {
  return std::min(shape.ih, (rows - 1) * shape.stride_h + (shape.kh - 1) * shape.dilation_h + 1);
}

void FusedDepthwise::run(const KernelContext& k, const ConvArgs& end_args, std::int64_t image,
                         Span rows, Span blocks, const MapRows& map) const {
  const std::int64_t lanes = isa_lanes(method.isa), all_blocks = ceil_div(shape.oc, lanes);
  DepthwiseRows r = depthwise_rows(shape);
  r.rows = static_cast<int>(rows.count());
  r.ih = static_cast<int>(map.count);
  r.pad_top = static_cast<int>(map.top - (rows.first * shape.stride_h - shape.pad_top));
  r.epilogue = make_epilogue(end_args, 0);
  for (std::int64_t j = blocks.first; j < blocks.last; ++j) {
    r.input = map.data + (j - blocks.first) * map.plane;
    r.weights = weights->data<float>() + j * method.filter;
    r.first_channel = static_cast<int>(j * lanes);
    r.channels = static_cast<int>(std::min(lanes, shape.oc - j * lanes));
    r.output =
        k.output<float>(0) + ((image * all_blocks + j) * shape.oh + rows.first) * shape.ow * lanes;
    method.kernel(r);
  }
}

Result<FusedDepthwise> prepare_fused_depthwise(const PrepareContext& c, const Shape& map) {
  MINI_TRY_ASSIGN(const ConvGeometry g, read_conv_geometry(c, map, c.shape(kW)));
  const auto flat = flat_shape(g);
  if (c.dtype(kX) != DType::kFloat32 || !flat ||
      depthwise_conv_declines(*flat, c.isa()) != nullptr || c.constant(kW) == nullptr ||
      c.constant(kFirstW) == nullptr) {
    return error(Code::kInternal, "not a float32 depthwise convolution with constant weights");
  }
  FusedDepthwise d{.shape = *flat};
  ConvShape part = d.shape;  // what it reads is in the caches, however large the map
  part.n = part.ic = part.oc = part.groups = part.ih = part.oh = 1;
  d.method = depthwise_method(part, c.isa());
  MINI_TRY_ASSIGN(d.end, read_conv_end(c, g));
  d.weights = packed_weights(c, kW, *make_depthwise_with(d.method, d.shape, c.isa()));
  return d;
}

ConvArgs end_of(const KernelContext& k, const ConvEnd& end, std::int64_t channels, float* slopes) {
  if (end.one_slope) std::fill_n(slopes, channels, *float_input(k, end.slopes));
  return {.bias = float_input(k, end.bias),
          .activation = end.activation,
          .slope = end.one_slope ? slopes : float_input(k, end.slopes)};
}

std::shared_ptr<const PackedBuffer> packed_weights(const PrepareContext& c, std::size_t input,
                                                   const ConvAlgorithm& algorithm) {
  const std::string key = cat(algorithm.name(), "/", isa_name(c.isa()), "/", c.shape(input));
  return c.packed(input, key, algorithm.packed_floats() * sizeof(float), [&](std::byte* out) {
    algorithm.pack(c.constant(input)->data<float>(), reinterpret_cast<float*>(out), c.packing_threads());
  });
}

}  // namespace mini_infer
