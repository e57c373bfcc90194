#include "engine/node_runner.h"

#include <optional>

#include "graph/ir/constants.h"

namespace mini_infer {
namespace {

// Integer tensors up to this many elements take part in shape arithmetic.
constexpr std::int64_t kMostContents = 64;

std::optional<std::vector<Dim>> contents_of(const Tensor& tensor) {
  if (tensor.dtype() != DType::kInt64 && tensor.dtype() != DType::kInt32) return std::nullopt;
  if (tensor.elements() > kMostContents) return std::nullopt;
  const auto values = integers(tensor);
  return values ? std::optional(std::vector<Dim>(values->begin(), values->end())) : std::nullopt;
}

Result<std::vector<InferOutput>> infer_outputs(const OpDef& op, const Node& node,
                                               std::span<const Tensor> inputs,
                                               const OpLookup& ops) {
  std::vector<std::optional<std::vector<Dim>>> contents(inputs.size());
  std::vector<InferInput> described(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty()) continue;
    contents[i] = contents_of(inputs[i]);
    described[i] = {.present = true,
                    .dtype = inputs[i].dtype(),
                    .shape = SymShape(inputs[i].shape()),
                    .constant = &inputs[i],
                    .contents = contents[i] ? &*contents[i] : nullptr};
  }
  InferContext context(node, std::move(described), ops);
  MINI_TRY(op.infer(context));
  MINI_TRY(Status(context.status()));
  return std::move(context.outputs());
}

// As far as they are known.
Result<std::vector<PrepareOutput>> describe_outputs(const OpDef& op, const Node& node,
                                                    std::span<const Tensor> inputs,
                                                    const OpLookup& ops) {
  std::vector<PrepareOutput> described(node.outputs.size());
  for (std::size_t i = 0; i < described.size(); ++i)
    described[i].present = node.outputs[i] != kNoValue;
  if ((op.traits & kMakesOutputs) != 0) return described;
  MINI_TRY_ASSIGN(const std::vector<InferOutput> inferred, infer_outputs(op, node, inputs, ops));
  for (std::size_t i = 0; i < described.size(); ++i) {
    if (!described[i].present) continue;
    described[i].dtype = inferred[i].dtype;
    if (inferred[i].shape) described[i].shape = inferred[i].shape->concrete();
  }
  return described;
}

std::vector<PrepareInput> describe_inputs(std::span<const Tensor> inputs,
                                          const std::vector<bool>& lasting) {
  std::vector<PrepareInput> described(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty()) continue;
    described[i] = {.present = true,
                    .dtype = inputs[i].dtype(),
                    .shape = inputs[i].shape(),
                    .constant = &inputs[i],
                    .transient = !lasting[i]};
  }
  return described;
}

// Memory for the outputs whose shapes are known; the others stay empty.
Result<std::vector<Tensor>> allocate_outputs(const std::vector<PrepareOutput>& described,
                                             std::size_t memory_limit) {
  std::vector<Tensor> outputs(described.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < described.size(); ++i) {
    if (!described[i].present || !described[i].shape) continue;
    MINI_TRY_ASSIGN(const std::size_t bytes,
                    checked_bytes(described[i].dtype, *described[i].shape));
    total += bytes;
    if (total > memory_limit) {
      return error(Code::kResourceExhausted, "output of shape ", *described[i].shape, " needs ",
                   bytes, " bytes; the memory limit is ", memory_limit,
                   " (SessionOptions::memory_limit)");
    }
    MINI_TRY_ASSIGN(outputs[i], Tensor::allocate(described[i].dtype, *described[i].shape));
  }
  return outputs;
}

Status check_scratch(const PreparedKernel& kernel, std::size_t memory_limit) {
  if (kernel.scratch_bytes <= memory_limit) return ok();
  return error(Code::kResourceExhausted, "kernel ", kernel.name, " needs ", kernel.scratch_bytes,
               " bytes of scratch memory; the memory limit is ", memory_limit,
               " (SessionOptions::memory_limit)");
}

Result<std::vector<Tensor>> run_op(const OpDef& op, const Node& node,
                                   std::span<const Tensor> inputs, const std::vector<bool>& lasting,
                                   const OpLookup& ops,
                                   const PrepareContext::Environment& environment,
                                   std::size_t memory_limit) {
  MINI_TRY_ASSIGN(const std::vector<PrepareOutput> described,
                  describe_outputs(op, node, inputs, ops));
  MINI_TRY_ASSIGN(std::vector<Tensor> outputs, allocate_outputs(described, memory_limit));
  PrepareContext context(node, describe_inputs(inputs, lasting), described, environment);
  MINI_TRY_ASSIGN(const PreparedKernel kernel, op.prepare(context));
  MINI_TRY(Status(context.status()));
  MINI_TRY(check_scratch(kernel, memory_limit));

  std::vector<const void*> in;
  for (const Tensor& tensor : inputs) in.push_back(tensor.empty() ? nullptr : tensor.data());
  std::vector<void*> out;
  for (Tensor& tensor : outputs) out.push_back(tensor.empty() ? nullptr : tensor.mutable_data());
  MINI_TRY_ASSIGN(
      Tensor scratch,
      Tensor::allocate(DType::kUInt8, Shape{static_cast<std::int64_t>(kernel.scratch_bytes)}));
  MINI_TRY(kernel.run({.inputs = in,
                       .outputs = out,
                       .scratch = static_cast<std::byte*>(scratch.mutable_data()),
                       .threads = environment.threads,
                       .dynamic_outputs = outputs}));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (described[i].present && outputs[i].empty()) {
      return error(Code::kInternal, "kernel ", kernel.name, " left output ", i, " without a value");
    }
  }
  return outputs;
}

}  // namespace

Result<std::vector<Tensor>> run_node(const Node& node, std::span<const Tensor> inputs,
                                     const std::vector<bool>& lasting, const OpLookup& ops,
                                     const PrepareContext::Environment& environment,
                                     std::size_t memory_limit) {
  const OpDef* op = ops.find(node.domain, node.op_type, node.opset);
  if (op == nullptr) return not_implemented(node.str(), ": operator not implemented");
  auto outputs = run_op(*op, node, inputs, lasting, ops, environment, memory_limit);
  if (!outputs.ok()) return Status(outputs.status()).at(node.str());
  return outputs;
}

}  // namespace mini_infer
