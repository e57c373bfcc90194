// What a convolution reads outside of its input.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mini_infer {

// The modes of ONNX's Pad: zeros, the input mirrored at its first and last element, or these
// elements repeated.
enum class Border : std::uint8_t { kZero, kReflect, kEdge };

// The element of an axis of extent n > 0 that is read at i; -1 where that is zero. Defined for all
// i, though a mirror reaches only n - 1 elements far.
constexpr std::int64_t border_source(Border border, std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return i;
  if (border == Border::kZero) return -1;
  if (border == Border::kReflect) i = i < 0 ? -i : 2 * (n - 1) - i;
  return std::clamp<std::int64_t>(i, 0, n - 1);
}

}  // namespace mini_infer
