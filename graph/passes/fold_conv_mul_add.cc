// before:  Conv(x, W, b) -> y -> Mul(y, k)         also y / k, y + d, y - d, d - y
// after:   Conv(x, W * k, b * k)
// when:    W, b, k, d are constants, k and d have one element or one for each output channel, and y
//          has no other use; also with ConvTranspose, Gemm and MatMul of matrices in place of Conv

#include <algorithm>
#include <cmath>

#include "graph/passes/linear_node.h"

namespace mini_infer {
namespace {

struct Affine {
  std::vector<double> factors, shift;
};

// The node as factors * y + shift; `constant_first`: the constant is its first operand.
Affine affine_of(const std::string& type, std::vector<double> constant, bool constant_first) {
  Affine affine{std::vector<double>(constant.size(), 1.0),
                std::vector<double>(constant.size(), 0.0)};
  if (type == "Mul" || type == "Div") {
    if (type == "Div") {
      for (double& value : constant) value = 1 / value;
    }
    affine.factors = std::move(constant);
    return affine;
  }
  if (type == "Sub" && constant_first) {
    affine.factors.assign(constant.size(), -1.0);
  } else if (type == "Sub") {
    for (double& value : constant) value = -value;
  }
  affine.shift = std::move(constant);
  return affine;
}

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

bool fold(Graph& graph, PassContext& context, NodeId id, std::size_t operand) {
  const std::string type = graph.node(id).op_type;
  const auto linear = linear_node_only_for(graph, graph.input(id, 1 - operand));
  if (!linear || (type == "Div" && operand == 0)) return false;
  if (linear->kind == LinearNode::Kind::kMatMul && !has_internal(context, "FusedMatMul")) {
    return false;
  }
  const auto constant = channel_constant(graph, *linear, id, graph.input(id, operand));
  if (!constant || !bias_of(graph, *linear)) return false;
  const Affine affine = affine_of(type, *constant, operand == 0);
  if (!finite(affine.factors) || !finite(affine.shift)) return false;
  scale_and_shift(graph, *linear, affine.factors, affine.shift);
  absorb(graph, id, linear->id);
  return true;
}

}  // namespace

Result<int> fold_conv_mul_add(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Mul", "Div", "Add", "Sub"}, [&](NodeId id) {
    return fold(graph, context, id, 1) || fold(graph, context, id, 0);
  });
}

}  // namespace mini_infer
