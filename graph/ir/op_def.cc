#include "graph/ir/op_def.h"

#include "graph/ir/constants.h"
#include "graph/ir/text.h"

namespace mini_infer {

template <class T>
const T* AttributeReader::find(std::string_view name) const {
  const auto it = node_.attributes.find(name);
  if (it == node_.attributes.end()) return nullptr;
  const T* value = std::get_if<T>(&it->second);
  if (value == nullptr && status_.ok()) {
    status_ = invalid_model("attribute '", name, "' is of kind ", attribute_kind(it->second),
                            ", it must be ", attribute_kind(Attribute(T())));
  }
  return value;
}

std::int64_t AttributeReader::integer(std::string_view name, std::int64_t fallback) const {
  const auto* value = find<std::int64_t>(name);
  return value != nullptr ? *value : fallback;
}

float AttributeReader::number(std::string_view name, float fallback) const {
  const auto* value = find<float>(name);
  return value != nullptr ? *value : fallback;
}

std::string AttributeReader::string(std::string_view name, std::string_view fallback) const {
  const auto* value = find<std::string>(name);
  return value != nullptr ? *value : std::string(fallback);
}

Ints AttributeReader::ints(std::string_view name, Ints fallback) const {
  const auto* value = find<Ints>(name);
  return value != nullptr ? *value : fallback;
}

Floats AttributeReader::floats(std::string_view name, Floats fallback) const {
  const auto* value = find<Floats>(name);
  return value != nullptr ? *value : fallback;
}

Strings AttributeReader::strings(std::string_view name) const {
  const auto* value = find<Strings>(name);
  return value != nullptr ? *value : Strings{};
}

const Tensor* AttributeReader::tensor(std::string_view name) const { return find<Tensor>(name); }

GraphPtr AttributeReader::graph(std::string_view name) const {
  const auto* value = find<GraphPtr>(name);
  return value != nullptr ? *value : nullptr;
}

const InferInput& InferContext::input(std::size_t i) const {
  static const InferInput missing;
  return i < inputs_.size() ? inputs_[i] : missing;
}

const SymShape* InferContext::shape(std::size_t i) const {
  const InferInput& in = input(i);
  return in.shape ? &*in.shape : nullptr;
}

std::optional<Ints> InferContext::ints_of(std::size_t i) const {
  if (constant(i) != nullptr) return integers(*constant(i));
  if (contents(i) == nullptr) return std::nullopt;
  Ints out;
  for (const Dim& dim : *contents(i)) {
    if (!dim.known()) return std::nullopt;
    out.push_back(dim.value());
  }
  return out;
}

Status InferContext::expect_inputs(std::size_t least, std::size_t most) const {
  if (inputs_.size() > most) {
    return invalid_model("has ", inputs_.size(), " inputs; it takes at most ", most);
  }
  for (std::size_t i = 0; i < least; ++i) {
    if (!has_input(i)) return invalid_model("input ", i, " is missing; it needs ", least);
  }
  return ok();
}

void InferContext::set_output(std::size_t i, DType dtype, std::optional<SymShape> shape) {
  if (i >= outputs_.size()) return;
  outputs_[i].dtype = dtype;
  outputs_[i].shape = std::move(shape);
}

void InferContext::set_contents(std::size_t i, std::vector<Dim> contents) {
  if (i < outputs_.size()) outputs_[i].contents = std::move(contents);
}

Dim InferContext::unknown(std::size_t output, std::size_t axis) const {
  return Dim(cat("?", node().name, ":", output, ":", axis));
}

}  // namespace mini_infer
