#include "graph/onnx/wire.h"

#include <limits>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

using Bytes = std::span<const std::byte>;

// Graphs inside graphs. protobuf itself stops at 100 messages, and a graph takes three.
constexpr int kMostNestedGraphs = 24;

// The messages that lead to tensors, and which of their fields do.
enum class Message { kModel, kGraph, kNode, kAttribute, kFunction, kSparseTensor, kTensor };
struct Child {
  Message parent;
  std::uint32_t field;
  Message message;
};
constexpr Child kChildren[] = {
    {Message::kModel, 7, Message::kGraph},
    {Message::kModel, 25, Message::kFunction},
    {Message::kFunction, 7, Message::kNode},
    {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},
    {Message::kGraph, 15, Message::kSparseTensor},
    {Message::kNode, 5, Message::kAttribute},
    {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},
    {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},
    {Message::kAttribute, 22, Message::kSparseTensor},
    {Message::kAttribute, 23, Message::kSparseTensor},
    {Message::kSparseTensor, 1, Message::kTensor},
    {Message::kSparseTensor, 2, Message::kTensor},
};
// Training information is of no use here.
constexpr std::uint32_t kTrainingInfo = 20;

// Fields of TensorProto.
constexpr std::uint32_t kDataType = 2, kSegment = 3, kFloatData = 4, kRawData = 9, kDoubleData = 10;

const Child* find_child(Message parent, std::uint32_t field) {
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.field == field) return &child;
  }
  return nullptr;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7f) | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_tag(std::string& out, std::uint32_t field, WireType type) {
  put_varint(out, (std::uint64_t{field} << 3) | static_cast<std::uint64_t>(type));
}

void put_bytes(std::string& out, std::uint32_t field, const std::string& bytes) {
  out += wire_prefix(field, bytes.size());
  out += bytes;
}

// Copies a model without its big payloads.
class Cutter {
 public:
  Cutter(Bytes file, std::size_t threshold) : file_(file), threshold_(threshold) {}

  Result<std::string> message(Message kind, std::size_t begin, std::size_t end, int graphs) {
    if (kind == Message::kTensor) return tensor(begin, end);
    if (kind == Message::kGraph && ++graphs > kMostNestedGraphs) {
      return not_implemented("graphs are nested deeper than ", kMostNestedGraphs, " levels");
    }
    std::string out;
    WireReader reader(file_, begin, end);
    while (true) {
      MINI_TRY_ASSIGN(const std::optional<WireField> field, reader.next());
      if (!field) return out;
      if (kind == Message::kModel && field->number == kTrainingInfo) continue;
      const Child* child = find_child(kind, field->number);
      if (child == nullptr || field->type != WireType::kBytes) {
        copy(*field, out);
        continue;
      }
      MINI_TRY_ASSIGN(const std::string inner,
                      message(child->message, field->payload, field->end, graphs));
      put_bytes(out, field->number, inner);
    }
  }

  Result<std::string> tensor(std::size_t begin, std::size_t end) {
    MINI_TRY_ASSIGN(const std::optional<WireField> payload, find_payload(begin, end));
    std::string out;
    WireReader reader(file_, begin, end);
    while (true) {
      MINI_TRY_ASSIGN(const std::optional<WireField> field, reader.next());
      if (!field) break;
      const bool cut = payload && field->number == payload->number;
      if (!cut) copy(*field, out);
    }
    if (payload) {
      std::string segment;
      put_tag(segment, 1, WireType::kVarint);
      put_varint(segment, payload->payload);
      put_tag(segment, 2, WireType::kVarint);
      put_varint(segment, payload->end);
      put_bytes(out, kSegment, segment);
      if (payload->number == kRawData) put_bytes(out, kRawData, "");
    }
    return out;
  }

 private:
  bool small(const WireField& field) const { return field.end - field.payload <= threshold_; }

  void copy(const WireField& field, std::string& out) const {
    out.append(reinterpret_cast<const char*>(file_.data()) + field.begin, field.end - field.begin);
  }

