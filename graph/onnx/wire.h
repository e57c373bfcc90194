// protobuf's wire format, as far as it takes to find the big tensors of a model file without
// reading them into memory.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mini_infer {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message: offsets count from the beginning of the file.
struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::size_t begin = 0;    // where its tag starts
  std::size_t payload = 0;  // where its value starts
  std::size_t end = 0;      // one past its last byte
  std::uint64_t varint = 0;
};

// Reads the fields of the message in file[begin, end), one after the other.
class WireReader {
 public:
  WireReader(std::span<const std::byte> file, std::size_t begin, std::size_t end)
      : file_(file), at_(begin), end_(end) {}
  // The next field; no value at the end of the message.
  Result<std::optional<WireField>> next();

 private:
  std::optional<std::uint64_t> varint();
  Status broken(std::size_t at, const std::string& what) const;

  std::span<const std::byte> file_;
  std::size_t at_;
  std::size_t end_;
};

// A copy of a serialised ModelProto in which the contents of each tensor with more than `threshold`
// bytes are left out: its raw_data (which is then present and empty), or its only chunk of
// float_data or double_data. Instead the tensor's `segment` says where in `model` the contents lie.
// ONNX gives `segment` another meaning that no writer uses; a model that has it is refused with
// kNotImplemented.
Result<std::string> cut_payloads(std::span<const std::byte> model, std::size_t threshold);
// The same for a serialised TensorProto.
Result<std::string> cut_tensor_payload(std::span<const std::byte> tensor, std::size_t threshold);

// What comes before the `size` bytes of a length-delimited field.
std::string wire_prefix(std::uint32_t number, std::size_t size);

// The contents of the length-delimited fields `number` among a message's unknown fields.
std::vector<std::string> unknown_fields(const std::string& unknown, std::uint32_t number);

}  // namespace mini_infer
