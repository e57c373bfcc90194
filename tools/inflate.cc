#include "tools/inflate.h"

#include <array>
#include <cstdint>

namespace mini_infer::tools {
namespace {

Status broken() { return {Code::kInvalidArgument, "its compressed data is broken"}; }

constexpr int kLongestCode = 15;

// A canonical Huffman code (RFC 1951, 3.2.2): how many codes of each length, and the symbols in the
// order of their codes.
class Huffman {
 public:
  explicit Huffman(std::span<const std::uint8_t> lengths) : symbols_(lengths.size()) {
    for (const std::uint8_t length : lengths) ++counts_[length];
    counts_[0] = 0;
    std::array<int, kLongestCode + 2> next{};
    for (std::size_t l = 1; l <= kLongestCode; ++l) next[l + 1] = next[l] + counts_[l];
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      if (lengths[s] > 0)
        symbols_[static_cast<std::size_t>(next[lengths[s]]++)] = static_cast<int>(s);
    }
  }

  // The symbol of the next code, -1 for none; `bit` reads a bit, negative at the end.
  template <class Bit>
  int decode(Bit&& bit) const {
    int code = 0, first = 0, index = 0;
    for (std::size_t l = 1; l <= kLongestCode; ++l) {
      const int next = bit();
      if (next < 0) return -1;
      code |= next;
      if (code - counts_[l] < first)
        return symbols_[static_cast<std::size_t>(index + code - first)];
      index += counts_[l];
      first = (first + counts_[l]) << 1;
      code <<= 1;
    }
    return -1;
  }

 private:
  std::array<int, kLongestCode + 1> counts_{};
  std::vector<int> symbols_;
};

class Inflater {
 public:
  Inflater(std::span<const std::byte> data, std::size_t size) : data_(data), size_(size) {
    out_.reserve(size);
  }

  Result<std::vector<std::byte>> run() {
    for (bool last = false; !last;) {
      const int header = bits(3);
      if (header < 0) return broken();
      last = (header & 1) != 0;
      const bool fine = header >> 1 == 0   ? stored()
                        : header >> 1 == 1 ? fixed()
                        : header >> 1 == 2 ? dynamic()
                                           : false;
      if (!fine) return broken();
    }
    if (out_.size() != size_) return broken();
    return std::move(out_);
  }

 private:
  int bit() {
    if (at_ / 8 >= data_.size()) return -1;
    const int value = std::to_integer<int>(data_[at_ / 8]) >> (at_ % 8) & 1;
    ++at_;
    return value;
  }
  // `count` bits, the first the lowest; negative at the end of the data.
  int bits(int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      const int next = bit();
      if (next < 0) return -1;
      value |= next << i;
    }
    return value;
  }
  bool put(std::byte value) {
    if (out_.size() == size_) return false;
    out_.push_back(value);
    return true;
  }

  bool stored() {
    at_ = (at_ + 7) / 8 * 8;
    const int length = bits(16), check = bits(16);
    if (length < 0 || check < 0 || (length ^ 0xffff) != check) return false;
    for (int i = 0; i < length; ++i) {
      const int value = bits(8);
      if (value < 0 || !put(static_cast<std::byte>(value))) return false;
    }
    return true;
  }

  bool fixed() {
    std::array<std::uint8_t, 288> lengths{};
    for (std::size_t s = 0; s < lengths.size(); ++s)
      lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    std::array<std::uint8_t, 30> distances{};
    distances.fill(5);
    return symbols(Huffman(lengths), Huffman(distances));
  }

  bool dynamic() {
    const int literals = bits(5) + 257, distances = bits(5) + 1, codes = bits(4) + 4;
    if (literals < 257 || distances < 1 || codes < 4) return false;
    static constexpr std::array<std::uint8_t, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
    std::array<std::uint8_t, 19> code_lengths{};
    for (std::size_t i = 0; i < static_cast<std::size_t>(codes); ++i) {
      const int length = bits(3);
      if (length < 0) return false;
      code_lengths[kOrder[i]] = static_cast<std::uint8_t>(length);
    }
    std::vector<std::uint8_t> lengths;
    if (!read_lengths(Huffman(code_lengths), static_cast<std::size_t>(literals + distances),
                      lengths))
      return false;
    const std::span<const std::uint8_t> all(lengths);
    return symbols(Huffman(all.first(static_cast<std::size_t>(literals))),
                   Huffman(all.subspan(static_cast<std::size_t>(literals))));
  }

  // Lengths of codes, themselves coded: 16 repeats the last, 17 and 18 are runs of zeros.
  bool read_lengths(const Huffman& code, std::size_t count, std::vector<std::uint8_t>& lengths) {
    while (lengths.size() < count) {
      const int symbol = code.decode([&] { return bit(); });
      if (symbol < 0 || (symbol == 16 && lengths.empty())) return false;
      if (symbol < 16) {
        lengths.push_back(static_cast<std::uint8_t>(symbol));
        continue;
      }
      const std::uint8_t value = symbol == 16 ? lengths.back() : std::uint8_t{0};
      const int extra = bits(symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
      if (extra < 0) return false;
      const auto times = static_cast<std::size_t>(extra + (symbol == 18 ? 11 : 3));
      if (times > count - lengths.size()) return false;
      lengths.insert(lengths.end(), times, value);
    }
    return true;
  }

  bool symbols(const Huffman& literals, const Huffman& distances) {
    for (;;) {
      const int symbol = literals.decode([&] { return bit(); });
      if (symbol < 0 || symbol > 285) return false;
      if (symbol == 256) return true;
      if (symbol < 256) {
        if (!put(static_cast<std::byte>(symbol))) return false;
      } else if (!copy(symbol - 257, distances)) {
        return false;
      }
    }
  }

  // A copy of bytes that are there already (RFC 1951, 3.2.5).
  bool copy(int symbol, const Huffman& distances) {
    const int length_bits = symbol < 8 || symbol == 28 ? 0 : symbol / 4 - 1;
    const int length_extra = bits(length_bits);
    const int length = symbol == 28 ? 258
                       : symbol < 8 ? symbol + 3
                                    : ((4 + symbol % 4) << length_bits) + 3 + length_extra;
    const int code = distances.decode([&] { return bit(); });
    if (code < 0 || code > 29) return false;
    const int distance_bits = code < 4 ? 0 : code / 2 - 1;
    const int distance_extra = bits(distance_bits);
    const int distance =
        code < 4 ? code + 1 : ((2 + code % 2) << distance_bits) + 1 + distance_extra;
    if (length_extra < 0 || distance_extra < 0) return false;
    if (static_cast<std::size_t>(distance) > out_.size()) return false;
    for (int i = 0; i < length; ++i) {
      if (!put(out_[out_.size() - static_cast<std::size_t>(distance)])) return false;
    }
    return true;
  }

  std::span<const std::byte> data_;
  std::size_t size_;
  std::size_t at_ = 0;  // in bits
  std::vector<std::byte> out_;
};

}  // namespace

Result<std::vector<std::byte>> inflate(std::span<const std::byte> data, std::size_t size) {
  // DEFLATE cannot make more than 258 bytes of two bits.
  if (size / 1032 > data.size()) return broken();
  return Inflater(data, size).run();
}

}  // namespace mini_infer::tools
