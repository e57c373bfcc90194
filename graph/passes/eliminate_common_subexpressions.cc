// before:  y = Op(a, b), z = Op(a, b)        two small constants with the same elements
// after:   y, used in place of z too
// when:    same operator, opset, inputs and attributes; deterministic and without subgraphs

#include <cstring>
#include <map>
#include <tuple>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Larger constants are compared by identity only.
constexpr std::size_t kSmallConstant = 1024;

bool same_tensor(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  if (a.identity() == b.identity() || a.bytes() == 0) return true;
  return a.dtype() != DType::kString && a.bytes() <= kSmallConstant &&
         std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

struct SameAttribute {
  bool operator()(const Tensor& a, const Tensor& b) const { return same_tensor(a, b); }
  bool operator()(float a, float b) const { return std::memcmp(&a, &b, sizeof a) == 0; }
  bool operator()(const std::vector<Tensor>&, const std::vector<Tensor>&) const { return false; }
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a == b;
  }
  template <class T, class U>
  bool operator()(const T&, const U&) const {
    return false;
  }
};

bool same_attributes(const Attributes& a, const Attributes& b) {
  if (a.size() != b.size()) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x->first != y->first || !std::visit(SameAttribute{}, x->second, y->second)) return false;
  }
  return true;
}

bool same_outputs(const Node& a, const Node& b) {
  if (a.outputs.size() != b.outputs.size()) return false;
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    if ((a.outputs[i] == kNoValue) != (b.outputs[i] == kNoValue)) return false;
  }
  return true;
}

int merge_constants(Graph& graph, PassContext& context) {
  std::map<std::tuple<DType, std::vector<std::int64_t>, std::string>, ValueId> first;
  int merged = 0;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Tensor* tensor = graph.constant(id);
    if (context.rewrites_left <= 0) break;
    if (tensor == nullptr || graph.value(id).users.empty() || graph.is_input(id) ||
        tensor->dtype() == DType::kString) {
      continue;
    }
    // Small ones by their bytes, others by their identity.
    std::string bytes;
    if (tensor->bytes() <= kSmallConstant) {
      bytes.assign(static_cast<const char*>(tensor->data()), tensor->bytes());
    } else {
      const void* identity = tensor->identity();
      bytes.assign(reinterpret_cast<const char*>(&identity), sizeof identity);
    }
    const auto [it, added] = first.emplace(
        std::make_tuple(tensor->dtype(), tensor->shape().dims(), std::move(bytes)), id);
    if (added) continue;
    graph.replace_uses(id, it->second);
    --context.rewrites_left;
    ++merged;
  }
  return merged;
}

bool mergeable(const Node& node, const PassContext& context) {
  if (node.outputs.empty() || has_subgraph(node)) return false;
  const OpDef* op = context.ops.find(node.domain, node.op_type, node.opset);
  return op != nullptr && (op->traits & kNotDeterministic) == 0;
}

int merge_nodes(Graph& graph, PassContext& context) {
  std::multimap<std::tuple<std::string, std::string, int, std::vector<ValueId>>, NodeId> seen;
  int merged = 0;
  for (const NodeId id : graph.order()) {
    if (context.rewrites_left <= 0) break;
    const Node& node = graph.node(id);
    if (!mergeable(node, context)) continue;
    const auto key = std::make_tuple(node.domain, node.op_type, node.opset, node.inputs);
    auto [it, end] = seen.equal_range(key);
    const auto same = [&](const auto& entry) {
      const Node& other = graph.node(entry.second);
      return same_outputs(node, other) && same_attributes(node.attributes, other.attributes);
    };
    while (it != end && !same(*it)) ++it;
    if (it == end) {
      seen.emplace(key, id);
      continue;
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      graph.replace_uses(node.outputs[i], graph.output(it->second, i));
    }
    graph.remove_node(id);
    --context.rewrites_left;
    ++merged;
  }
  return merged;
}

}  // namespace

Result<int> eliminate_common_subexpressions(Graph& graph, PassContext& context) {
  const int constants = merge_constants(graph, context);
  return constants + merge_nodes(graph, context);
}

}  // namespace mini_infer
