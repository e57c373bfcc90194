// A convolution that wants an algorithm, and the kernels that may take it.
#pragma once

#include "kernels/conv/conv_node.h"
#include "kernels/conv/conv_shape.h"

namespace mini_infer {

struct ConvTask {
  ConvGeometry geometry;
  ConvShape shape;  // the geometry as conv_shape() has it
  ConvEnd end;
  DType dtype = DType::kFloat32;
  Layout in = Layout::kPlain, out = Layout::kPlain;
  Isa isa{};
  bool constant_weights = false;
};

// The same as a shape; a one-dimensional convolution is one row.
ConvShape conv_shape(const ConvGeometry& g);
// No value for three spatial axes.
std::optional<ConvShape> flat_shape(const ConvGeometry& g);

// Plain layout, float32, any shape: the input is unrolled into columns while a packed GEMM runs.
PreparedKernel im2col_conv(const PrepareContext& c, const ConvTask& task);

// Plain layout, float32, for few output channels in a group: vectors along rows of outputs.
bool takes_row_conv(const ConvGeometry& g);
PreparedKernel row_conv(const PrepareContext& c, const ConvTask& task);

// Transposed convolution on the plain layout, float32, any shape.
PreparedKernel col2im_conv(const PrepareContext& c, const ConvTask& task);

// An algorithm on blocked layouts for a node. `weights` are packed once where they are constant,
// else at each run.
class ConvAlgorithm;
PreparedKernel blocked_conv(const PrepareContext& c, const ConvTask& task,
                            std::shared_ptr<const ConvAlgorithm> algorithm);

}  // namespace mini_infer
