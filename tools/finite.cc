#include "tools/finite.h"

#include <algorithm>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {

FiniteCheck::FiniteCheck(const Graph& graph, const TensorMap& inputs) : graph_(graph) {
  for (std::size_t v = 0; v < graph.value_count(); ++v) {
    const Value& value = graph.value(static_cast<ValueId>(v));
    if (value.is_constant()) constants_.emplace(value.name, static_cast<ValueId>(v));
  }
  for (const auto& [name, tensor] : inputs) {
    ranges_[name] = range_of(tensor);
    if (ranges_[name].severity() > 0 && first_not_finite_.empty()) first_not_finite_ = name;
  }
}

// nullptr for a value that the file does not name, such as a half-precision weight made float32.
const ValueRange* FiniteCheck::range(const std::string& name) {
  const auto known = ranges_.find(name);
  if (known != ranges_.end()) return &known->second;
  const auto constant = constants_.find(name);
  if (constant == constants_.end()) return nullptr;
  // A handle of its own: the bytes of a large weight go when they have been looked at.
  const Tensor weight = graph_.value(constant->second).constant.unread();
  return &(ranges_[name] = range_of(weight));
}

void FiniteCheck::see(const TracedValue& value) {
  ValueRange seen = range_of(value.tensor);
  ++values_;
  if (seen.severity() > 0) {
    ++not_finite_;
    NotFinite problem{.node = value.step.node,
                      .op = value.step.op,
                      .value = value.name,
                      .range = seen,
                      .inputs = {}};
    int worst_input = 0;
    for (const std::string& input : value.step.inputs) {
      const ValueRange* known = input.empty() ? nullptr : range(input);
      if (known == nullptr) continue;
      worst_input = std::max(worst_input, known->severity());
      problem.inputs.emplace_back(input, *known);
      if (known->severity() > 0 && first_not_finite_.empty()) first_not_finite_ = input;
    }
    if (!found_ && seen.severity() > worst_input) found_ = std::move(problem);
  }
  ranges_[value.name] = std::move(seen);
}

Status FiniteCheck::verdict() const {
  if (!found_) return ok();
  return {Code::kInvalidModel,
          format("node '%s' (%s) is the first whose output is not finite although its inputs are",
                 printable(found_->node).c_str(), printable(found_->op).c_str())};
}

std::string FiniteCheck::text() const {
  if (not_finite_ == 0) return format("all %zu values are finite\n", values_);
  if (!found_) {
    return format(
        "%zu of %zu values are not finite; it begins with '%s', which is not made by a node\n",
        not_finite_, values_, printable(first_not_finite_).c_str());
  }
  const NotFinite& first = *found_;
  std::string text = "not finite\n";
  text += "  output  " + range_line(first.value, first.range) + '\n';
  for (const auto& [name, input] : first.inputs)
    text += "  input   " + range_line(name, input) + '\n';
  return text;
}

Json FiniteCheck::json() const {
  Json json = {{"values", values_}, {"not_finite", not_finite_}, {"first", nullptr}};
  if (!found_) return json;
  json["first"] = {{"node", found_->node},
                   {"op", found_->op},
                   {"output", range_json(found_->value, found_->range)},
                   {"inputs", Json::array()}};
  for (const auto& [name, input] : found_->inputs) {
    json["first"]["inputs"].push_back(range_json(name, input));
  }
  return json;
}

}  // namespace mini_infer::tools
