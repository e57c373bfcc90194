// make_plan: Graph -> Plan. Chooses a kernel for each node, then memory for each value.
#include <algorithm>

#include "engine/memory_planner.h"
#include "engine/plan.h"
#include "graph/ir/sequence.h"

namespace mini_infer {
namespace {

// A node whose kernel cannot be prepared without the contents of a computed input waits for the
// run; inputs larger than this are no such parameters.
constexpr std::int64_t kMostParameters = 1024;

class Planner {
 public:
  Planner(const Graph& graph, const OpLookup& ops, const PrepareContext::Environment& environment)
      : graph_(graph), ops_(ops), environment_(environment), plan_(std::make_shared<Plan>()) {}

  Result<std::shared_ptr<Plan>> run() {
    make_slots();
    MINI_TRY(make_steps());
    MINI_TRY_ASSIGN(const std::vector<std::size_t> bytes, value_bytes());
    plan_memory(*plan_, bytes, environment_.threads);
    drop_packed_constants();
    find_last_uses_of_heap();
    count_constants();
    return plan_;
  }

 private:
  Slot& slot(ValueId id) { return plan_->slots[static_cast<std::size_t>(id)]; }

  void make_slots() {
    plan_->slots.resize(graph_.value_count());
    read_.resize(graph_.value_count(), false);
    for (std::size_t v = 0; v < graph_.value_count(); ++v) {
      const Value& value = graph_.value(static_cast<ValueId>(v));
      Slot& target = plan_->slots[v];
      target.dtype = value.dtype;
      if (value.shape) target.shape = value.shape->concrete();
      target.layout = value.layout;
      target.name = value.name;
      if (value.is_constant() &&
          (!value.users.empty() || graph_.is_output(static_cast<ValueId>(v)))) {
        target.kind = Slot::Kind::kConstant;
        target.constant = value.constant.unread();
      }
    }
    plan_->inputs = graph_.inputs;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      slot(graph_.inputs[i]).kind = Slot::Kind::kInput;
      slot(graph_.inputs[i]).index = i;
    }
    for (const GraphOutput& out : graph_.outputs())
      plan_->outputs.push_back({.name = out.name, .value = out.value});
  }

  Status make_steps() {
    std::string problems;
    Code code = Code::kOk;
    for (const NodeId id : graph_.order()) {
      const Status status = make_step(id);
      if (status.ok()) continue;
      if (code == Code::kOk) code = status.code();
      problems += (problems.empty() ? "" : "\n") + status.message();
    }
    return code == Code::kOk ? ok() : Status(code, problems);
  }

  Status make_step(NodeId id) {
    const Node& node = graph_.node(id);
    Step step{.node = node,
              .op = ops_.find(node.domain, node.op_type, node.opset),
              .inputs = node.inputs,
              .outputs = node.outputs};
    if (step.op == nullptr) return not_implemented(node.str(), ": operator not implemented");
    step.dynamic = depends_on_data(node);
    if (!step.dynamic) {
      Status status = prepare(step);
      if (!status.ok() && !has_computed_parameters(node)) return std::move(status).at(node.str());
      step.dynamic = !status.ok();
    }
    if (step.dynamic) {
      for (const ValueId in : node.inputs) note_read(in);
      step.kernel = {.name = "dynamic", .why = "shapes or parameters depend on data"};
      for (const ValueId out : node.outputs) {
        if (out != kNoValue) slot(out).kind = Slot::Kind::kHeap;
      }
    }
    plan_->steps.push_back(std::move(step));
    return ok();
  }

  bool known(ValueId id) {
    return id == kNoValue || (slot(id).shape && slot(id).dtype != DType::kUndefined);
  }

