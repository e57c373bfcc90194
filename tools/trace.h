// The values inside a model as a run computes them, for the tools that look at them.
#pragma once

#include <mini_infer/session.h>

#include <functional>
#include <string>

namespace mini_infer::tools {

// The options under which no pass removes or fuses a node: every value of the file is computed.
SessionOptions unoptimised(SessionOptions options);

struct TracedValue {
  std::size_t index;  // of the step
  const StepInfo& step;
  const std::string& name;
  const Tensor& tensor;  // holds as long as the call
};
using ValueObserver = std::function<Status(const TracedValue&)>;

// The plan for the shapes of these inputs, each of which must be there.
Result<PlanInfo> plan_for(const Session& session, const TensorMap& inputs);
// Runs the session on its inputs (each must be there; others are ignored) and shows the tensors
// that its steps compute, in order. Sequences are not shown.
Result<std::vector<Tensor>> trace_values(const Session& session, const TensorMap& inputs,
                                         const ValueObserver& see);

}  // namespace mini_infer::tools
