// Axes and other integers that say how to move: attributes in old opsets, inputs in new ones.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// `axis` counted from the front, or an error when it is outside [-rank, rank-1].
Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank);
// The same for a list, each axis at most once.
Result<std::vector<std::size_t>> normalize_axes(const Ints& axes, std::size_t rank);
// [0, 1, ..., rank-1]
Ints all_axes(std::size_t rank);

// A row-major tensor of `shape` has so many elements; shapes of outputs that are refused where the
// product overflows.
Status check_shape(const Shape& shape);

// Integers from an attribute, or an input that is a constant or comes at run time.
class IntParam {
 public:
  IntParam() = default;  // not given
  explicit IntParam(Ints values) : given_(true), values_(std::move(values)) {}
  // Input `i` of the node; not given where it is left out.
  static Result<IntParam> input(const PrepareContext& c, std::size_t i);

  bool given() const { return given_; }
  // Known before the run.
  bool known() const { return !given_ || values_.has_value(); }
  Ints read(const KernelContext& k) const;

 private:
  bool given_ = false;
  std::optional<Ints> values_;
  std::size_t index_ = 0;
  DType dtype_ = DType::kInt64;
  std::int64_t count_ = 0;
};

// An int32 or int64 tensor of indices.
inline std::int64_t index_at(const void* indices, DType dtype, std::int64_t i) {
  return dtype == DType::kInt32 ? static_cast<const std::int32_t*>(indices)[i]
                                : static_cast<const std::int64_t*>(indices)[i];
}
Status expect_indices(DType dtype, std::string_view what);

// A kernel with the bytes of input 0 as output 0, whatever their shapes.
PreparedKernel view_kernel(const PrepareContext& c, const std::string& name);
// The shape of output `i`, or an error where it is not known before the run.
Result<Shape> known_output(const PrepareContext& c, std::size_t i = 0);

// More contents than this are not tracked.
inline constexpr std::int64_t kMostContents = 1024;
// The number of elements where a shape's extents are known and few enough to track.
std::optional<std::int64_t> tracked_elements(const SymShape* shape);
// The number of elements of a vector that holds a shape, where it is known.
std::optional<std::size_t> tracked_rank(const SymShape* shape);

// Contents of input `i` if the data there has as many elements as its shape says.
const std::vector<Dim>* tracked_contents(const InferContext& c, std::size_t i);

// Where two dims must be equal: the one that tells more, or no value when they clash.
std::optional<Dim> unify(const Dim& a, const Dim& b);
// dims with each unknown to inference: a made-up symbol of this output.
SymShape unknown_shape(const InferContext& c, std::size_t output, std::size_t rank);

}  // namespace mini_infer
