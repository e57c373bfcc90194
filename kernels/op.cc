#include "kernels/op.h"

#include "graph/ir/constants.h"

namespace mini_infer {

const PrepareInput& PrepareContext::input(std::size_t i) const {
  static const PrepareInput missing;
  return i < inputs_.size() ? inputs_[i] : missing;
}

const PrepareOutput& PrepareContext::output(std::size_t i) const {
  static const PrepareOutput missing;
  return i < outputs_.size() ? outputs_[i] : missing;
}

const Shape& PrepareContext::output_shape(std::size_t i) const {
  static const Shape unknown;
  const PrepareOutput& out = output(i);
  return out.shape ? *out.shape : unknown;
}

std::optional<Ints> PrepareContext::ints_of(std::size_t i) const {
  return constant(i) != nullptr ? integers(*constant(i)) : std::nullopt;
}

std::int64_t blocked_elements(const Shape& shape, int block) {
  if (shape.rank() < 2) return shape.elements();
  const std::int64_t blocks = (shape[1] + block - 1) / block;
  return shape[0] * blocks * block * shape.elements(2, shape.rank());
}

std::size_t PrepareContext::storage_elements(const Shape& shape, Layout layout) const {
  return static_cast<std::size_t>(layout == Layout::kBlocked ? blocked_elements(shape, lanes())
                                                             : shape.elements());
}

std::shared_ptr<const PackedBuffer> PrepareContext::packed(
    std::size_t i, const std::string& key, std::size_t bytes,
    FunctionRef<void(std::byte*)> fill) const {
  if (i < is_packed_.size()) is_packed_[i] = true;
  if (environment_.weights != nullptr && constant(i) != nullptr && !input(i).transient) {
    return environment_.weights->get(*constant(i), key, bytes, fill);
  }
  auto buffer = std::make_shared<PackedBuffer>(bytes);
  fill(buffer->mutable_data());
  return buffer;
}

std::shared_ptr<SubgraphRunner> PrepareContext::subgraph(std::string_view attribute) const {
  const GraphPtr body = graph(attribute);
  return body != nullptr && environment_.subgraph ? environment_.subgraph(body) : nullptr;
}

void PrepareContext::warn(const std::string& message) const {
  if (environment_.log) environment_.log(node().str() + ": " + message);
}

}  // namespace mini_infer
