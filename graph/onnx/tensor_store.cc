#include "graph/onnx/tensor_store.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <system_error>

#include "graph/ir/constants.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX stores little-endian numbers");

// Most bytes that the dense forms of a model's sparse tensors may take, all together.
constexpr std::size_t kMostSparseBytes = std::size_t{256} << 20;

namespace fs = std::filesystem;

// Names of the element types past bfloat16, which mini-infer lacks.
constexpr const char* kUnsupportedTypes[] = {
    "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",
    "int4",         "float4e2m1",     "float8e8m0", "uint2",          "int2"};
constexpr int kFirstUnsupportedType = 17;

Result<Shape> read_dims(const google::protobuf::RepeatedField<std::int64_t>& dims) {
  Shape shape(std::vector<std::int64_t>(dims.begin(), dims.end()));
  for (const std::int64_t dim : shape) {
    if (dim < 0) return invalid_model("dims ", shape, " hold a negative extent");
  }
  return shape;
}

Status wrong_count(const char* field, std::int64_t count, DType dtype, const Shape& shape,
                   std::int64_t expected) {
  return invalid_model(field, " holds ", count, " values; ", dtype, shape.str(), " needs ",
                       expected);
}

// Elements from one of the typed fields. `per_element` is 2 for complex numbers.
template <class T, class Field>
Result<Tensor> from_field(const char* name, DType dtype, const Shape& shape, const Field& field,
                          std::int64_t per_element = 1) {
  const std::int64_t expected = shape.elements() * per_element;
  if (field.size() != expected) return wrong_count(name, field.size(), dtype, shape, expected);
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(dtype, shape));
  T* out = static_cast<T*>(tensor.mutable_data());
  for (const auto value : field) {
    if constexpr (std::is_same_v<T, bool>) {
      *out++ = value != 0;
    } else {
      *out++ = static_cast<T>(value);
    }
  }
  return tensor;
}

Result<Tensor> from_strings(const pb::TensorProto& proto, const Shape& shape) {
  const std::int64_t expected = shape.elements();
  if (proto.string_data_size() != expected) {
    return wrong_count("string_data", proto.string_data_size(), DType::kString, shape, expected);
  }
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(DType::kString, shape));
  std::copy(proto.string_data().begin(), proto.string_data().end(),
            tensor.mutable_data<std::string>());
  return tensor;
}

Result<Tensor> from_typed_fields(const pb::TensorProto& proto, DType dtype, const Shape& shape) {
  switch (dtype) {
    case DType::kFloat32:
      return from_field<float>("float_data", dtype, shape, proto.float_data());
    case DType::kComplex64:
      return from_field<float>("float_data", dtype, shape, proto.float_data(), 2);
    case DType::kFloat64:
      return from_field<double>("double_data", dtype, shape, proto.double_data());
    case DType::kComplex128:
      return from_field<double>("double_data", dtype, shape, proto.double_data(), 2);
    case DType::kInt64:
      return from_field<std::int64_t>("int64_data", dtype, shape, proto.int64_data());
    case DType::kUInt32:
      return from_field<std::uint32_t>("uint64_data", dtype, shape, proto.uint64_data());
    case DType::kUInt64:
      return from_field<std::uint64_t>("uint64_data", dtype, shape, proto.uint64_data());
    case DType::kInt32:
      return from_field<std::int32_t>("int32_data", dtype, shape, proto.int32_data());
    case DType::kInt16:
      return from_field<std::int16_t>("int32_data", dtype, shape, proto.int32_data());
    case DType::kInt8:
      return from_field<std::int8_t>("int32_data", dtype, shape, proto.int32_data());
    case DType::kUInt8:
      return from_field<std::uint8_t>("int32_data", dtype, shape, proto.int32_data());
    case DType::kBool:
      return from_field<bool>("int32_data", dtype, shape, proto.int32_data());
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:  // as bits
      return from_field<std::uint16_t>("int32_data", dtype, shape, proto.int32_data());
    case DType::kString:
      return from_strings(proto, shape);
    case DType::kUndefined:
      break;
  }
  return invalid_model("no element type");
}

// A bool must be 0 or 1 in memory, whatever the file says.
void normalise_bools(Tensor& tensor) {
  auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_data());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
}

// Alignment that a C++ type of this dtype needs.
std::size_t alignment(DType dtype) {
  const bool complex = dtype == DType::kComplex64 || dtype == DType::kComplex128;
  return dtype_size(dtype) / (complex ? 2 : 1);
}

