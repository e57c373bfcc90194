// Weights take half the room in the file: float32 constants become float16, and a Cast gives back
// float32 where they are used. What float16 cannot hold stays.
#include <cmath>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Smaller ones gain nothing, and operators want some of them as constants (scales of Resize).
constexpr std::int64_t kFewestElements = 256;
constexpr float kLargestHalf = 65504.0F;

std::optional<Tensor> as_half(const Tensor& tensor) {
  Tensor half(DType::kFloat16, tensor.shape());
  const auto values = tensor.values<float>();
  auto* out = half.mutable_data<Float16>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && std::abs(values[i]) > kLargestHalf) return std::nullopt;
    out[i] = to_float16(values[i]);
  }
  return half;
}

// A value that gives the constant as float32 again, made before `user`.
ValueId add_cast(Graph& graph, UsedNames& names, NodeId user, ValueId constant, Tensor half) {
  const std::string name = graph.value(constant).name;
  const ValueId stored = graph.add_constant(names.unique(name + "_fp16"), std::move(half));
  const NodeId cast =
      graph.add_node(user, "Cast", {stored}, {{"to", static_cast<std::int64_t>(DType::kFloat32)}});
  return graph.output(cast);
}

}  // namespace

Result<std::string> fp16_weights(Edit& edit, const std::string&) {
  Graph& graph = edit.model.graph;
  if (graph.opset() < 6) {
    return error(Code::kInvalidArgument, "the model has opset ", graph.opset(),
                 ", where Cast takes other arguments; raise it with --opset 6 first");
  }
  UsedNames names = used_names(graph);
  std::size_t stored = 0, kept = 0, saved = 0;
  const auto count = static_cast<ValueId>(graph.value_count());
  for (ValueId id = 0; id < count; ++id) {
    const Tensor* tensor = graph.constant(id);
    const bool weight = tensor != nullptr && tensor->dtype() == DType::kFloat32 &&
                        tensor->elements() >= kFewestElements;
    if (!weight || graph.value(id).users.empty() || graph.is_output(id)) continue;
    std::optional<Tensor> half = as_half(tensor->unread());
    if (!half) {
      ++kept;
      continue;
    }
    saved += tensor->bytes() / 2;
    const ValueId cast =
        add_cast(graph, names, graph.value(id).users.front(), id, std::move(*half));
    graph.replace_uses(id, cast);
    ++stored;
  }
  std::string what = cat(counted(stored, "tensor"), " stored as float16, ", saved, " bytes less");
  if (kept > 0) what += cat("; ", kept, " kept, with values beyond ", kLargestHalf);
  return what;
}

}  // namespace mini_infer
