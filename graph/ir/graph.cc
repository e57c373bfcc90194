#include "graph/ir/graph.h"

#include <algorithm>
#include <cassert>
#include <queue>

#include "graph/ir/text.h"

namespace mini_infer {

std::string Node::str() const {
  const std::string where = domain.empty() ? "" : cat(" of domain ", domain);
  return cat("node '", name, "' (", op_type, where, ", opset ", opset, ")");
}

// --- values

ValueId Graph::add_value(std::string value_name, DType dtype, std::optional<SymShape> shape) {
  values_.push_back({.name = std::move(value_name), .dtype = dtype, .shape = std::move(shape)});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  const ValueId id = add_value(std::move(value_name), tensor.dtype(), SymShape(tensor.shape()));
  value(id).constant = std::move(tensor);
  return id;
}

ValueId Graph::add_input(std::string value_name, DType dtype, std::optional<SymShape> shape) {
  inputs.push_back(add_value(std::move(value_name), dtype, std::move(shape)));
  return inputs.back();
}

void Graph::add_output(std::string output_name, ValueId id) {
  outputs_.push_back({std::move(output_name), id});
}

void Graph::set_output(std::size_t index, ValueId id) { outputs_[index].value = id; }

void Graph::remove_output(std::size_t index) {
  outputs_.erase(outputs_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Graph::make_constant(ValueId id, Tensor tensor) {
  const NodeId producer_id = value(id).producer;
  if (producer_id != kNoNode) {
    Node& from = node(producer_id);
    for (ValueId& out : from.outputs) {
      if (out == id) out = kNoValue;
    }
    value(id).producer = kNoNode;
    const bool needed = std::any_of(from.outputs.begin(), from.outputs.end(), [&](ValueId out) {
      return out != kNoValue && (!value(out).users.empty() || is_output(out));
    });
    if (!needed) remove_node(producer_id);
  }
  Value& target = value(id);
  target.dtype = tensor.dtype();
  target.shape = SymShape(tensor.shape());
  target.constant = std::move(tensor);
}

void Graph::unread_constants() {
  for (Value& value : values_) value.constant = value.constant.unread();
}

const Tensor* Graph::constant(ValueId id) const {
  return id != kNoValue && value(id).is_constant() ? &value(id).constant : nullptr;
}

ValueId Graph::find_value(std::string_view value_name) const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].name == value_name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

bool Graph::is_output(ValueId id) const {
  return std::any_of(outputs_.begin(), outputs_.end(),
                     [id](const GraphOutput& out) { return out.value == id; });
}

bool Graph::is_input(ValueId id) const {
  return std::find(inputs.begin(), inputs.end(), id) != inputs.end();
}

bool Graph::only_use(ValueId id) const { return value(id).users.size() == 1 && !is_output(id); }

void Graph::add_user(ValueId id, NodeId user) {
  if (id != kNoValue) value(id).users.push_back(user);
}

void Graph::remove_user(ValueId id, NodeId user) {
  if (id == kNoValue) return;
  std::vector<NodeId>& users = value(id).users;
  const auto it = std::find(users.begin(), users.end(), user);
  if (it != users.end()) users.erase(it);
}

// --- nodes

NodeId Graph::add_node(Node added) {
  const NodeId id = static_cast<NodeId>(nodes_.size());
  if (added.rank == 0) added.rank = ++next_rank_;
  next_rank_ = std::max(next_rank_, added.rank);
  if (added.opset == 0) added.opset = opset(added.domain);
  for (const ValueId in : added.inputs) add_user(in, id);
  for (const ValueId out : added.outputs) {
    if (out == kNoValue) continue;
    assert(value(out).producer == kNoNode);
    value(out).producer = id;
  }
  nodes_.push_back(std::move(added));
  return id;
}

NodeId Graph::add_node(NodeId near, std::string_view op_type, std::vector<ValueId> node_inputs,
                       Attributes attributes, std::string_view domain, std::size_t outputs) {
  Node added{.domain = std::string(domain), .op_type = std::string(op_type)};
  added.attributes = std::move(attributes);
  added.inputs = std::move(node_inputs);
  if (near != kNoNode) {
    added.name = node(near).name;
    added.rank = node(near).rank;
    if (node(near).domain == domain) added.opset = node(near).opset;
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    added.outputs.push_back(add_value(cat(added.name, "_", op_type, "_", nodes_.size(), "_", i)));
  }
  return add_node(std::move(added));
}

std::size_t Graph::node_count() const {
  return static_cast<std::size_t>(
      std::count_if(nodes_.begin(), nodes_.end(), [](const auto& n) { return n.has_value(); }));
}

std::vector<NodeId> Graph::order() const {
  using Entry = std::pair<std::int64_t, NodeId>;  // rank first
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  std::vector<int> missing(nodes_.size(), 0);
  for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id) {
    if (!alive(id)) continue;
    int& count = missing[static_cast<std::size_t>(id)];
    for (const ValueId in : node(id).inputs) {
      if (in != kNoValue && value(in).producer != kNoNode) ++count;
    }
    if (count == 0) ready.emplace(node(id).rank, id);
  }
  std::vector<NodeId> sorted;
  while (!ready.empty()) {
    const NodeId id = ready.top().second;
    ready.pop();
    sorted.push_back(id);
    for (const ValueId out : node(id).outputs) {
      if (out == kNoValue) continue;
      for (const NodeId user : value(out).users) {
        if (--missing[static_cast<std::size_t>(user)] == 0) ready.emplace(node(user).rank, user);
      }
    }
  }
  return sorted;
}

std::vector<NodeId> Graph::nodes_of(std::string_view op_type, std::string_view domain) const {
  std::vector<NodeId> found = order();
  std::erase_if(found, [&](NodeId id) { return !node(id).is(op_type, domain); });
  return found;
}

NodeId Graph::producer_of_type(ValueId id, std::string_view op_type,
                               std::string_view domain) const {
  const NodeId found = producer(id);
  return found != kNoNode && node(found).is(op_type, domain) ? found : kNoNode;
}

ValueId Graph::input(NodeId id, std::size_t index) const {
  const auto& all = node(id).inputs;
  return index < all.size() ? all[index] : kNoValue;
}

ValueId Graph::output(NodeId id, std::size_t index) const {
  const auto& all = node(id).outputs;
  return index < all.size() ? all[index] : kNoValue;
}

// --- mutators

void Graph::set_input(NodeId id, std::size_t index, ValueId to) {
  std::vector<ValueId>& all = node(id).inputs;
  if (index >= all.size()) all.resize(index + 1, kNoValue);
  remove_user(all[index], id);
  all[index] = to;
  add_user(to, id);
}

void Graph::remove_input(NodeId id, std::size_t index) {
  std::vector<ValueId>& all = node(id).inputs;
  remove_user(all[index], id);
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(index));
}

