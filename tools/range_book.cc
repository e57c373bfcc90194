#include "tools/range_book.h"

namespace mini_infer::tools {

RangeBook::RangeBook(const Graph& graph, const TensorMap& inputs) : graph_(graph) {
  for (std::size_t v = 0; v < graph.value_count(); ++v) {
    const Value& value = graph.value(static_cast<ValueId>(v));
    if (value.is_constant()) constants_.emplace(value.name, static_cast<ValueId>(v));
  }
  for (const auto& [name, tensor] : inputs) ranges_[name] = range_of(tensor);
}

const ValueRange& RangeBook::add(const TracedValue& value) {
  return ranges_[value.name] = range_of(value.tensor);
}

const ValueRange* RangeBook::find(const std::string& name) {
  const auto known = ranges_.find(name);
  if (known != ranges_.end()) return &known->second;
  const auto constant = constants_.find(name);
  if (constant == constants_.end()) return nullptr;
  // A handle of its own: the bytes of a large weight go when they have been looked at.
  const Tensor weight = graph_.value(constant->second).constant.unread();
  return &(ranges_[name] = range_of(weight));
}

}  // namespace mini_infer::tools
