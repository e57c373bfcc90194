#include "graph/onnx/tensor_reader.h"

#include <algorithm>

#include "graph/ir/text.h"
#include "graph/onnx/tensor_store.h"
#include "graph/onnx/wire.h"

namespace mini_infer {
namespace {

// A SequenceProto and an OptionalProto have the type of their elements in field 2, where a tensor
// has its dtype, and their tensors in fields from 3 on. What a tensor has in field 3 is not used;
// and an empty sequence looks like a number without a value.
bool is_container(std::span<const std::byte> bytes) {
  bool has_type = false, has_dims = false, has_data = false;
  WireReader reader(bytes, 0, bytes.size());
  while (true) {
    const Result<std::optional<WireField>> field = reader.next();
    if (!field.ok()) return false;
    if (!*field) break;
    constexpr std::uint32_t kDims = 1, kType = 2, kFirstElements = 3, kExternal = 13;
    constexpr std::uint32_t kData[] = {4, 5, 6, 7, 9, 10, 11, kExternal};
    const std::uint32_t number = (*field)->number;
    if (number == kFirstElements) return true;
    has_dims = has_dims || number == kDims;
    has_type = has_type || number == kType;
    has_data = has_data || std::find(std::begin(kData), std::end(kData), number) != std::end(kData);
  }
  return !has_data && (!has_dims || !has_type);
}

}  // namespace

Result<NamedTensor> read_tensor_file(const std::string& path) {
  MINI_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file->bytes();
  if (is_container(bytes)) {
    return not_implemented("'", path, "' holds a sequence or an optional, not a tensor");
  }
  // Few bytes as threshold: the payload goes from the file into the tensor.
  Result<std::string> skeleton = cut_tensor_payload(bytes, 4096);
  if (!skeleton.ok()) return std::move(skeleton).status().at(path);
  pb::TensorProto proto;
  if (!proto.ParsePartialFromString(*skeleton)) {
    return invalid_model("'", path, "' is no TensorProto");
  }
  TensorStore store(file, std::filesystem::path(path).parent_path());
  Result<Tensor> tensor = store.read(proto);
  if (!tensor.ok()) return std::move(tensor).status().at(path);
  return NamedTensor{proto.name(), std::move(tensor).value()};
}

}  // namespace mini_infer
