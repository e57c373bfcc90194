#include "tools/npz.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "tools/common.h"
#include "tools/inflate.h"
#include "tools/npy.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

Status broken(const std::string& what) {
  return {Code::kInvalidArgument, "it is no .npz file: " + what};
}

// Little-endian numbers of the archive; beyond its end there are zeros.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> file) : file_(file) {}

  std::uint32_t number(std::size_t at, int size) const {
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const std::size_t place = at + static_cast<std::size_t>(i);
      if (place < file_.size()) value |= std::to_integer<std::uint32_t>(file_[place]) << (8 * i);
    }
    return value;
  }
  std::size_t u16(std::size_t at) const { return number(at, 2); }
  std::size_t u32(std::size_t at) const { return number(at, 4); }
  bool has(std::size_t at, std::size_t size) const {
    return at <= file_.size() && size <= file_.size() - at;
  }
  std::span<const std::byte> part(std::size_t at, std::size_t size) const {
    return file_.subspan(at, size);
  }
  std::size_t size() const { return file_.size(); }

 private:
  std::span<const std::byte> file_;
};

// Where the record is that ends an archive (a comment may follow it); no value where there is none.
std::size_t find_end(const Bytes& file) {
  constexpr std::size_t kEnd = 0x06054b50, kEndSize = 22, kLongestComment = 65535;
  if (file.size() < kEndSize) return file.size();
  const std::size_t last = file.size() - kEndSize;
  for (std::size_t back = 0; back <= std::min(last, kLongestComment); ++back) {
    if (file.u32(last - back) == kEnd) return last - back;
  }
  return file.size();
}

struct Entry {
  std::string name;
  std::size_t method = 0, crc = 0, packed = 0, size = 0, local = 0, record = 0;
};

Result<Entry> read_entry(const Bytes& file, std::size_t at) {
  constexpr std::size_t kRecord = 0x02014b50, kRecordSize = 46, kTooLarge = 0xffffffff;
  if (!file.has(at, kRecordSize) || file.u32(at) != kRecord)
    return broken("its list of files is broken");
  Entry entry{.name = "",
              .method = file.u16(at + 10),
              .crc = file.u32(at + 16),
              .packed = file.u32(at + 20),
              .size = file.u32(at + 24),
              .local = file.u32(at + 42)};
  const std::size_t name = file.u16(at + 28);
  entry.record = kRecordSize + name + file.u16(at + 30) + file.u16(at + 32);
  if (!file.has(at, entry.record)) return broken("its list of files is cut off");
  const auto text = file.part(at + kRecordSize, name);
  entry.name.assign(reinterpret_cast<const char*>(text.data()), text.size());
  if ((file.u16(at + 8) & 1) != 0) return broken("it is encrypted");
  if (entry.size == kTooLarge || entry.packed == kTooLarge || entry.local == kTooLarge)
    return broken("it is larger than 4 GB; use a folder of .npy files");
  return entry;
}

std::size_t crc32(std::span<const std::byte> data) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : data) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

Result<std::vector<std::byte>> unpack(const Bytes& file, const Entry& entry) {
  constexpr std::size_t kLocal = 0x04034b50, kLocalSize = 30, kStored = 0, kDeflate = 8;
  if (file.u32(entry.local) != kLocal) return broken("an entry points nowhere");
  const std::size_t start =
      entry.local + kLocalSize + file.u16(entry.local + 26) + file.u16(entry.local + 28);
  if (!file.has(start, entry.packed)) return broken("an entry is cut off");
  const auto data = file.part(start, entry.packed);
  std::vector<std::byte> out;
  if (entry.method == kStored) {
    out.assign(data.begin(), data.end());
  } else if (entry.method == kDeflate) {
    MINI_TRY_ASSIGN(out, inflate(data, entry.size));
  } else {
    return broken(format("method %zu of compression is not known", entry.method));
  }
  if (out.size() != entry.size || crc32(out) != entry.crc) return broken("the checksum is wrong");
  return out;
}

}  // namespace

Result<TensorMap> parse_npz(std::span<const std::byte> data) {
  const Bytes file(data);
  const std::size_t end = find_end(file);
  if (end == file.size()) return broken("it does not end as a ZIP archive");
  TensorMap tensors;
  std::size_t at = file.u32(end + 16), total = 0;
  for (std::size_t i = 0; i < file.u16(end + 10); ++i) {
    MINI_TRY_ASSIGN(const Entry entry, read_entry(file, at));
    at += entry.record;
    total += entry.size;
    if (total > kMaxFileBytes) return broken("its arrays have more than 2 GiB; use a folder");
    Result<std::vector<std::byte>> npy = unpack(file, entry);
    if (!npy.ok()) return npy.status().at("'" + printable(entry.name) + "'");
    Result<Tensor> tensor = parse_npy(*npy);
    if (!tensor.ok()) return tensor.status().at("'" + printable(entry.name) + "'");
    const bool suffix = entry.name.ends_with(".npy");
    tensors[suffix ? entry.name.substr(0, entry.name.size() - 4) : entry.name] = *std::move(tensor);
  }
  return tensors;
}

}  // namespace mini_infer::tools
