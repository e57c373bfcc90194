#include "tools/model_inputs.h"

#include <charconv>
#include <filesystem>
#include <set>

#include "graph/onnx/tensor_reader.h"
#include "tools/common.h"
#include "tools/npy.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

std::string names_of(const std::vector<ValueInfo>& inputs) {
  std::string names;
  for (const ValueInfo& input : inputs) names += (names.empty() ? "" : ", ") + input.name;
  return names;
}

std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || used != end) return {};
  return number;
}

std::optional<Shape> shape_of(const std::string& name, const ShapeMap& shapes) {
  const auto found = shapes.find(name);
  if (found == shapes.end()) return {};
  return found->second;
}

}  // namespace

std::optional<Shape> parse_shape(std::string_view text) {
  Shape shape;
  if (text.empty() || text == "scalar") return shape;
  for (const std::string_view part : split(text, 'x')) {
    std::int64_t dim = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), dim);
    if (error != std::errc() || end != part.data() + part.size() || dim < 0) return {};
    shape.push_back(dim);
  }
  return shape;
}

const ValueInfo* find_value(const std::vector<ValueInfo>& values, const std::string& name) {
  for (const ValueInfo& value : values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

Result<Assignment> parse_assignment(const std::string& text, const std::vector<ValueInfo>& inputs) {
  // Names may hold '=' themselves: the first part that is a name counts.
  for (std::size_t at = text.find('='); at != text.npos; at = text.find('=', at + 1)) {
    if (find_value(inputs, text.substr(0, at)) != nullptr)
      return Assignment{text.substr(0, at), text.substr(at + 1)};
  }
  if (text.find('=') != text.npos) {
    return Status(Code::kInvalidArgument,
                  format("the model has no input '%s'; it has %s",
                         text.substr(0, text.find('=')).c_str(), names_of(inputs).c_str()));
  }
  if (inputs.size() == 1) return Assignment{inputs[0].name, text};
  return Status(Code::kInvalidArgument,
                format("'%s' names no input; the model has %s: write NAME=%s", text.c_str(),
                       names_of(inputs).c_str(), text.c_str()));
}

namespace {

Status given_twice(const char* option, const Assignment& assignment) {
  return {Code::kInvalidArgument,
          format("%s gives input '%s' twice, the second time as '%s'", option,
                 assignment.name.c_str(), assignment.value.c_str())};
}

}  // namespace

Result<ShapeMap> parse_shapes(const std::vector<std::string>& texts,
                              const std::vector<ValueInfo>& inputs) {
  ShapeMap shapes;
  for (const std::string& text : texts) {
    MINI_TRY_ASSIGN(const Assignment assignment, parse_assignment(text, inputs));
    const std::optional<Shape> shape = parse_shape(assignment.value);
    if (!shape) {
      return Status(Code::kInvalidArgument,
                    "--shape " + text + ": sizes are written like 1x3x224x224, or scalar");
    }
    if (!shapes.emplace(assignment.name, *shape).second) return given_twice("--shape", assignment);
  }
  return shapes;
}

Shape closed_shape(const ValueInfo& input, const ShapeMap& shapes) {
  if (const std::optional<Shape> given = shape_of(input.name, shapes)) return *given;
  Shape shape;
  if (!input.dims) return shape;
  for (const DimInfo& dim : *input.dims) shape.push_back(dim.value < 0 ? 1 : dim.value);
  return shape;
}

Status set_batch(const std::vector<ValueInfo>& inputs, std::int64_t batch, ShapeMap& shapes) {
  std::set<std::string> names;
  bool found = false;
  for (const ValueInfo& input : inputs) {
    if (!input.dims || input.dims->empty()) continue;
    const DimInfo& first = input.dims->front();
    found = found || first.value < 0 || first.value == batch;
    if (first.value < 0) names.insert(first.name);
  }
  if (!found) {
    const ValueInfo input = inputs.empty() ? ValueInfo() : inputs[0];
    return {Code::kInvalidArgument,
            format("--batch %lld: input '%s' has shape %s; an input must leave its first dimension "
                   "open: export the model so, in PyTorch torch.onnx.export(..., "
                   "dynamic_axes={'%s': {0: 'batch'}})",
                   static_cast<long long>(batch), input.name.c_str(), input.shape_str().c_str(),
                   input.name.c_str())};
  }
  for (const ValueInfo& input : inputs) {
    Shape shape = closed_shape(input, shapes);
    if (!input.dims || input.dims->size() != shape.rank()) continue;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
      const DimInfo& dim = (*input.dims)[i];
      const bool named = !dim.name.empty() && names.contains(dim.name);
      if (dim.value < 0 && (i == 0 || named)) shape[i] = batch;
    }
    shapes[input.name] = shape;
  }
  return ok();
}

Tensor as_declared(Tensor tensor, const ValueInfo& input) {
  const bool scalar = input.dims && input.dims->empty();
  return scalar && tensor.shape() == Shape({1}) ? tensor.reshaped({}) : tensor;
}

Result<Tensor> read_input(const std::string& value, const ValueInfo& input, const ShapeMap& shapes,
                          const PixelOptions& pixels) {
  std::error_code error;
  const std::optional<double> number = parse_number(value);
  if (number && !std::filesystem::exists(value, error)) {
    return filled(input.dtype, closed_shape(input, shapes), *number);
  }
  MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(value));
  if (is_npy(bytes)) {
    Result<Tensor> tensor = parse_npy(bytes);
    if (!tensor.ok()) return tensor.status().at("'" + value + "'");
    return as_declared(*std::move(tensor), input);
  }
  if (is_image(bytes)) {
    MINI_TRY_ASSIGN(const Image image, read_image(value));
    MINI_TRY_ASSIGN(const PictureInput plan,
                    plan_picture(input, shape_of(input.name, shapes), pixels, image));
    return make_tensor(image, plan);
  }
  Result<NamedTensor> read = read_tensor_file(value);
  if (read.ok()) return as_declared(std::move(read->tensor), input);
  return Status(
      Code::kInvalidArgument,
      "'" + value + "' is no JPEG, PNG, .npy or TensorProto file: " + read.status().message());
}

