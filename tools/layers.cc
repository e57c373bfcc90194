#include "tools/layers.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

class Layers {
 public:
  explicit Layers(const LayerTask& task) : task_(task), ranges_(task.graph, task.inputs) {}

  Result<LayerReport> run(Reference& reference) {
    for (bool first = true;; first = false) {
      MINI_TRY_ASSIGN(const bool more, reference.next());
      if (!more) break;
      const auto see = [&](const TracedValue& value) { return look(value, reference, first); };
      MINI_TRY(trace_values(task_.session, task_.inputs, see).status());
    }
    std::stable_sort(report_.rows.begin(), report_.rows.end(),
                     [](const LayerRow& a, const LayerRow& b) { return a.step < b.step; });
    MINI_TRY(find_first());
    return std::move(report_);
  }

 private:
  Status look(const TracedValue& value, Reference& reference, bool first) {
    if (first) {
      ranges_.add(value);
      ++report_.values;
    }
    MINI_TRY_ASSIGN(Tensor want, reference.find(value.name));
    if (want.empty()) return ok();
    // Floats of another width are the same numbers: a half-precision model against a float32 one.
    MINI_TRY_ASSIGN(want, as_float_type(want, value.tensor.dtype()));
    LayerRow row{.step = value.index,
                 .node = value.step.node,
                 .op = value.step.op,
                 .kernel = value.step.kernel,
                 .value = value.name,
                 .got = range_of(value.tensor),
                 .want = range_of(want)};
    const ModelInfo& model = task_.session.model();
    Tolerance tolerance = tolerance_for(task_.tolerance, model, want);
    tolerance.atol =
        std::max(tolerance.atol, tolerance_for(task_.tolerance, task_.reference_model, want).atol);
    row.problem = compare(value.tensor, want, tolerance).problem;
    const bool numbers = want.dtype() == value.tensor.dtype() &&
                         want.shape() == value.tensor.shape() && want.dtype() != DType::kString;
    if (numbers) row.difference = measure(value.tensor, want);
    report_.different += row.problem.empty() ? 0 : 1;
    report_.rows.push_back(std::move(row));
    return ok();
  }

  Status find_first() {
    const auto found = std::find_if(report_.rows.begin(), report_.rows.end(),
                                    [](const LayerRow& row) { return !row.problem.empty(); });
    if (found == report_.rows.end()) return ok();
    MINI_TRY_ASSIGN(const PlanInfo plan, plan_for(task_.session, task_.inputs));
    report_.first = FirstDivergence{*found, {}};
    for (const std::string& input : plan.steps[found->step].inputs) {
      const ValueRange* range = input.empty() ? nullptr : ranges_.find(input);
      if (range != nullptr) report_.first->inputs.emplace_back(input, *range);
    }
    return ok();
  }

  const LayerTask& task_;
  RangeBook ranges_;
  LayerReport report_;
};

Json row_json(const LayerRow& row) {
  return {{"node", row.node},
          {"op", row.op},
          {"kernel", row.kernel},
          {"value", row.value},
          {"shape", shape_json(row.got.shape)},
          {"max_abs", row.difference.max_abs},
          {"max_rel", row.difference.max_rel},
          {"cosine", row.difference.cosine},
          {"agrees", row.problem.empty()},
          {"problem", row.problem}};
}

std::string print_first(const FirstDivergence& first) {
  std::string text =
      format("\nfirst diverging node: '%s' (%s, %s): %s\n", printable(first.row.node).c_str(),
             printable(first.row.op).c_str(), first.row.kernel.c_str(), first.row.problem.c_str());
  for (const auto& [name, range] : first.inputs)
    text += "  input     " + range_line(name, range) + '\n';
  text += "  output    " + range_line(first.row.value, first.row.got) + '\n';
  return text + "  expected  " + range_line(first.row.value, first.row.want) + '\n';
}

}  // namespace

Result<LayerReport> compare_layers(const LayerTask& task, Reference& reference) {
  return Layers(task).run(reference);
}

std::string print_layers(const LayerReport& report) {
  Table table({4, 5, 6});
  table.add({"  ", "node", "op", "value", "max abs", "max rel", "cosine"});
  for (const LayerRow& row : report.rows) {
    const bool first = report.first && report.first->row.value == row.value;
    table.add({first                 ? ">>"
               : row.problem.empty() ? "  "
                                     : " >",
               printable(row.node), printable(row.op), printable(row.value),
               format("%.3g", row.difference.max_abs), format("%.3g", row.difference.max_rel),
               format("%.9g", row.difference.cosine)});
  }
  std::string text = table.str();
  if (report.first) text += print_first(*report.first);
  return text + format("\n%zu of %zu values compared, %zu differ\n", report.rows.size(),
                       report.values, report.different);
}

Json layers_json(const LayerReport& report) {
  Json json = {{"values", report.values},
               {"compared", report.rows.size()},
               {"different", report.different},
               {"first", nullptr},
               {"rows", Json::array()}};
  for (const LayerRow& row : report.rows) json["rows"].push_back(row_json(row));
  if (!report.first) return json;
  Json first = row_json(report.first->row);
  first["inputs"] = Json::array();
  for (const auto& [name, range] : report.first->inputs)
    first["inputs"].push_back(range_json(name, range));
  first["output"] = range_json(report.first->row.value, report.first->row.got);
  first["expected"] = range_json(report.first->row.value, report.first->row.want);
  json["first"] = std::move(first);
  return json;
}

}  // namespace mini_infer::tools
