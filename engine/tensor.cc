#include <mini_infer/tensor.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>

#include "graph/ir/memory.h"
#include "graph/ir/sequence.h"

namespace mini_infer {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::size_t size;
};
constexpr DTypeRow kDTypes[] = {
    {DType::kFloat32, "float32", 4},
    {DType::kUInt8, "uint8", 1},
    {DType::kInt8, "int8", 1},
    {DType::kUInt16, "uint16", 2},
    {DType::kInt16, "int16", 2},
    {DType::kInt32, "int32", 4},
    {DType::kInt64, "int64", 8},
    {DType::kString, "string", sizeof(std::string)},
    {DType::kBool, "bool", 1},
    {DType::kFloat16, "float16", 2},
    {DType::kFloat64, "float64", 8},
    {DType::kUInt32, "uint32", 4},
    {DType::kUInt64, "uint64", 8},
    {DType::kComplex64, "complex64", 8},
    {DType::kComplex128, "complex128", 16},
    {DType::kBFloat16, "bfloat16", 2},
    {kSequence, "sequence", sizeof(Tensor)},
};

const DTypeRow* find_row(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return &row;
  }
  return nullptr;
}

template <class T>
std::shared_ptr<void> allocate_objects(std::int64_t count) {
  auto objects = std::make_shared<std::vector<T>>(std::max<std::int64_t>(count, 1));
  return {objects, objects->data()};
}

}  // namespace

std::string_view dtype_name(DType dtype) {
  const DTypeRow* row = find_row(dtype);
  return row != nullptr ? row->name : "undefined";
}

DType dtype_from_name(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return DType::kUndefined;
}

std::size_t dtype_size(DType dtype) {
  const DTypeRow* row = find_row(dtype);
  return row != nullptr ? row->size : 0;
}

float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

float to_float(Float16 value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 31;
  const std::uint32_t mantissa = value.bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

Float16 to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<std::uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x477ff000)
    return {static_cast<std::uint16_t>(sign | 0x7c00)};  // rounds past 65504
  if (magnitude <
      0x38800000) {  // below 2^-14: adding 0.5 leaves the rounded subnormal in the low bits
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {
        static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000))};
  }
  const std::uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1) - (112u << 23);
  return {static_cast<std::uint16_t>(sign | (rounded >> 13))};
}

std::int64_t Shape::elements() const { return elements(0, rank()); }

std::int64_t Shape::elements(std::size_t first, std::size_t last) const {
  std::int64_t product = 1;
  for (std::size_t i = first; i < last; ++i) product *= dims_[i];
  return product;
}

std::string Shape::str() const {
  std::string text = "[";
  for (std::size_t i = 0; i < rank(); ++i) text += (i > 0 ? "," : "") + std::to_string(dims_[i]);
  return text + "]";
}

Result<std::size_t> checked_bytes(DType dtype, const Shape& shape) {
  constexpr std::size_t kMost = std::numeric_limits<std::int64_t>::max() / 2;
  std::size_t bytes = dtype_size(dtype);
  bool zero = bytes == 0;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return Status(Code::kInvalidArgument, "shape " + shape.str() + " has a negative extent");
    }
    zero = zero || dim == 0;
  }
  if (zero) return std::size_t{0};
  for (const std::int64_t dim : shape) {
    if (bytes > kMost / static_cast<std::size_t>(dim)) {
      return Status(Code::kResourceExhausted, "a tensor of shape " + shape.str() + " and dtype " +
                                                  std::string(dtype_name(dtype)) +
                                                  " is larger than any memory");
    }
    bytes *= static_cast<std::size_t>(dim);
  }
  return bytes;
}

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  if (has_objects(dtype)) {
    std::shared_ptr<void> objects = dtype == kSequence ? allocate_objects<Tensor>(elements())
                                                       : allocate_objects<std::string>(elements());
    data_ = objects.get();
    owner_ = std::move(objects);
    return;
  }
  std::shared_ptr<void> memory = allocate_zeros(bytes());
  data_ = memory.get();
  owner_ = std::move(memory);
}

Result<Tensor> Tensor::allocate(DType dtype, Shape shape) {
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(dtype, shape));
  try {
    if (has_objects(dtype)) return Tensor(dtype, std::move(shape));
    std::shared_ptr<void> memory = allocate_block(bytes);
    void* data = memory.get();
    return share(dtype, std::move(shape), data, std::move(memory));
  } catch (const std::bad_alloc&) {
    return Status(Code::kResourceExhausted, "out of memory: a tensor of shape " + shape.str() +
                                                " needs " + std::to_string(bytes) + " bytes");
  }
}

