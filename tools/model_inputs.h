// Tensors for a model's inputs: from --input and --shape, from files, or made up.
#pragma once

#include <mini_infer/session.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/preprocess.h"

namespace mini_infer::tools {

using ShapeMap = std::map<std::string, Shape>;

// "1x3x224x224"; "scalar" or "" for rank 0; no value for anything else.
std::optional<Shape> parse_shape(std::string_view text);
// "NAME=1x3x224x224", or without "NAME=" for a model with one input.
Result<ShapeMap> parse_shapes(const std::vector<std::string>& texts,
                              const std::vector<ValueInfo>& inputs);

struct Assignment {
  std::string name, value;
};
// "NAME=FILE", or FILE alone for a model with one input. The name must be one of an input.
Result<Assignment> parse_assignment(const std::string& text, const std::vector<ValueInfo>& inputs);

const ValueInfo* find_value(const std::vector<ValueInfo>& values, const std::string& name);

// The declared shape with open dimensions taken as 1, unless `shapes` has one.
Shape closed_shape(const ValueInfo& input, const ShapeMap& shapes);
// Makes the first dimension of each input that leaves it open `batch`, and every dimension of the
// same name; the others stay as closed_shape() says.
Status set_batch(const std::vector<ValueInfo>& inputs, std::int64_t batch, ShapeMap& shapes);

// A tensor of one element becomes a scalar where the input is declared as one: exporters and test
// data mix [1] and [].
Tensor as_declared(Tensor tensor, const ValueInfo& input);

// What `value` names, for `input`: a picture, a .npy or a .pb file, told apart by their contents;
// or a number, which fills the whole input.
Result<Tensor> read_input(const std::string& value, const ValueInfo& input, const ShapeMap& shapes,
                          const PixelOptions& pixels);
// All of --input.
Result<TensorMap> read_inputs(const std::vector<std::string>& texts,
                              const std::vector<ValueInfo>& inputs, const ShapeMap& shapes,
                              const PixelOptions& pixels);

// Made-up data: floats in [-1, 1) from a fixed sequence that starts with `seed`, other numbers 1,
// empty strings.
Result<Tensor> synthetic(DType dtype, const Shape& shape, std::uint32_t seed);
// Adds made-up data for the inputs that `tensors` lacks; the seed of an input is its number,
// from `first_seed` on.
Status add_synthetic(const std::vector<ValueInfo>& inputs, const ShapeMap& shapes,
                     TensorMap& tensors, std::uint32_t first_seed = 1);

// In the order of `inputs`, of which each must be there.
std::vector<Tensor> in_order(const std::vector<ValueInfo>& inputs, const TensorMap& tensors);

}  // namespace mini_infer::tools
