// If: one of two subgraphs.  onnx.ai/onnx/operators/onnx__If.html
#include "graph/ir/constants.h"
#include "kernels/control/body.h"

namespace mini_infer {
namespace {

constexpr const char* kThen = "then_branch";
constexpr const char* kElse = "else_branch";

Status infer(InferContext& c) {
  const std::vector<InferInput> captured = inputs_from(c, 1);
  const Tensor* cond = c.constant(0);
  const std::optional<double> known = cond != nullptr ? single_number(*cond) : std::nullopt;
  std::vector<Graph> branches;
  Status misfit;
  for (const char* name : {kThen, kElse}) {
    if (known && (*known != 0) != (name == kThen)) continue;
    // A branch that does not fit these shapes (Squeeze of an axis that is not 1) is one that will
    // not be taken.
    Result<Graph> graph = infer_body(c, name, captured);
    if (!graph.ok()) {
      misfit = graph.status();
      continue;
    }
    if (graph->outputs().size() < c.output_count()) {
      return invalid_model(name, " has ", graph->outputs().size(), " outputs; the node has ",
                           c.output_count());
    }
    branches.push_back(std::move(*graph));
  }
  if (branches.empty()) return misfit;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    const Value& one = output_value(branches.front(), i);
    const Value& other = output_value(branches.back(), i);
    const DType dtype = one.dtype != DType::kUndefined ? one.dtype : other.dtype;
    if (other.dtype != DType::kUndefined && other.dtype != dtype) {
      return invalid_model("output ", i, " is ", one.dtype, " in one branch and ", other.dtype,
                           " in the other");
    }
    c.set_output(i, dtype, common_shape(c, i, one.shape, other.shape));
  }
  return ok();
}

struct Branches {
  Body then_branch, else_branch;
  std::vector<Port> inputs;
  std::vector<OutputPort> outputs;
};

Status run(const KernelContext& k, const Branches& p) {
  MINI_TRY_ASSIGN(const std::int64_t cond, scalar_of(input_tensor(k, p.inputs, 0), "cond"));
  std::vector<Tensor> captured;
  append_inputs(k, p.inputs, 1, p.inputs.size(), captured);
  const Body& branch = cond != 0 ? p.then_branch : p.else_branch;
  MINI_TRY_ASSIGN(const std::vector<Tensor> results, branch.run(captured));
  for (std::size_t i = 0; i < p.outputs.size(); ++i) {
    MINI_TRY(hand_over(k, p.outputs, i, results[i]));
  }
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  Branches p{.inputs = input_ports(c), .outputs = output_ports(c)};
  if (!c.has_input(0)) return invalid_model("input 0 'cond' is missing");
  const std::size_t captured = c.input_count() - 1;
  for (auto [name, body] : {std::pair{kThen, &p.then_branch}, {kElse, &p.else_branch}}) {
    const GraphPtr graph = c.graph(name);
    const std::size_t outputs = graph != nullptr ? graph->outputs().size() : 0;
    // Trailing outputs that the node leaves out may still be there.
    MINI_TRY_ASSIGN(*body, Body::prepare(c, name, captured, std::max(outputs, c.output_count())));
  }
  PreparedKernel kernel;
  kernel.name = "if/subgraph";
  kernel.run = [p = std::move(p)](const KernelContext& k) { return run(k, p); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(If, {.type = "If",
                    .since = {1, 11, 13, 16, 19, 21, 23, 24, 25},
                    .infer = infer,
                    .prepare = prepare,
                    .traits = kMakesOutputs})

}  // namespace mini_infer