  // The field of a tensor whose contents are worth cutting out.
  Result<std::optional<WireField>> find_payload(std::size_t begin, std::size_t end) {
    std::optional<WireField> raw, floats, doubles;
    int float_chunks = 0, double_chunks = 0;
    std::uint64_t dtype = 0;
    WireReader reader(file_, begin, end);
    while (true) {
      MINI_TRY_ASSIGN(const std::optional<WireField> field, reader.next());
      if (!field) break;
      const bool is_bytes = field->type == WireType::kBytes;
      if (field->number == kSegment) return not_implemented("a tensor is stored in segments");
      if (field->number == kDataType) dtype = field->varint;
      if (field->number == kRawData && is_bytes) raw = field;
      if (field->number == kFloatData) floats = field, float_chunks += is_bytes ? 1 : 2;
      if (field->number == kDoubleData) doubles = field, double_chunks += is_bytes ? 1 : 2;
    }
    constexpr std::uint64_t kFloat = 1, kDouble = 11, kComplex64 = 14, kComplex128 = 15;
    std::optional<WireField> found;
    if (raw) {
      found = raw;
    } else if (float_chunks == 1 && (dtype == kFloat || dtype == kComplex64)) {
      found = floats;
    } else if (double_chunks == 1 && (dtype == kDouble || dtype == kComplex128)) {
      found = doubles;
    }
    if (found && small(*found)) found.reset();
    return found;
  }

  Bytes file_;
  std::size_t threshold_;
};

}  // namespace

std::optional<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 70 && at_ < end_; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(file_[at_++]);
    if (shift < 64) value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

Status WireReader::broken(std::size_t at, const std::string& what) const {
  return invalid_model("not a readable ONNX file: ", what, " at byte ", at, " of ", file_.size());
}

Result<std::optional<WireField>> WireReader::next() {
  if (at_ == end_) return std::optional<WireField>();
  WireField field;
  field.begin = at_;
  const auto ends_early = [&](std::size_t at) {
    return end_ == file_.size()
               ? invalid_model("the file is truncated: it ends at byte ", end_, " inside a field")
               : broken(at, "a field that is larger than its message");
  };
  const std::optional<std::uint64_t> tag = varint();
  if (!tag) return at_ == end_ ? ends_early(field.begin) : broken(field.begin, "a bad number");
  const std::uint64_t number = *tag >> 3;
  if (number == 0 || number > std::numeric_limits<std::int32_t>::max()) {
    return broken(field.begin, cat("field number ", number));
  }
  field.number = static_cast<std::uint32_t>(number);
  field.type = static_cast<WireType>(*tag & 7);
  std::uint64_t size = 0;
  switch (field.type) {
    case WireType::kVarint: {
      field.payload = at_;
      const std::optional<std::uint64_t> value = varint();
      if (!value) return at_ == end_ ? ends_early(field.begin) : broken(at_, "a bad number");
      field.varint = *value;
      field.end = at_;
      return std::optional(field);
    }
    case WireType::kFixed64:
      size = 8;
      break;
    case WireType::kFixed32:
      size = 4;
      break;
    case WireType::kBytes: {
      const std::optional<std::uint64_t> length = varint();
      if (!length) return at_ == end_ ? ends_early(field.begin) : broken(at_, "a bad length");
      size = *length;
      break;
    }
    default:
      return broken(field.begin, cat("wire type ", *tag & 7));
  }
  field.payload = at_;
  if (size > end_ - at_) {
    if (size > file_.size() - at_) {
      return invalid_model("the file is truncated: a field at byte ", field.begin, " needs ", size,
                           " bytes, ", file_.size() - at_, " are left");
    }
    return broken(field.begin, "a field that is larger than its message");
  }
  at_ += static_cast<std::size_t>(size);
  field.end = at_;
  return std::optional(field);
}

Result<std::string> cut_payloads(Bytes model, std::size_t threshold) {
  return Cutter(model, threshold).message(Message::kModel, 0, model.size(), 0);
}

Result<std::string> cut_tensor_payload(Bytes tensor, std::size_t threshold) {
  return Cutter(tensor, threshold).tensor(0, tensor.size());
}

std::string wire_prefix(std::uint32_t number, std::size_t size) {
  std::string bytes;
  put_tag(bytes, number, WireType::kBytes);
  put_varint(bytes, size);
  return bytes;
}

std::vector<std::string> unknown_fields(const std::string& unknown, std::uint32_t number) {
  std::vector<std::string> found;
  const Bytes bytes = std::as_bytes(std::span(unknown));
  WireReader reader(bytes, 0, bytes.size());
  while (true) {
    const Result<std::optional<WireField>> field = reader.next();
    if (!field.ok() || !*field) return found;
    if ((*field)->number == number && (*field)->type == WireType::kBytes) {
      found.push_back(unknown.substr((*field)->payload, (*field)->end - (*field)->payload));
    }
  }
}

}  // namespace mini_infer
