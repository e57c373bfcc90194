#include "graph/onnx/tensor_reader.h"

#include <algorithm>

#include "graph/ir/text.h"
#include "graph/onnx/tensor_store.h"
#include "graph/onnx/wire.h"

namespace mini_infer {
namespace {

// What the fields of a message say about its type. A SequenceProto and an OptionalProto have a name
// in field 1 where a tensor has its dims, the kind of their elements in field 2 where it has its
// dtype, and elements from field 3 on. Field 3 is of no use in a tensor, and an empty sequence
// looks like a number without a value.
struct Guess {
  bool tensor = true;     // may be a tensor
  bool container = true;  // may be a sequence or an optional
};

Guess look_at(std::span<const std::byte> bytes) {
  constexpr std::uint32_t kDims = 1, kType = 2, kFirstElements = 3, kExternal = 13;
  constexpr std::uint32_t kData[] = {4, 5, 6, 7, 9, 10, 11, kExternal};
  bool type = false, dims = false, name = false, data = false, elements = false;
  WireReader reader(bytes, 0, bytes.size());
  while (true) {
    const Result<std::optional<WireField>> read = reader.next();
    if (!read.ok()) return {.tensor = true, .container = false};
    if (!*read) break;
    const WireField& field = **read;
    dims = dims || field.number == kDims;
    name = name || (field.number == kDims && field.type == WireType::kBytes);
    type = type || (field.number == kType && field.varint != 0);
    elements = elements || field.number == kFirstElements;
    data = data || std::find(std::begin(kData), std::end(kData), field.number) != std::end(kData);
  }
  return {.tensor = !elements && type && (data || dims), .container = name || !dims};
}

}  // namespace

Result<NamedTensor> read_tensor_file(const std::string& path) {
  MINI_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file->bytes();
  const Guess guess = look_at(bytes);
  const auto container = [&] {
    return not_implemented("'", path, "' holds a sequence or an optional, not a tensor");
  };
  if (!guess.tensor) return container();
  // Few bytes as threshold: the payload goes from the file into the tensor.
  Result<std::string> skeleton = cut_tensor_payload(bytes, 4096);
  if (!skeleton.ok()) return std::move(skeleton).status().at(path);
  pb::TensorProto proto;
  if (!proto.ParsePartialFromString(*skeleton)) {
    return invalid_model("'", path, "' is no TensorProto");
  }
  TensorStore store(file, std::filesystem::path(path).parent_path());
  Result<Tensor> tensor = store.read(proto);
  if (!tensor.ok() && guess.container) return container();
  if (!tensor.ok()) return std::move(tensor).status().at(path);
  return NamedTensor{proto.name(), std::move(tensor).value()};
}

}  // namespace mini_infer
