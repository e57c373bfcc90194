#include "tools/finite.h"

#include <algorithm>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {

FiniteCheck::FiniteCheck(const Graph& graph, const TensorMap& inputs) : ranges_(graph, inputs) {
  for (const auto& [name, tensor] : inputs) note(name, *ranges_.find(name));
}

void FiniteCheck::note(const std::string& name, const ValueRange& range) {
  if (range.severity() > 0 && first_not_finite_.empty()) first_not_finite_ = name;
}

void FiniteCheck::see(const TracedValue& value) {
  const ValueRange seen = ranges_.add(value);
  ++values_;
  if (seen.severity() == 0) return;
  ++not_finite_;
  NotFinite problem{.node = value.step.node,
                    .op = value.step.op,
                    .value = value.name,
                    .range = seen,
                    .inputs = {}};
  int worst_input = 0;
  for (const std::string& input : value.step.inputs) {
    const ValueRange* known = input.empty() ? nullptr : ranges_.find(input);
    if (known == nullptr) continue;
    worst_input = std::max(worst_input, known->severity());
    problem.inputs.emplace_back(input, *known);
    note(input, *known);
  }
  if (!found_ && seen.severity() > worst_input) found_ = std::move(problem);
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
