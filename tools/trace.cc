#include "tools/trace.h"

#include "tools/model_inputs.h"

namespace mini_infer::tools {

SessionOptions unoptimised(SessionOptions options) {
  options.max_rewrites = 0;
  options.batch_by_image = false;
  options.tune = false;
  options.tune_cache.clear();
  return options;
}

Result<PlanInfo> plan_for(const Session& session, const TensorMap& inputs) {
  std::vector<Shape> shapes;
  for (const ValueInfo& input : session.inputs()) shapes.push_back(inputs.at(input.name).shape());
  return session.plan(shapes);
}

Result<std::vector<Tensor>> trace_values(const Session& session, const TensorMap& inputs,
                                         const ValueObserver& see) {
  const std::vector<Tensor> ordered = in_order(session.inputs(), inputs);
  MINI_TRY_ASSIGN(const PlanInfo plan, plan_for(session, inputs));
  return session.trace(ordered, [&](std::size_t s, std::span<const Tensor> outputs) {
    const StepInfo& step = plan.steps[s];
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool tensor = dtype_size(outputs[i].dtype()) > 0;  // no sequence, nothing left out
      if (tensor) MINI_TRY(see({s, step, step.outputs[i], outputs[i]}));
    }
    return ok();
  });
}

}  // namespace mini_infer::tools
