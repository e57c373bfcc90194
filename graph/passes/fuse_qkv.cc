// before:  MatMul(x, Wq) -> q;  MatMul(x, Wk) -> k;  MatMul(x, Wv) -> v        [+ a bias each]
// after:   MatMul(x, [Wq Wk Wv]) [+ [bq bk bv]] -> Split -> q, k, v
// when:    x has exactly three such products, with constant float32 matrices of as many rows, or
//          all three with a bias of one number for each column and no other use
//
// For files alone: fuse_attention reads q, k and v where they come from.

#include <cstring>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

struct Branch {
  NodeId product = kNoNode, last = kNoNode;  // the last is the Add of a bias, if all have one
  Tensor weights, bias;                      // empty where there is none
  std::int64_t columns() const { return weights.shape()[1]; }
};

Tensor float_constant(const Graph& graph, ValueId value, std::size_t rank) {
  const Tensor* tensor = graph.constant(value);
  const bool fits = tensor != nullptr && tensor->dtype() == DType::kFloat32 &&
                    tensor->shape().rank() == rank && tensor->elements() > 0;
  return fits ? *tensor : Tensor();
}

// The Add of a constant row after the product.
void find_bias(const Graph& graph, Branch& branch) {
  const ValueId y = graph.output(branch.product);
  branch.last = branch.product;
  if (!graph.only_use(y)) return;
  const NodeId add = graph.value(y).users[0];
  if (!graph.node(add).is("Add") || has_legacy_broadcast(graph.node(add))) return;
  const ValueId other = other_input(graph, add, y);
  const Tensor bias = other != kNoValue ? float_constant(graph, other, 1) : Tensor();
  if (bias.empty() || bias.shape()[0] != branch.columns()) return;
  branch.bias = bias;
  branch.last = add;
}

// Matrices of equally many rows, or rows, side by side.
Tensor joined(const std::vector<Branch>& branches, Tensor Branch::*part) {
  const Shape& first = (branches[0].*part).shape();
  const std::int64_t rows = first.rank() == 2 ? first[0] : 1;
  std::int64_t columns = 0;
  for (const Branch& branch : branches) columns += branch.columns();
  Tensor all(DType::kFloat32, first.rank() == 2 ? Shape{rows, columns} : Shape{columns});
  float* out = all.mutable_data<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const Branch& branch : branches) {
      std::memcpy(out, (branch.*part).data<float>() + row * branch.columns(),
                  static_cast<std::size_t>(branch.columns()) * sizeof(float));
      out += branch.columns();
    }
  }
  return all;
}

std::vector<Branch> branches_of(const Graph& graph, ValueId x) {
  std::vector<Branch> branches;
  for (const NodeId user : graph.value(x).users) {
    if (!graph.node(user).is("MatMul") || graph.input(user, 0) != x) continue;
    Branch branch{.product = user, .weights = float_constant(graph, graph.input(user, 1), 2)};
    if (branch.weights.empty()) return {};
    find_bias(graph, branch);
    branches.push_back(branch);
  }
  if (branches.size() != 3) return {};
  for (const Branch& branch : branches) {
    if (branch.weights.shape()[0] != branches[0].weights.shape()[0]) return {};
    if (branch.bias.empty() != branches[0].bias.empty()) return {};
  }
  return branches;
}

// A Split over the last axis whose outputs take the places of the branches'.
void split(Graph& graph, NodeId near, ValueId all, const std::vector<Branch>& branches,
           std::int64_t last_axis) {
  Ints sizes;
  for (const Branch& branch : branches) sizes.push_back(branch.columns());
  Attributes attributes = {{"axis", last_axis}};
  std::vector<ValueId> inputs = {all};
  if (graph.node(near).opset < 13) {
    attributes["split"] = sizes;
  } else {
    inputs.push_back(add_ints(graph, graph.node(near).name + "_split", sizes));
  }
  const NodeId node =
      graph.add_node(near, "Split", std::move(inputs), std::move(attributes), "", branches.size());
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const ValueId old = graph.output(branches[i].last), added = graph.output(node, i);
    take_description(graph, old, added);
    graph.replace_uses(old, added);
    const ValueId product = graph.output(branches[i].product);
    graph.remove_node(branches[i].last);
    if (branches[i].last != branches[i].product) remove_unused(graph, product);
  }
}

bool fuse(Graph& graph, NodeId product) {
  const ValueId x = graph.input(product, 0);
  const auto rank = rank_of(graph, x);
  if (x == kNoValue || !rank || *rank < 2) return false;
  const std::vector<Branch> branches = branches_of(graph, x);
  if (branches.empty()) return false;
  const std::string name = graph.node(product).name;
  const NodeId first = branches[0].product;
  const ValueId w = graph.add_constant(name + "_qkv", joined(branches, &Branch::weights));
  ValueId all = graph.output(graph.add_node(first, "MatMul", {x, w}));
  if (!branches[0].bias.empty()) {
    const ValueId b = graph.add_constant(name + "_qkv_bias", joined(branches, &Branch::bias));
    all = graph.output(graph.add_node(first, "Add", {all, b}));
  }
  split(graph, first, all, branches, static_cast<std::int64_t>(*rank) - 1);
  return true;
}

}  // namespace

Result<int> fuse_qkv(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "MatMul", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
