// Tensors in files of their own: the test data of ONNX's backend tests.
#pragma once

#include <mini_infer/tensor.h>

#include <string>

namespace mini_infer {

struct NamedTensor {
  std::string name;  // may be empty
  Tensor tensor;
};

// Reads a serialised TensorProto. kNotImplemented for a SequenceProto or an OptionalProto.
Result<NamedTensor> read_tensor_file(const std::string& path);

}  // namespace mini_infer