Tensor Tensor::view(DType dtype, Shape shape, void* data) {
  return share(dtype, std::move(shape), data, nullptr);
}

Tensor Tensor::share(DType dtype, Shape shape, const void* data,
                     std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.data_ = const_cast<void*>(data);
  tensor.owner_ = std::move(owner);
  return tensor;
}

// Bytes that may be there or not. The recipe is shared by all tensors with the same contents, the
// bytes by copies of one tensor only.
class Tensor::Deferred {
 public:
  struct Recipe {
    std::function<std::shared_ptr<const void>()> whole;
    std::function<std::shared_ptr<const void>(std::size_t, std::size_t)> part;  // or null
  };
  explicit Deferred(std::shared_ptr<const Recipe> recipe) : recipe_(std::move(recipe)) {}

  const std::shared_ptr<const Recipe>& recipe() const { return recipe_; }
  const void* data() const {
    const std::lock_guard lock(mutex_);
    if (bytes_ == nullptr) bytes_ = recipe_->whole();
    return bytes_.get();
  }
  static const Deferred& of(const Tensor& tensor) {
    return *static_cast<const Deferred*>(tensor.owner_.get());
  }
  static Tensor tensor(DType dtype, Shape shape, std::shared_ptr<const Recipe> recipe) {
    return share(dtype, std::move(shape), nullptr, std::make_shared<Deferred>(std::move(recipe)));
  }

 private:
  std::shared_ptr<const Recipe> recipe_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const void> bytes_;
};

Tensor Tensor::defer(DType dtype, Shape shape, std::function<std::shared_ptr<const void>()> make) {
  return Deferred::tensor(
      dtype, std::move(shape),
      std::make_shared<Deferred::Recipe>(Deferred::Recipe{std::move(make), nullptr}));
}

Tensor Tensor::defer_parts(
    DType dtype, Shape shape,
    std::function<std::shared_ptr<const void>(std::size_t, std::size_t)> make) {
  const std::size_t bytes = dtype_size(dtype) * static_cast<std::size_t>(shape.elements());
  auto whole = [make, bytes] { return make(0, bytes); };
  return Deferred::tensor(
      dtype, std::move(shape),
      std::make_shared<Deferred::Recipe>(Deferred::Recipe{std::move(whole), std::move(make)}));
}

Tensor Tensor::rows(std::int64_t first, std::int64_t count) const {
  Shape shape = shape_;
  shape[0] = count;
  const std::size_t row =
      dtype_size(dtype_) * static_cast<std::size_t>(shape_.elements(1, shape_.rank()));
  const std::size_t offset = static_cast<std::size_t>(first) * row;
  if (is_deferred() && Deferred::of(*this).recipe()->part) {
    return defer_parts(
        dtype_, std::move(shape),
        [whole = Deferred::of(*this).recipe(), offset](std::size_t at, std::size_t bytes) {
          return whole->part(offset + at, bytes);
        });
  }
  return share(dtype_, std::move(shape), static_cast<const std::byte*>(data()) + offset, owner_);
}

Tensor Tensor::unread() const {
  return is_deferred() ? Deferred::tensor(dtype_, shape_, Deferred::of(*this).recipe()) : *this;
}

const void* Tensor::deferred_data() const { return Deferred::of(*this).data(); }
const void* Tensor::recipe() const { return Deferred::of(*this).recipe().get(); }

std::size_t Tensor::bytes() const {
  return dtype_size(dtype_) * static_cast<std::size_t>(shape_.elements());
}

Tensor Tensor::reshaped(Shape shape) const {
  assert(shape.elements() == elements());
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor Tensor::clone() const {
  Tensor copy(dtype_, shape_);
  if (dtype_ == kSequence) {
    std::copy_n(static_cast<const Tensor*>(data_), elements(), static_cast<Tensor*>(copy.data_));
  } else if (dtype_ == DType::kString) {
    std::copy_n(static_cast<const std::string*>(data_), elements(),
                static_cast<std::string*>(copy.data_));
  } else if (bytes() > 0) {
    std::memcpy(copy.data_, data(), bytes());
  }
  return copy;
}

}  // namespace mini_infer