void Graph::replace_uses(ValueId from, ValueId to) {
  if (from == to) return;
  const std::vector<NodeId> users = std::move(value(from).users);
  value(from).users.clear();
  for (const NodeId user : users) {
    for (ValueId& in : node(user).inputs) {
      if (in != from) continue;
      in = to;
      add_user(to, user);
      break;  // one entry of `users` for each use
    }
  }
  for (GraphOutput& out : outputs_) {
    if (out.value == from) out.value = to;
  }
}

void Graph::remove_node(NodeId id) {
  for (const ValueId in : node(id).inputs) remove_user(in, id);
  for (const ValueId out : node(id).outputs) {
    if (out != kNoValue) value(out).producer = kNoNode;
  }
  nodes_[static_cast<std::size_t>(id)].reset();
}

void Graph::set_node_output(NodeId id, std::size_t index, ValueId to) {
  std::vector<ValueId>& all = node(id).outputs;
  if (index >= all.size()) all.resize(index + 1, kNoValue);
  if (all[index] != kNoValue) value(all[index]).producer = kNoNode;
  all[index] = to;
  if (to != kNoValue) value(to).producer = id;
}

int Graph::opset(std::string_view domain) const {
  const auto it = opsets.find(std::string(domain));
  return it == opsets.end() ? 1 : it->second;
}

std::vector<std::string> input_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId in : graph.inputs) names.push_back(graph.value(in).name);
  return names;
}

std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphOutput& out : graph.outputs()) names.push_back(out.name);
  return names;
}

// --- verify

namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), uses_(graph.value_count()) {}

  Status run() {
    for (NodeId id = 0; id < static_cast<NodeId>(graph_.node_slots()); ++id) {
      if (graph_.alive(id)) MINI_TRY(check_node(id));
    }
    for (const ValueId in : graph_.inputs) {
      if (!valid(in)) return bad("an input of the graph is no value");
      if (graph_.value(in).producer != kNoNode) return bad("input ", name(in), " has a producer");
    }
    for (const GraphOutput& out : graph_.outputs()) {
      if (!valid(out.value)) return bad("output '", out.name, "' of the graph is no value");
      MINI_TRY(check_defined(out.value, cat("output '", out.name, "'")));
    }
    MINI_TRY(check_uses());
    if (graph_.order().size() != graph_.node_count()) return bad("the nodes form a cycle");
    return ok();
  }

 private:
  template <class... Args>
  Status bad(const Args&... args) {
    return error(Code::kInternal, "graph '", graph_.name, "' is inconsistent: ", args...);
  }
  std::string name(ValueId id) const { return "'" + graph_.value(id).name + "'"; }
  bool valid(ValueId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < graph_.value_count();
  }

  Status check_defined(ValueId id, const std::string& user) {
    const Value& value = graph_.value(id);
    if (value.producer != kNoNode || value.is_constant() || graph_.is_input(id)) return ok();
    return bad(user, " uses ", name(id), ", which nothing produces");
  }

  Status check_node(NodeId id) {
    const Node& node = graph_.node(id);
    for (const ValueId in : node.inputs) {
      if (in == kNoValue) continue;
      if (!valid(in)) return bad(node.str(), " has an input that is no value");
      ++uses_[static_cast<std::size_t>(in)];
      MINI_TRY(check_defined(in, node.str()));
    }
    for (const ValueId out : node.outputs) {
      if (out == kNoValue) continue;
      if (!valid(out)) return bad(node.str(), " has an output that is no value");
      if (graph_.value(out).producer != id)
        return bad(name(out), " does not know its producer ", node.str());
      if (graph_.value(out).is_constant())
        return bad(name(out), " is constant and produced by ", node.str());
    }
    if (node.captures < 0 || static_cast<std::size_t>(node.captures) > node.inputs.size()) {
      return bad(node.str(), " has more captures than inputs");
    }
    return ok();
  }

  Status check_uses() {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      const Value& value = graph_.value(static_cast<ValueId>(i));
      if (value.users.size() != uses_[i]) {
        return bad("'", value.name, "' lists ", value.users.size(), " uses and has ", uses_[i]);
      }
      if (value.producer != kNoNode && !graph_.alive(value.producer)) {
        return bad("'", value.name, "' has a producer that was removed");
      }
    }
    return ok();
  }

  const Graph& graph_;
  std::vector<std::size_t> uses_;
};

}  // namespace

Status Graph::verify() const { return Verifier(*this).run(); }

}  // namespace mini_infer
