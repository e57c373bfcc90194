// before:  x -> Conv -> Relu -> MaxPool -> Conv -> Flatten -> y                 all plain
// after:   x -> Conv -> Relu -> MaxPool -> Conv -> Reorder {to = plain} -> Flatten -> y
//               all between blocked: [N][C/c][H][W][c]
// when:    shapes are numbers and elements float32; graph inputs, outputs and constants are plain
//
// Each operator says which layouts it has for inputs that are all plain and for inputs that are all
// blocked (OpDef::layout). Where both answers are the same (Conv: blocked, Reshape: plain) there is
// no choice. The others, Relu or Concat, can be either; they are chosen so that all reorders
// together move as few elements as possible. That is a minimum cut: source = blocked, sink = plain,
//
//     a value made plain, wanted blocked by users u1, u2:   u1 --never--> o --elements--> maker
//                                                           u2 --never--^
//     a value made blocked, wanted plain by users u1, u2:   maker --elements--> o --never--> u1, u2
//
// so that a value is reordered once for all who want it. Blocked islands that cost more reorders
// than they save are plain in the cheapest cut.

#include <algorithm>
#include <map>
#include <string>

#include "graph/passes/match.h"
#include "graph/passes/min_cut.h"

namespace mini_infer {
namespace {

// Larger values do not fit any memory; the bound keeps the sums of costs in range.
constexpr std::size_t kMostBytes = std::size_t{1} << 40;

// A node's layouts when it is labelled plain and when it is labelled blocked.
struct Choice {
  LayoutChoice plain, blocked;
  int point = MinCut::kSink;  // in the cut, where the two differ
  bool free() const { return plain.inputs != blocked.inputs || plain.outputs != blocked.outputs; }
};

class LayoutAssigner {
 public:
  LayoutAssigner(Graph& graph, PassContext& context)
      : graph_(graph), context_(context), order_(graph.order()) {}

  // Number of values that become blocked.
  int run() {
    for (const NodeId id : order_) {
      Choice choice{query(id, Layout::kPlain), query(id, Layout::kBlocked)};
      if (choice.free()) choice.point = cut_.add_point();
      choices_.emplace(id, std::move(choice));
    }
    for (const NodeId id : order_) add_padding_cost(id);
    for (ValueId v = 0; v < static_cast<ValueId>(graph_.value_count()); ++v) add_reorder_cost(v);
    on_blocked_side_ = cut_.solve();
    return apply();
  }

 private:
  // Whether a value may be blocked at all.
  bool blockable(ValueId id) const {
    if (id == kNoValue) return false;
    const Value& value = graph_.value(id);
    if (value.dtype != DType::kFloat32 || value.is_constant() || !value.shape) return false;
    const auto shape = value.shape->concrete();
    if (!shape || shape->rank() < 3) return false;
    const auto bytes = checked_bytes(value.dtype, *shape);
    return bytes.ok() && *bytes <= kMostBytes;
  }

  // What the operator chooses when all inputs that can have layout `present` have it. Plain when it
  // asks for something that cannot be.
  LayoutChoice query(NodeId id, Layout present) const {
    const Node& node = graph_.node(id);
    LayoutChoice plain{std::vector(node.inputs.size(), Layout::kPlain),
                       std::vector(node.outputs.size(), Layout::kPlain)};
    const OpDef* op = context_.ops.find(node.domain, node.op_type, node.opset);
    if (op == nullptr || op->layout == nullptr) return plain;
    std::vector<Layout> inputs;
    for (const ValueId in : node.inputs) {
      inputs.push_back(blockable(in) ? present : Layout::kPlain);
    }
    LayoutChoice choice = op->layout(
        {.graph = graph_, .node = node, .block = context_.block, .inputs = std::move(inputs)});
    choice.inputs.resize(node.inputs.size(), Layout::kPlain);
    choice.outputs.resize(node.outputs.size(), Layout::kPlain);
    return possible(choice.inputs, node.inputs) && possible(choice.outputs, node.outputs) ? choice
                                                                                          : plain;
  }

  bool possible(const std::vector<Layout>& layouts, const std::vector<ValueId>& values) const {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      if (layouts[i] == Layout::kBlocked && !blockable(values[i])) return false;
    }
    return true;
  }

  // Elements of a blocked value, with the unused lanes of the last block.
  std::int64_t padded_elements(ValueId id) const {
    const Shape shape = *graph_.value(id).shape->concrete();
    const std::int64_t block = std::max(context_.block, 1);
    return shape[0] * ((shape[1] + block - 1) / block * block) * shape.elements(2, shape.rank());
  }

  // A free node that is blocked computes the unused lanes too.
  void add_padding_cost(NodeId id) {
    const Choice& choice = choices_.at(id);
    if (!choice.free()) return;
    std::int64_t waste = 0;
    for (std::size_t i = 0; i < choice.blocked.outputs.size(); ++i) {
      if (choice.blocked.outputs[i] == choice.plain.outputs[i]) continue;
      const ValueId out = graph_.output(id, i);
      waste += padded_elements(out) - graph_.value(out).shape->concrete()->elements();
    }
    cut_.add_cost(choice.point, MinCut::kSink, waste);
  }

