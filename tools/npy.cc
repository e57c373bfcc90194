#include "tools/npy.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <string_view>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

struct DTypeCode {
  std::string_view code;
  DType dtype;
};
// The order matters when writing: the first code of a type is the one written.
constexpr DTypeCode kCodes[] = {
    {"<f4", DType::kFloat32},   {"<f8", DType::kFloat64},     {"<f2", DType::kFloat16},
    {"|i1", DType::kInt8},      {"<i2", DType::kInt16},       {"<i4", DType::kInt32},
    {"<i8", DType::kInt64},     {"|u1", DType::kUInt8},       {"<u2", DType::kUInt16},
    {"<u4", DType::kUInt32},    {"<u8", DType::kUInt64},      {"|b1", DType::kBool},
    {"<c8", DType::kComplex64}, {"<c16", DType::kComplex128}, {"<i1", DType::kInt8},
    {"<u1", DType::kUInt8},     {"<b1", DType::kBool},
};

Status broken(const std::string& what) {
  return {Code::kInvalidArgument, "broken .npy data: " + what};
}

// The dictionary of the header, which is Python text: {'descr': '<f4', 'fortran_order': False,
// 'shape': (3, 4), }
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  // What follows "'key':", without leading blanks; empty when the key is missing.
  std::string_view after(std::string_view key) const {
    for (const char quote : {'\'', '"'}) {
      const std::size_t at = text_.find(quote + std::string(key) + quote);
      if (at == std::string_view::npos) continue;
      std::string_view rest = text_.substr(at + key.size() + 2);
      rest.remove_prefix(std::min(rest.find_first_not_of(" :"), rest.size()));
      return rest;
    }
    return {};
  }

  Result<std::string_view> descr() const {
    const std::string_view rest = after("descr");
    const std::size_t end = rest.size() < 2 ? rest.npos : rest.find(rest[0], 1);
    if (end == rest.npos || (rest[0] != '\'' && rest[0] != '"')) {
      return Status(Code::kInvalidArgument,
                    "the .npy data holds structures; only plain numbers and text can be read");
    }
    return rest.substr(1, end - 1);
  }

  Result<bool> fortran_order() const {
    const std::string_view rest = after("fortran_order");
    if (rest.starts_with("False")) return false;
    if (rest.starts_with("True")) return true;
    return broken("its header has no 'fortran_order'");
  }

  Result<Shape> shape() const {
    std::string_view rest = after("shape");
    if (!rest.starts_with("(")) return broken("its header has no 'shape'");
    Shape shape;
    for (;;) {
      rest.remove_prefix(std::min(rest.find_first_not_of("(, "), rest.size()));
      if (rest.starts_with(")")) return shape;
      std::int64_t dim = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), dim);
      if (error != std::errc() || dim < 0) return broken("its 'shape' is no list of sizes");
      shape.push_back(dim);
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    }
  }

 private:
  std::string_view text_;
};

// Moves elements of `size` bytes from column-major to row-major order.
void transpose_from_fortran(const std::byte* from, std::byte* to, const Shape& shape,
                            std::size_t size) {
  const std::size_t count = static_cast<std::size_t>(shape.elements());
  std::vector<std::int64_t> index(shape.rank(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t at = 0;
    for (std::size_t d = shape.rank(); d-- > 0;) {
      at = at * static_cast<std::size_t>(shape[d]) + static_cast<std::size_t>(index[d]);
    }
    std::memcpy(to + i * size, from + at * size, size);
    for (std::size_t d = shape.rank(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// Text of `width` UTF-32 characters per element, padded with zeros.
Result<Tensor> parse_text(std::span<const std::byte> data, const Shape& shape, std::size_t width) {
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(DType::kString, shape));
  auto* out = tensor.mutable_data<std::string>();
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    for (std::size_t c = 0; c < width; ++c) {
      char32_t character = 0;
      std::memcpy(&character, data.data() + (static_cast<std::size_t>(i) * width + c) * 4, 4);
      if (character != 0) append_utf8(out[i], character);
    }
  }
  return tensor;
}

struct Header {
  std::string_view descr;
  bool fortran = false;
  Shape shape;
  std::span<const std::byte> data;
};

Result<Header> parse_header(std::span<const std::byte> file) {
  if (!is_npy(file)) return broken("it does not begin as such a file");
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(file[i]); };
  if (file.size() < 12) return broken("its header is cut off");
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) return broken(format("unknown version %zu", version));
  const std::size_t start = version == 1 ? 10 : 12;
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > file.size() - start) return broken("its header is cut off");

  const HeaderText text({reinterpret_cast<const char*>(file.data()) + start, length});
  Header header;
  MINI_TRY_ASSIGN(header.descr, text.descr());
  MINI_TRY_ASSIGN(header.fortran, text.fortran_order());
  MINI_TRY_ASSIGN(header.shape, text.shape());
  header.data = file.subspan(start + length);
  return header;
}