using FilePointer = std::shared_ptr<const MappedFile>;

// Bytes where the file is mapped; their pages are let go with the last owner.
std::shared_ptr<const void> bytes_in_file(const FilePointer& file, std::size_t offset,
                                          std::size_t bytes) {
  return {file->bytes().data() + offset,
          [file, offset, bytes](const void*) { file->release(offset, bytes); }};
}

// A copy that is aligned as any type needs.
std::shared_ptr<const void> bytes_from_file(const FilePointer& file, std::size_t offset,
                                            std::size_t bytes) {
  return file->copy_out(offset, bytes);
}

Result<std::size_t> read_size(const std::string& key, const std::string& text) {
  std::size_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return invalid_model("external data: ", key, " is '", text, "', which is no size");
  }
  return value;
}

bool has_values(const pb::TensorProto& proto) {
  return proto.float_data_size() > 0 || proto.double_data_size() > 0 ||
         proto.int32_data_size() > 0 || proto.int64_data_size() > 0 ||
         proto.uint64_data_size() > 0 || proto.string_data_size() > 0;
}

}  // namespace

Result<DType> read_dtype(int data_type) {
  if (data_type > 0 && data_type < kFirstUnsupportedType) return static_cast<DType>(data_type);
  const std::size_t index = static_cast<std::size_t>(data_type - kFirstUnsupportedType);
  if (data_type >= kFirstUnsupportedType && index < std::size(kUnsupportedTypes)) {
    return not_implemented("element type ", kUnsupportedTypes[index], " (", data_type,
                           ") is not implemented");
  }
  return invalid_model("element type ", data_type, " is none of ONNX's");
}

Result<Tensor> TensorStore::read(const pb::TensorProto& proto) {
  MINI_TRY_ASSIGN(const DType dtype, read_dtype(proto.data_type()));
  MINI_TRY_ASSIGN(const Shape shape, read_dims(proto.dims()));
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(dtype, shape));
  if (proto.data_location() == pb::TensorProto::EXTERNAL) {
    if (dtype == DType::kString) return invalid_model("strings cannot be external data");
    MINI_TRY_ASSIGN(const Payload payload, external(proto, bytes));
    return from_payload(dtype, shape, payload);
  }
  if (proto.has_segment()) {
    MINI_TRY_ASSIGN(const Payload payload, payload_in_model(proto));
    return from_payload(dtype, shape, payload);
  }
  if (!proto.raw_data().empty() || (proto.has_raw_data() && !has_values(proto))) {
    const Payload payload{std::as_bytes(std::span(proto.raw_data())), nullptr, 0};
    return from_payload(dtype, shape, payload);
  }
  return from_typed_fields(proto, dtype, shape);
}

Result<TensorStore::Payload> TensorStore::payload_in_model(const pb::TensorProto& proto) const {
  const auto begin = static_cast<std::uint64_t>(proto.segment().begin());
  const auto end = static_cast<std::uint64_t>(proto.segment().end());
  if (begin > end || end > model_.size()) {
    return not_implemented("the tensor is stored in segments");
  }
  return Payload{model_.subspan(begin, end - begin), file_, begin};
}

Result<Tensor> TensorStore::from_payload(DType dtype, const Shape& shape,
                                         const Payload& payload) const {
  if (dtype == DType::kString) return invalid_model("strings cannot be raw data");
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(dtype, shape));
  if (payload.bytes.size() != bytes) {
    return invalid_model("the data has ", payload.bytes.size(), " bytes; ", dtype, shape.str(),
                         " needs ", bytes);
  }
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(payload.bytes.data()) % alignment(dtype) == 0;
  // Small tensors are copied so that the file is not kept for their sake.
  constexpr std::size_t kSmall = 4096;
  if (payload.file != nullptr && bytes > kSmall && dtype != DType::kBool) {
    const auto read = aligned ? bytes_in_file : bytes_from_file;
    return Tensor::defer_parts(
        dtype, shape,
        [read, file = payload.file, offset = payload.offset](std::size_t at, std::size_t count) {
          return read(file, offset + at, count);
        });
  }
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(dtype, shape));
  auto* to = static_cast<std::byte*>(tensor.mutable_data());
  if (payload.file != nullptr) {
    payload.file->move_out(payload.offset, bytes, to);
  } else if (bytes > 0) {
    std::memcpy(to, payload.bytes.data(), bytes);
  }
  if (dtype == DType::kBool) normalise_bools(tensor);
  return tensor;
}