Result<TensorMap> read_inputs(const std::vector<std::string>& texts,
                              const std::vector<ValueInfo>& inputs, const ShapeMap& shapes,
                              const PixelOptions& pixels) {
  TensorMap tensors;
  for (const std::string& text : texts) {
    MINI_TRY_ASSIGN(const Assignment assignment, parse_assignment(text, inputs));
    const ValueInfo& input = *find_value(inputs, assignment.name);
    if (tensors.contains(assignment.name)) return given_twice("--input", assignment);
    MINI_TRY_ASSIGN(tensors[assignment.name], read_input(assignment.value, input, shapes, pixels));
  }
  return tensors;
}

Result<Tensor> synthetic(DType dtype, const Shape& shape, std::uint32_t seed) {
  if (dtype == DType::kString) return Tensor::allocate(dtype, shape);
  if (!is_float(dtype)) return filled(dtype, shape, 1);
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(dtype, shape));
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  // A linear congruential generator (Numerical Recipes' constants); its upper 24 bits become [-1,
  // 1).
  std::uint32_t state = seed;
  for (double& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<double>(state >> 8) / 8388608.0 - 1;
  }
  MINI_TRY(set_all(tensor, values));
  return tensor;
}

Status add_synthetic(const std::vector<ValueInfo>& inputs, const ShapeMap& shapes,
                     TensorMap& tensors, std::uint32_t first_seed) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (tensors.contains(inputs[i].name)) continue;
    Result<Tensor> tensor = synthetic(inputs[i].dtype, closed_shape(inputs[i], shapes),
                                      static_cast<std::uint32_t>(i) + first_seed);
    if (!tensor.ok()) return tensor.status().at("input '" + inputs[i].name + "'");
    tensors[inputs[i].name] = *std::move(tensor);
  }
  return ok();
}

std::vector<Tensor> in_order(const std::vector<ValueInfo>& inputs, const TensorMap& tensors) {
  std::vector<Tensor> ordered;
  for (const ValueInfo& input : inputs) ordered.push_back(tensors.at(input.name));
  return ordered;
}

}  // namespace mini_infer::tools
