#include "engine/input_check.h"

#include <map>
#include <set>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

std::string names_of(const std::vector<ValueInfo>& values) {
  std::string names;
  for (const ValueInfo& value : values) names += (names.empty() ? "'" : ", '") + value.name + "'";
  return names.empty() ? "none" : names;
}

std::string check_input(const ValueInfo& wanted, const Tensor& given) {
  if (given.empty())
    return cat("input '", wanted.name, "' is an empty tensor; give it a ", wanted.dtype,
               wanted.shape_str());
  const bool dtype = wanted.dtype == DType::kUndefined || wanted.dtype == given.dtype();
  bool shape = !wanted.dims || wanted.dims->size() == given.shape().rank();
  for (std::size_t i = 0; shape && wanted.dims && i < given.shape().rank(); ++i) {
    const std::int64_t extent = (*wanted.dims)[i].value;
    shape = given.shape()[i] >= 0 && (extent < 0 || extent == given.shape()[i]);
  }
  if (!dtype)
    return cat("input '", wanted.name, "' has dtype ", given.dtype(), "; the model expects ",
               wanted.dtype);
  if (!shape)
    return cat("input '", wanted.name, "' has shape ", given.shape(), "; the model expects ",
               wanted.shape_str());
  return "";
}

struct Missing {
  std::map<std::pair<std::string, std::string>, std::string> first_node;  // by domain and type
  std::vector<std::pair<std::string, std::string>> order;
};

void find_missing(const Graph& graph, const OpLookup& ops, Missing& missing) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    // Only passes make internal nodes: what their kernels rely on cannot be taken from a file.
    if (node.domain == kInternalDomain ||
        ops.find(node.domain, node.op_type, node.opset) == nullptr) {
      const std::pair key(node.domain, node.op_type);
      if (missing.first_node.emplace(key, node.name).second) missing.order.push_back(key);
    }
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* body = std::get_if<GraphPtr>(&attribute)) find_missing(**body, ops, missing);
      if (const auto* bodies = std::get_if<std::vector<GraphPtr>>(&attribute)) {
        for (const GraphPtr& each : *bodies) find_missing(*each, ops, missing);
      }
    }
  }
}

std::vector<std::string> value_names(const Plan& plan, const std::vector<ValueId>& values) {
  std::vector<std::string> names;
  for (const ValueId id : values) {
    names.push_back(id == kNoValue ? "" : plan.slots[static_cast<std::size_t>(id)].name);
  }
  return names;
}

}  // namespace

std::string ValueInfo::shape_str() const {
  if (!dims) return "[?]";
  std::string text = "[";
  for (std::size_t i = 0; i < dims->size(); ++i) {
    const DimInfo& dim = (*dims)[i];
    text += i > 0 ? "," : "";
    text += dim.value >= 0 ? std::to_string(dim.value) : dim.name.empty() ? "?" : dim.name;
  }
  return text + "]";
}

Result<std::vector<Tensor>> order_inputs(const std::vector<ValueInfo>& wanted,
                                         const TensorMap& given) {
  std::string problems;
  std::set<std::string> known;
  std::vector<Tensor> ordered;
  for (const ValueInfo& value : wanted) {
    known.insert(value.name);
    const auto it = given.find(value.name);
    if (it == given.end()) {
      problems += cat(problems.empty() ? "" : "\n", "input '", value.name, "' (", value.dtype,
                      value.shape_str(), ") is missing");
    } else {
      ordered.push_back(it->second);
    }
  }
  for (const auto& [name, tensor] : given) {
    if (known.contains(name)) continue;
    problems += cat(problems.empty() ? "" : "\n", "there is no input '", name,
                    "'; the model's inputs: ", names_of(wanted));
  }
  if (!problems.empty()) return Status(Code::kInvalidArgument, problems);
  return ordered;
}

Status check_inputs(const std::vector<ValueInfo>& wanted, std::span<const Tensor> given) {
  if (wanted.size() != given.size()) {
    return error(Code::kInvalidArgument, "got ", given.size(), " inputs; the model has ",
                 wanted.size(), ": ", names_of(wanted));
  }
  std::string problems;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string problem = check_input(wanted[i], given[i]);
    if (!problem.empty()) problems += (problems.empty() ? "" : "\n") + problem;
  }
  return problems.empty() ? ok() : Status(Code::kInvalidArgument, problems);
}

Status check_operators(const Graph& graph, const OpLookup& ops) {
  Missing missing;
  find_missing(graph, ops, missing);
  if (missing.order.empty()) return ok();
  std::string list;
  for (const auto& key : missing.order) {
    list += cat(list.empty() ? "" : ", ", key.second,
                key.first.empty() ? "" : " of domain " + key.first, " (first at '",
                missing.first_node[key], "')");
  }
  return not_implemented("operators not implemented: ", list);
}

PlanInfo describe_plan(const Plan& plan, const std::vector<PassReport>& load_passes) {
  PlanInfo info;
  for (const Step& step : plan.steps) {
    StepInfo described{.node = step.node.name,
                       .op = step.node.op_type,
                       .kernel = step.kernel.name,
                       .why = step.kernel.why,
                       .output_shape = "",
                       .inputs = value_names(plan, step.inputs),
                       .outputs = value_names(plan, step.outputs),
                       .flop = step.kernel.flop * static_cast<double>(plan.images)};
    if (!step.outputs.empty() && step.outputs[0] != kNoValue) {
      const Slot& out = plan.slots[static_cast<std::size_t>(step.outputs[0])];
      described.output_shape = out.shape ? out.shape->str() : "[?]";
    }
    info.flop += described.flop;
    info.steps.push_back(std::move(described));
  }
  for (const auto* reports : {&load_passes, &plan.passes}) {
    for (const PassReport& report : *reports) {
      info.passes.push_back({.name = report.name,
                             .stage = report.stage == PassStage::kLoad ? "load" : "plan",
                             .rewrites = report.rewrites,
                             .seconds = report.seconds,
                             .disabled = report.disabled});
    }
  }
  info.arena_bytes = plan.arena_bytes;
  info.images = plan.images;
  info.image_threads = plan.image_threads;
  info.arena = plan.arena;
  return info;
}

}  // namespace mini_infer
