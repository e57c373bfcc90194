#include "kernels/movement/params.h"

#include <algorithm>
#include <numeric>

#include "graph/ir/constants.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {

Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  if (axis < -r || axis >= r) {
    return invalid_model("axis ", axis, " is outside [", -r, ",", r - 1, "] for rank ", r);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + r : axis);
}

Result<std::vector<std::size_t>> normalize_axes(const Ints& axes, std::size_t rank) {
  std::vector<std::size_t> out;
  for (const std::int64_t axis : axes) {
    MINI_TRY_ASSIGN(const std::size_t a, normalize_axis(axis, rank));
    if (std::find(out.begin(), out.end(), a) != out.end()) {
      return invalid_model("axes ", axes, " name axis ", a, " twice");
    }
    out.push_back(a);
  }
  return out;
}

Ints all_axes(std::size_t rank) {
  Ints axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Status check_shape(const Shape& shape) {
  const auto bytes = checked_bytes(DType::kComplex128, shape);
  return bytes.ok() ? ok() : bytes.status();
}

Result<IntParam> IntParam::input(const PrepareContext& c, std::size_t i) {
  IntParam param;
  if (!c.has_input(i)) return param;
  param.given_ = true;
  param.index_ = i;
  param.dtype_ = c.dtype(i);
  param.count_ = c.shape(i).elements();
  if (const auto values = c.ints_of(i)) {
    param.values_ = *values;
    return param;
  }
  MINI_TRY(expect_indices(param.dtype_, cat("input ", i)));
  return param;
}

Ints IntParam::read(const KernelContext& k) const {
  if (!given_) return {};
  if (values_) return *values_;
  Ints out(static_cast<std::size_t>(count_));
  for (std::int64_t i = 0; i < count_; ++i) {
    out[static_cast<std::size_t>(i)] = index_at(k.inputs[index_], dtype_, i);
  }
  return out;
}

Status expect_indices(DType dtype, std::string_view what) {
  if (dtype == DType::kInt32 || dtype == DType::kInt64) return ok();
  return invalid_model(what, " has dtype ", dtype_name(dtype), "; it must be int32 or int64");
}

PreparedKernel view_kernel(const PrepareContext& c, const std::string& name) {
  const auto elements = static_cast<std::int64_t>(c.storage_elements(c.shape(0), c.layout(0)));
  const DType dtype = c.dtype(0);
  PreparedKernel kernel;
  kernel.name = name;
  kernel.run = [copy = StridedCopy({{elements, 1, 1}}), dtype](const KernelContext& k) {
    if (k.inputs[0] != k.outputs[0]) copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  kernel.aliases.push_back({.kind = Alias::Kind::kOutputInInput});
  return kernel;
}

Result<Shape> known_output(const PrepareContext& c, std::size_t i) {
  if (c.output(i).shape) return *c.output(i).shape;
  return not_implemented("the shape of output ", i, " depends on data and is not known yet");
}

std::optional<std::int64_t> tracked_elements(const SymShape* shape) {
  if (shape == nullptr) return std::nullopt;
  const Dim elements = shape->elements();
  if (!shape->known() || !elements.known() || elements.value() > kMostContents) return std::nullopt;
  return elements.value();
}

std::optional<std::size_t> tracked_rank(const SymShape* shape) {
  const auto elements = tracked_elements(shape);
  if (!elements || shape->rank() != 1 || *elements < 0) return std::nullopt;
  return static_cast<std::size_t>(*elements);
}

const std::vector<Dim>* tracked_contents(const InferContext& c, std::size_t i) {
  const auto* contents = c.contents(i);
  const auto elements = tracked_elements(c.shape(i));
  if (contents == nullptr || !elements) return nullptr;
  return static_cast<std::int64_t>(contents->size()) == *elements ? contents : nullptr;
}

std::optional<Dim> unify(const Dim& a, const Dim& b) {
  if (a.known() && b.known() && a != b) return std::nullopt;
  if (a.known() || b.made_up()) return a;
  return b.known() || a.made_up() ? b : a;
}

SymShape unknown_shape(const InferContext& c, std::size_t output, std::size_t rank) {
  SymShape shape;
  for (std::size_t i = 0; i < rank; ++i) shape.push_back(c.unknown(output, i));
  return shape;
}

}  // namespace mini_infer