  // The point whose side is the layout of one input or output of a node.
  static int point_of(const Choice& choice, Layout plain, Layout blocked) {
    if (plain != blocked) return choice.point;
    return plain == Layout::kBlocked ? MinCut::kSource : MinCut::kSink;
  }
  int maker_point(ValueId v) const {
    const NodeId id = graph_.producer(v);
    if (id == kNoNode) return MinCut::kSink;
    const auto& outputs = graph_.node(id).outputs;
    const auto i =
        static_cast<std::size_t>(std::find(outputs.begin(), outputs.end(), v) - outputs.begin());
    const Choice& choice = choices_.at(id);
    return point_of(choice, choice.plain.outputs[i], choice.blocked.outputs[i]);
  }
  std::vector<int> user_points(ValueId v) const {
    std::vector<int> points;
    for (const NodeId id : graph_.value(v).users) {
      const auto it = choices_.find(id);
      if (it == choices_.end()) continue;
      const Choice& choice = it->second;
      for (std::size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
        if (graph_.input(id, i) != v) continue;
        points.push_back(point_of(choice, choice.plain.inputs[i], choice.blocked.inputs[i]));
      }
    }
    if (graph_.is_output(v)) points.push_back(MinCut::kSink);
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
    return points;
  }

  void add_reorder_cost(ValueId v) {
    if (!blockable(v)) return;
    const int maker = maker_point(v);
    const std::vector<int> users = user_points(v);
    if (users.empty() || (users.size() == 1 && users[0] == maker)) return;
    const std::int64_t cost = padded_elements(v);
    const int to_blocked = cut_.add_point(), to_plain = cut_.add_point();
    cut_.add_cost(to_blocked, maker, cost);
    cut_.add_cost(maker, to_plain, cost);
    for (const int user : users) {
      cut_.add_cost(user, to_blocked, MinCut::kNever);
      cut_.add_cost(to_plain, user, MinCut::kNever);
    }
  }

  const LayoutChoice& chosen(NodeId id) const {
    const Choice& choice = choices_.at(id);
    return on_blocked_side_[static_cast<std::size_t>(choice.point)] ? choice.blocked : choice.plain;
  }

  int apply() {
    int blocked = 0;
    for (const NodeId id : order_) {
      const LayoutChoice& layouts = chosen(id);
      for (std::size_t i = 0; i < layouts.outputs.size(); ++i) {
        if (layouts.outputs[i] != Layout::kBlocked) continue;
        graph_.value(graph_.output(id, i)).layout = Layout::kBlocked;
        ++blocked;
      }
    }
    for (const NodeId id : order_) {
      const std::vector<Layout>& wanted = chosen(id).inputs;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const ValueId in = graph_.input(id, i);
        if (in != kNoValue && graph_.value(in).layout != wanted[i]) {
          graph_.set_input(id, i, reordered(in, id));
        }
      }
    }
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      const ValueId value = graph_.outputs()[i].value;
      if (graph_.value(value).layout != Layout::kBlocked) continue;
      graph_.set_output(i, reordered(value, graph_.producer(value)));
    }
    return blocked + static_cast<int>(reordered_.size());
  }

  // The value in the other layout; made next to the first who needs it.
  ValueId reordered(ValueId v, NodeId near) {
    const auto it = reordered_.find(v);
    if (it != reordered_.end()) return it->second;
    const bool to_plain = graph_.value(v).layout == Layout::kBlocked;
    const NodeId id =
        graph_.add_node(near, "Reorder", {v}, {{"to", std::string(to_plain ? "plain" : "blocked")}},
                        kInternalDomain);
    Value& out = graph_.value(graph_.output(id));
    out.dtype = graph_.value(v).dtype;
    out.shape = graph_.value(v).shape;
    out.layout = to_plain ? Layout::kPlain : Layout::kBlocked;
    return reordered_[v] = graph_.output(id);
  }

  Graph& graph_;
  PassContext& context_;
  const std::vector<NodeId> order_;
  std::map<NodeId, Choice> choices_;
  MinCut cut_;
  std::vector<bool> on_blocked_side_;
  std::map<ValueId, ValueId> reordered_;
};

bool has_layouts(const Graph& graph) {
  for (ValueId v = 0; v < static_cast<ValueId>(graph.value_count()); ++v) {
    if (graph.value(v).layout == Layout::kBlocked) return true;
  }
  return false;
}

}  // namespace

Result<int> assign_layouts(Graph& graph, PassContext& context) {
  if (context.rewrites_left <= 0 || has_layouts(graph) || !has_internal(context, "Reorder")) {
    return 0;
  }
  const int changes = LayoutAssigner(graph, context).run();
  if (changes > 0) --context.rewrites_left;
  return changes;
}

}  // namespace mini_infer
