#include "tools/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace mini_infer::tools {
namespace {

Status broken() { return {Code::kInvalidArgument, "its compressed data is broken"}; }

// Ends the stream whatever happens.
struct Stream {
  z_stream z{};
  bool ready = false;
  ~Stream() {
    if (ready) inflateEnd(&z);
  }
};

}  // namespace

Result<std::vector<std::byte>> inflate(std::span<const std::byte> data, std::size_t size) {
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  // No DEFLATE stream grows more than 1032 times (zlib's technical details).
  if (data.size() > kMost || size > kMost || size / 1032 > data.size()) return broken();
  std::vector<std::byte> out(std::max<std::size_t>(size, 1));
  Stream stream;
  constexpr int kRawData = -15;  // no header; the largest window
  if (inflateInit2(&stream.z, kRawData) != Z_OK) {
    return Status(Code::kResourceExhausted, "out of memory");
  }
  stream.ready = true;
  stream.z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.z.avail_in = static_cast<uInt>(data.size());
  stream.z.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.z.avail_out = static_cast<uInt>(size);
  if (::inflate(&stream.z, Z_FINISH) != Z_STREAM_END || stream.z.total_out != size) return broken();
  out.resize(size);
  return out;
}

}  // namespace mini_infer::tools