  // Strings and sequences are objects, which cannot lie in the arena.
  bool gives_objects(const Node& node) {
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && (slot(id).dtype == DType::kString || slot(id).dtype == kSequence);
    });
  }

  bool depends_on_data(const Node& node) {
    return gives_objects(node) ||
           !std::all_of(node.inputs.begin(), node.inputs.end(),
                        [&](ValueId id) { return known(id); }) ||
           !std::all_of(node.outputs.begin(), node.outputs.end(),
                        [&](ValueId id) { return known(id); });
  }

  bool has_computed_parameters(const Node& node) {
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id != kNoValue && !graph_.value(id).is_constant() &&
             slot(id).shape->elements() <= kMostParameters;
    });
  }

  Status prepare(Step& step) {
    std::vector<PrepareInput> inputs;
    for (const ValueId in : step.inputs) {
      if (in == kNoValue) {
        inputs.emplace_back();
        continue;
      }
      inputs.push_back({.present = true,
                        .dtype = slot(in).dtype,
                        .shape = *slot(in).shape,
                        .layout = graph_.value(in).layout,
                        .constant = graph_.constant(in) != nullptr ? &slot(in).constant : nullptr});
    }
    std::vector<PrepareOutput> outputs;
    for (const ValueId out : step.outputs) {
      if (out == kNoValue) {
        outputs.emplace_back();
        continue;
      }
      outputs.push_back({.present = true,
                         .dtype = slot(out).dtype,
                         .shape = slot(out).shape,
                         .layout = graph_.value(out).layout});
    }
    PrepareContext context(step.node, std::move(inputs), std::move(outputs), environment_);
    MINI_TRY_ASSIGN(step.kernel, step.op->prepare(context));
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const ValueId in = step.inputs[i];
      if (!context.is_packed(i)) {
        note_read(in);
      } else if (!read_[static_cast<std::size_t>(in)]) {
        slot(in).constant = slot(in).constant.unread();
      }
    }
    return context.status();
  }

  void note_read(ValueId id) {
    if (id != kNoValue) read_[static_cast<std::size_t>(id)] = true;
  }

  // Constants that the steps have in packed form only.
  void drop_packed_constants() {
    for (const PlanOutput& out : plan_->outputs) note_read(out.value);
    for (std::size_t v = 0; v < plan_->slots.size(); ++v) {
      Slot& target = plan_->slots[v];
      if (target.kind != Slot::Kind::kConstant || read_[v]) continue;
      target.kind = Slot::Kind::kNone;
      target.constant = Tensor();
    }
  }

  // Bytes of each value with a known shape, in its layout.
  Result<std::vector<std::size_t>> value_bytes() {
    std::vector<std::size_t> bytes(plan_->slots.size(), 0);
    for (std::size_t v = 0; v < bytes.size(); ++v) {
      const Slot& target = plan_->slots[v];
      if (!target.shape) continue;
      Shape stored = *target.shape;
      if (graph_.value(static_cast<ValueId>(v)).layout == Layout::kBlocked) {
        const int block = isa_lanes(environment_.isa);
        stored[1] = (stored[1] + block - 1) / block * block;
      }
      auto needed = checked_bytes(target.dtype, stored);
      if (!needed.ok())
        return needed.status().at("value '" + graph_.value(static_cast<ValueId>(v)).name + "'");
      bytes[v] = *needed;
    }
    return bytes;
  }

  void find_last_uses_of_heap() {
    std::vector<int> last(plan_->slots.size(), -1);
    for (std::size_t s = 0; s < plan_->steps.size(); ++s) {
      for (const auto* ids : {&plan_->steps[s].inputs, &plan_->steps[s].outputs}) {
        for (const ValueId id : *ids) {
          if (id != kNoValue && slot(id).kind == Slot::Kind::kHeap)
            last[static_cast<std::size_t>(id)] = static_cast<int>(s);
        }
      }
    }
    for (const PlanOutput& out : plan_->outputs) last[static_cast<std::size_t>(out.value)] = -1;
    for (std::size_t v = 0; v < last.size(); ++v) {
      if (last[v] >= 0)
        plan_->steps[static_cast<std::size_t>(last[v])].last_uses.push_back(
            static_cast<ValueId>(v));
    }
  }

  void count_constants() {
    for (const Slot& target : plan_->slots) {
      if (target.kind == Slot::Kind::kConstant) plan_->constant_bytes += target.constant.bytes();
    }
  }

  const Graph& graph_;
  const OpLookup& ops_;
  const PrepareContext::Environment& environment_;
  std::shared_ptr<Plan> plan_;
  std::vector<bool> read_;  // by value: a step reads it as it is
};

}  // namespace

Result<std::shared_ptr<Plan>> make_plan(const Graph& graph, const OpLookup& ops,
                                        const PrepareContext::Environment& environment) {
  return Planner(graph, ops, environment).run();
}

}  // namespace mini_infer
