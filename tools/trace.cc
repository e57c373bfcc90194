#include "tools/trace.h"

#include "tools/model_inputs.h"

namespace mini_infer::tools {

SessionOptions unoptimised(SessionOptions options) {
  options.max_rewrites = 0;
  options.tune = false;
  options.tune_cache.clear();
  return options;
}

Result<std::vector<Tensor>> trace_values(const Session& session, const TensorMap& inputs,
                                         const ValueObserver& see) {
  const std::vector<Tensor> ordered = in_order(session.inputs(), inputs);
  std::vector<Shape> shapes;
  for (const Tensor& tensor : ordered) shapes.push_back(tensor.shape());
  MINI_TRY_ASSIGN(const PlanInfo plan, session.plan(shapes));
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
