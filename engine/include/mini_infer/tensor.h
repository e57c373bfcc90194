// DType, Shape and Tensor: the values that go in and out of a model.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mini_infer {

// Element types, numbered as in ONNX's TensorProto.DataType.
enum class DType : std::uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUInt8 = 2,
  kInt8 = 3,
  kUInt16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUInt32 = 12,
  kUInt64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
};

// "float32", "int64", ...; "undefined" for what is none of them.
std::string_view dtype_name(DType dtype);
// The inverse of dtype_name; kUndefined when there is no such name.
DType dtype_from_name(std::string_view name);
// Bytes of one element (kString: sizeof(std::string)); 0 for kUndefined.
std::size_t dtype_size(DType dtype);

// IEEE half and bfloat16, as bits. Arithmetic happens in float.
struct Float16 {
  std::uint16_t bits = 0;
};
struct BFloat16 {
  std::uint16_t bits = 0;
};
float to_float(Float16 value);
float to_float(BFloat16 value);
Float16 to_float16(float value);    // round to nearest even
BFloat16 to_bfloat16(float value);  // round to nearest even

// The DType of a C++ type.
template <class T>
inline constexpr DType kDTypeOf = DType::kUndefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType kDTypeOf<Float16> = DType::kFloat16;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::kBFloat16;
template <>
inline constexpr DType kDTypeOf<std::int8_t> = DType::kInt8;
template <>
inline constexpr DType kDTypeOf<std::int16_t> = DType::kInt16;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::kInt64;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::kUInt8;
template <>
inline constexpr DType kDTypeOf<std::uint16_t> = DType::kUInt16;
template <>
inline constexpr DType kDTypeOf<std::uint32_t> = DType::kUInt32;
template <>
inline constexpr DType kDTypeOf<std::uint64_t> = DType::kUInt64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::kBool;
template <>
inline constexpr DType kDTypeOf<std::string> = DType::kString;

// Extents of a tensor, outermost first. A scalar has rank 0 and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<std::int64_t> dims) : dims_(std::move(dims)) {}

  std::size_t rank() const { return dims_.size(); }
  std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  std::int64_t& operator[](std::size_t i) { return dims_[i]; }
  const std::vector<std::int64_t>& dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  void push_back(std::int64_t dim) { dims_.push_back(dim); }

  // Product of the extents; 1 for a scalar. The extents must have passed checked_bytes().
  std::int64_t elements() const;
  // Product of the extents in [first, last).
  std::int64_t elements(std::size_t first, std::size_t last) const;
  // "[1,3,224,224]"
  std::string str() const;

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<std::int64_t> dims_;
};

// Bytes a dense tensor needs, or an error when an extent is negative or the product overflows.
Result<std::size_t> checked_bytes(DType dtype, const Shape& shape);

// A dense row-major tensor. Copies share the bytes (clone() does not). Owned bytes are 64-byte
// aligned. Sharing between threads is safe for reading. A default-constructed Tensor is empty:
// dtype kUndefined, no data.
class Tensor {
 public:
  Tensor() = default;
  // Owned and zero-filled. Throws std::bad_alloc; use allocate() for sizes that come from outside.
  Tensor(DType dtype, Shape shape);
  // Owned and uninitialised, except strings; kResourceExhausted when the shape is impossible or
  // memory is out.
  static Result<Tensor> allocate(DType dtype, Shape shape);
  // Bytes that somebody else keeps alive for as long as any copy of this tensor lives.
  static Tensor view(DType dtype, Shape shape, void* data);
  // Bytes kept alive by `owner`.
  static Tensor share(DType dtype, Shape shape, const void* data,
                      std::shared_ptr<const void> owner);
  // Bytes that `make` makes when they are first read, and that are let go with the last copy of the
  // tensor. For weights that can be had again from their file: see unread().
  static Tensor defer(DType dtype, Shape shape, std::function<std::shared_ptr<const void>()> make);
  // The same where `make(offset, bytes)` makes any part of the bytes: rows() then reads no others.
  static Tensor defer_parts(
      DType dtype, Shape shape,
      std::function<std::shared_ptr<const void>(std::size_t offset, std::size_t bytes)> make);
  // A copy of `values`, which must have shape.elements() elements.
  template <class T>
  static Tensor from(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor from(Shape shape, std::initializer_list<T> values) {
    return from<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor from(Shape shape, const std::vector<T>& values) {
    return from<T>(std::move(shape), std::span<const T>(values));
  }
  template <class T>
  static Tensor scalar(T value) {
    return from<T>({}, {value});
  }

  bool empty() const { return dtype_ == DType::kUndefined; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const;

  // Valid as long as any copy of the tensor lives.
  const void* data() const { return is_deferred() ? deferred_data() : data_; }
  void* mutable_data() { return const_cast<void*>(data()); }
  template <class T>
  const T* data() const {
    assert(dtype_ == kDTypeOf<T>);
    return static_cast<const T*>(data());
  }
  template <class T>
  T* mutable_data() {
    assert(dtype_ == kDTypeOf<T>);
    return static_cast<T*>(mutable_data());
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<std::size_t>(elements())};
  }

  // The same bytes under another shape with equally many elements.
  Tensor reshaped(Shape shape) const;
  // Rows first .. first + count - 1 along axis 0, which must exist. Of deferred bytes that can be
  // made in parts: deferred, with bytes of their own; otherwise the same bytes.
  Tensor rows(std::int64_t first, std::int64_t count) const;
  // An owned copy.
  Tensor clone() const;
  // Of deferred bytes: the same tensor, whose bytes will be made anew when they are read. Otherwise
  // a copy.
  Tensor unread() const;
  // The same for tensors with the same bytes, also where these are in memory several times. Nothing
  // else has it while one of them lives.
  const void* identity() const { return is_deferred() ? recipe() : data_; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  class Deferred;
  bool is_deferred() const { return data_ == nullptr && owner_ != nullptr; }
  const void* deferred_data() const;
  const void* recipe() const;

  DType dtype_ = DType::kUndefined;
  Shape shape_;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;  // a Deferred where data_ is null
};

template <class T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  Tensor tensor(kDTypeOf<T>, std::move(shape));
  assert(static_cast<std::int64_t>(values.size()) == tensor.elements());
  T* out = tensor.mutable_data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return tensor;
}

}  // namespace mini_infer