Status check_size(const Header& header, std::size_t need) {
  if (header.data.size() == need) return ok();
  return broken(format("%s of '%s' needs %zu bytes of data, the file has %zu",
                       header.shape.str().c_str(), std::string(header.descr).c_str(), need,
                       header.data.size()));
}

std::string header_text(std::string_view descr, const Shape& shape) {
  std::string text = format("{'descr': '%.*s', 'fortran_order': False, 'shape': (",
                            static_cast<int>(descr.size()), descr.data());
  for (const std::int64_t dim : shape) text += std::to_string(dim) + ", ";
  text += "), }";
  constexpr std::size_t kStart = 10, kAlign = 64;
  while ((kStart + text.size() + 1) % kAlign != 0) text += ' ';
  return text + '\n';
}

std::vector<std::byte> assemble(std::string_view descr, const Shape& shape, const void* data,
                                std::size_t size) {
  const std::string text = header_text(descr, shape);
  std::string start(kMagic);
  start += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  start += text;
  std::vector<std::byte> file(start.size() + size);
  std::memcpy(file.data(), start.data(), start.size());
  if (size > 0) std::memcpy(file.data() + start.size(), data, size);
  return file;
}

std::vector<std::byte> format_text(const Tensor& tensor) {
  std::vector<std::u32string> words;
  std::size_t width = 1;
  for (const std::string& word : tensor.values<std::string>()) {
    words.push_back(from_utf8(word));
    width = std::max(width, words.back().size());
  }
  std::u32string all;
  for (std::u32string& word : words) {
    word.resize(width, U'\0');
    all += word;
  }
  return assemble(format("<U%zu", width), tensor.shape(), all.data(), all.size() * 4);
}

}  // namespace

bool is_npy(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() &&
         std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

Result<Tensor> parse_npy(std::span<const std::byte> file) {
  MINI_TRY_ASSIGN(const Header header, parse_header(file));
  if (header.descr.starts_with("<U") && !header.fortran) {
    std::size_t width = 0;
    std::from_chars(header.descr.data() + 2, header.descr.data() + header.descr.size(), width);
    MINI_TRY(checked_bytes(DType::kString, header.shape).status());
    const auto count = static_cast<std::size_t>(header.shape.elements());
    if (width > header.data.size() || (width > 0 && count > header.data.size() / width / 4)) {
      return broken("it ends too early");
    }
    MINI_TRY(check_size(header, count * width * 4));
    return parse_text(header.data, header.shape, width);
  }
  const auto* row = std::find_if(std::begin(kCodes), std::end(kCodes),
                                 [&](const DTypeCode& c) { return c.code == header.descr; });
  if (row == std::end(kCodes)) {
    return Status(
        Code::kInvalidArgument,
        format(
            "cannot read .npy data of type '%s'; little-endian numbers, bool and text can be read",
            std::string(header.descr).c_str()));
  }
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(row->dtype, header.shape));
  MINI_TRY(check_size(header, bytes));
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(row->dtype, header.shape));
  auto* out = static_cast<std::byte*>(tensor.mutable_data());
  if (header.fortran) {
    transpose_from_fortran(header.data.data(), out, header.shape, dtype_size(row->dtype));
  } else if (bytes > 0) {
    std::memcpy(out, header.data.data(), bytes);
  }
  return tensor;
}

Result<std::vector<std::byte>> format_npy(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return format_text(tensor);
  if (tensor.dtype() == DType::kBFloat16) {
    std::vector<float> values;
    for (const BFloat16 value : tensor.values<BFloat16>()) values.push_back(to_float(value));
    return assemble("<f4", tensor.shape(), values.data(), values.size() * sizeof(float));
  }
  for (const DTypeCode& row : kCodes) {
    if (row.dtype == tensor.dtype()) {
      return assemble(row.code, tensor.shape(), tensor.data(), tensor.bytes());
    }
  }
  return Status(Code::kNotImplemented, format("a tensor of type %s cannot be written as .npy",
                                              std::string(dtype_name(tensor.dtype())).c_str()));
}

Status write_npy(const std::string& path, const Tensor& tensor) {
  MINI_TRY_ASSIGN(const std::vector<std::byte> file, format_npy(tensor));
  return write_bytes(path, file.data(), file.size());
}

}  // namespace mini_infer::tools
