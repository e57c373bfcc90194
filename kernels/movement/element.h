// Elements as things to move: a C++ type for every element size, and strings.
#pragma once

#include <mini_infer/tensor.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace mini_infer {

struct Bytes16 {
  std::uint64_t low, high;
};

// Calls f.template operator()<T>() with a type as large as an element of `dtype`, std::string for
// strings, and returns what it returns.
template <class F>
auto dispatch_element(DType dtype, F&& f) {
  if (dtype == DType::kString) return f.template operator()<std::string>();
  switch (dtype_size(dtype)) {
    case 1:
      return f.template operator()<std::uint8_t>();
    case 2:
      return f.template operator()<std::uint16_t>();
    case 4:
      return f.template operator()<std::uint32_t>();
    case 8:
      return f.template operator()<std::uint64_t>();
    default:
      return f.template operator()<Bytes16>();
  }
}

// Copies `count` neighbouring elements; the ranges do not overlap.
template <class T>
void copy_run(const T* from, T* to, std::int64_t count) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    if (count > 0) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else {
    std::copy_n(from, count, to);
  }
}

// `offset` elements behind `data`.
inline const void* element_at(const void* data, DType dtype, std::int64_t offset) {
  return static_cast<const std::byte*>(data) +
         offset * static_cast<std::int64_t>(dtype_size(dtype));
}
inline void* element_at(void* data, DType dtype, std::int64_t offset) {
  return static_cast<std::byte*>(data) + offset * static_cast<std::int64_t>(dtype_size(dtype));
}

}  // namespace mini_infer
