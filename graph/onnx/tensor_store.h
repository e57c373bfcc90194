// Tensors of a model from their protobuf form: every encoding, checked.
#pragma once

#include <mini_infer/tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "graph/onnx/mapped_file.h"
#include "graph/onnx/proto.h"

namespace mini_infer {

// Where the bytes of a model's tensors are. Large tensors are read when they are first needed: they
// share a mapped file where their alignment allows it, and copy otherwise.
class TensorStore {
 public:
  // A model in a file: `file` is its contents, `folder` where external data may lie.
  TensorStore(std::shared_ptr<const MappedFile> file, std::filesystem::path folder)
      : file_(std::move(file)), model_(file_->bytes()), folder_(std::move(folder)) {}
  // A model in memory, which must live as long as the store; no external data.
  explicit TensorStore(std::span<const std::byte> model) : model_(model) {}

  // A message whose segment was put there by cut_payloads() refers to the model's bytes.
  Result<Tensor> read(const pb::TensorProto& proto);
  // Dense.
  Result<Tensor> read(const pb::SparseTensorProto& proto);

  // Bytes of all external files that were opened.
  std::size_t external_bytes() const { return external_bytes_; }

 private:
  struct Payload {
    std::span<const std::byte> bytes;
    std::shared_ptr<const MappedFile> file;  // nullptr: the bytes must be copied
    std::size_t offset = 0;                  // of bytes in file
  };

  Result<Payload> payload_in_model(const pb::TensorProto& proto) const;
  Result<Payload> external(const pb::TensorProto& proto, std::size_t bytes);
  Result<std::shared_ptr<const MappedFile>> open_external(const std::string& location);
  Result<Tensor> from_payload(DType dtype, const Shape& shape, const Payload& payload) const;

  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> model_;
  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> external_files_;
  std::size_t external_bytes_ = 0;
  std::size_t sparse_bytes_ = 0;  // of all dense copies of sparse tensors so far
};

// kUndefined with an error for types that mini-infer lacks or ONNX does not have.
Result<DType> read_dtype(int data_type);

}  // namespace mini_infer