Result<TensorStore::Payload> TensorStore::external(const pb::TensorProto& proto,
                                                   std::size_t bytes) {
  std::string location;
  std::size_t offset = 0, length = bytes;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      MINI_TRY_ASSIGN(offset, read_size("offset", entry.value()));
    }
    if (entry.key() == "length") {
      MINI_TRY_ASSIGN(length, read_size("length", entry.value()));
    }
  }
  MINI_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, open_external(location));
  const std::size_t size = file->bytes().size();
  if (offset > size || length > size - offset) {
    return invalid_model("external data '", location, "' has ", size, " bytes; the tensor wants ",
                         length, " from offset ", offset);
  }
  return Payload{file->bytes().subspan(offset, length), file, offset};
}

Result<std::shared_ptr<const MappedFile>> TensorStore::open_external(const std::string& location) {
  const auto known = external_files_.find(location);
  if (known != external_files_.end()) return known->second;
  if (file_ == nullptr) {
    return error(Code::kInvalidArgument, "external data '", location,
                 "' cannot be found for a model in memory; load the model from its file");
  }
  const fs::path path(location);
  const auto outside = [&](const std::string& why) {
    return invalid_model("external data '", location, "' ", why,
                         "; it must lie in the model's folder");
  };
  if (location.empty()) return invalid_model("external data without a location");
  if (location.find('\0') != std::string::npos) return outside("holds a zero byte");
  if (path.is_absolute()) return outside("is an absolute path");
  if (std::find(path.begin(), path.end(), "..") != path.end()) return outside("leads upwards");
  std::error_code failure;
  const fs::path folder = fs::canonical(folder_, failure);
  if (failure) return error(Code::kIo, "cannot read '", folder_.string(), "': ", failure.message());
  const fs::path file = fs::canonical(folder / path, failure);
  if (failure) {
    return error(Code::kIo, "cannot read external data '", location, "': ", failure.message());
  }
  if (std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first != folder.end()) {
    return outside("is a link to another folder");
  }
  MINI_TRY_ASSIGN(std::shared_ptr<const MappedFile> mapped, MappedFile::open(file.string()));
  external_bytes_ += mapped->bytes().size();
  external_files_[location] = mapped;
  return mapped;
}

// values: [nnz]; indices: [nnz] into the flattened tensor, or [nnz][rank].
Result<Tensor> TensorStore::read(const pb::SparseTensorProto& proto) {
  MINI_TRY_ASSIGN(const Shape shape, read_dims(proto.dims()));
  MINI_TRY_ASSIGN(const Tensor values, read(proto.values()));
  MINI_TRY_ASSIGN(const Tensor index_tensor, read(proto.indices()));
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(values.dtype(), shape));
  if (values.dtype() == DType::kString) return not_implemented("sparse tensors of strings");
  if (bytes > kMostSparseBytes - std::min(sparse_bytes_, kMostSparseBytes)) {
    return error(Code::kResourceExhausted, "sparse tensor of shape ", shape,
                 ": the dense forms of a model's sparse tensors may take ", kMostSparseBytes,
                 " bytes together");
  }
  const std::int64_t count = values.elements();
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const bool flat = index_tensor.shape() == Shape{count};
  if (index_tensor.dtype() != DType::kInt64 || values.shape().rank() != 1 ||
      (!flat && index_tensor.shape() != Shape{count, rank})) {
    return invalid_model("sparse tensor: indices are ", index_tensor.dtype(), index_tensor.shape(),
                         "; ", count, " values need int64 [", count, "] or [", count, ",", rank,
                         "]");
  }
  sparse_bytes_ += bytes;
  Tensor dense(values.dtype(), shape);
  const std::size_t size = dtype_size(values.dtype());
  const std::int64_t* index = index_tensor.data<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = flat ? index[i] : 0;
    bool inside = at >= 0 && at < shape.elements();
    for (std::int64_t axis = 0; !flat && axis < rank; ++axis) {
      const std::int64_t coordinate = index[i * rank + axis];
      const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
      inside = inside && coordinate >= 0 && coordinate < extent;
      if (inside) at = at * extent + coordinate;
    }
    if (!inside) return invalid_model("sparse tensor: index ", i, " is outside of ", shape);
    std::memcpy(static_cast<std::byte*>(dense.mutable_data()) + static_cast<std::size_t>(at) * size,
                static_cast<const std::byte*>(values.data()) + static_cast<std::size_t>(i) * size,
                size);
  }
  return dense;
}

}  // namespace mini_infer
