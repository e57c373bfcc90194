// cat("a", 1, shape): the arguments as one string, for messages and names.
#pragma once

#include <mini_infer/tensor.h>

#include <sstream>
#include <string>
#include <vector>

namespace mini_infer {

namespace text_internal {
inline void put(std::ostringstream& out, const Shape& shape) { out << shape.str(); }
inline void put(std::ostringstream& out, DType dtype) { out << dtype_name(dtype); }
template <class T>
void put(std::ostringstream& out, const T& value) {
  out << value;
}
template <class T>
void put(std::ostringstream& out, const std::vector<T>& values) {
  out << '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out << ',';
    put(out, values[i]);
  }
  out << ']';
}
}  // namespace text_internal

template <class... Args>
std::string cat(const Args&... args) {
  std::ostringstream out;
  (text_internal::put(out, args), ...);
  return out.str();
}

// Status(code, cat(args...)), the short way to write an error.
template <class... Args>
Status error(Code code, const Args&... args) {
  return Status(code, cat(args...));
}
template <class... Args>
Status invalid_model(const Args&... args) {
  return Status(Code::kInvalidModel, cat(args...));
}
template <class... Args>
Status not_implemented(const Args&... args) {
  return Status(Code::kNotImplemented, cat(args...));
}

}  // namespace mini_infer
