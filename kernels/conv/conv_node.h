// What every convolution operator reads from its node.
#pragma once

#include "kernels/conv/geometry.h"
#include "kernels/fused_activation.h"
#include "kernels/op.h"
#include "kernels/window.h"

namespace mini_infer {

// Shape of the output of a convolution with input x, or an input of shape `in` (may be null), and
// weights w, as far as both tell it.
Result<std::optional<SymShape>> infer_conv_shape(const InferContext& c, std::size_t x,
                                                 std::size_t w);
Result<std::optional<SymShape>> infer_conv_shape(const InferContext& c, const SymShape* in,
                                                 std::size_t w);
// The same for a transposed convolution with inputs 0 and 1.
Result<std::optional<SymShape>> infer_conv_transpose_shape(const InferContext& c);

// Numbers of a convolution whose input and weights are inputs x and w, or have these shapes; checks
// that they agree.
Result<ConvGeometry> read_conv_geometry(const PrepareContext& c, const Shape& in,
                                        const Shape& weights);
Result<ConvGeometry> read_conv_geometry(const PrepareContext& c, std::size_t x, std::size_t w);
Result<ConvGeometry> read_conv_transpose_geometry(const PrepareContext& c);

// An input of one number a channel ([count], or [count,1,1]), where it is present.
Status check_channel_input(const PrepareContext& c, std::size_t i, const char* name,
                           std::int64_t count);

// Inputs of Conv, ConvTranspose and their fused forms.
// kScales: of a 1x1 convolution of one image, a factor for each channel of x.
enum ConvInput : int { kX, kW, kBias, kResidual, kSlopes, kScales };

// What follows the sum: y = activation(sum + bias + residual). Inputs are indices, -1 for none.
struct ConvEnd {
  int bias = -1;
  int residual = -1;
  int slopes = -1;  // of PRelu: [oc] or one
  bool one_slope = false;
  ActivationParams activation;
};

// A float32 input that a ConvEnd names, null for -1.
inline const float* float_input(const KernelContext& k, int i) {
  return i < 0 ? nullptr : k.input<float>(static_cast<std::size_t>(i));
}

// Reads bias, residual, activation and slopes, and checks them against the geometry.
Result<ConvEnd> read_conv_end(const PrepareContext& c, const ConvGeometry& g);
// Bias, activation and slopes of `channels` output channels, by the places of the inputs and what
// comes before the names of the attributes.
Result<ConvEnd> read_conv_end(const PrepareContext& c, std::int64_t channels, int bias, int slopes,
                              const std::string& prefix = "");

// Whether there are factors for the channels of x; checks that this convolution can have them.
Result<bool> read_conv_scales(const PrepareContext& c, const ConvGeometry& g);

// All inputs must have the same floating dtype.
Status check_conv_dtypes(const PrepareContext& c);

}  // namespace mini_infer
