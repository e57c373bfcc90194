#include "graph/edit/names.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <set>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

constexpr std::size_t kMostNearest = 3;

// Insertions, deletions and replacements of one character that lead from a to b.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = diagonal + (a[i] == b[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, diagonal + 1, row[k] + 1});
    }
  }
  return row.back();
}

bool has_node(const Graph& graph, std::string_view name);

bool subgraph_has_node(const Node& node, std::string_view name) {
  for (const auto& [key, attribute] : node.attributes) {
    if (const auto* one = std::get_if<GraphPtr>(&attribute)) {
      if (*one != nullptr && has_node(**one, name)) return true;
    } else if (const auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      for (const GraphPtr& each : *many) {
        if (each != nullptr && has_node(*each, name)) return true;
      }
    }
  }
  return false;
}

bool has_node(const Graph& graph, std::string_view name) {
  for (const NodeId id : graph.order()) {
    if (graph.node(id).name == name || subgraph_has_node(graph.node(id), name)) return true;
  }
  return false;
}

}  // namespace

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool fits = failure == std::errc() && end == text.data() + text.size() && number >= 1;
  return fits ? std::optional(number) : std::nullopt;
}

std::vector<std::string> split_text(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::set<std::pair<std::size_t, std::string>> near;
  for (const std::string& each : candidates) {
    const std::size_t part = each.find(name) != std::string::npos && !name.empty() ? 1 : 0;
    const std::size_t steps = part != 0 ? 1 : distance(name, each);
    if (steps > std::max<std::size_t>(2, name.size() / 2)) continue;
    near.emplace(steps, each);
    if (near.size() > kMostNearest) near.erase(std::prev(near.end()));
  }
  std::string text;
  for (const auto& [steps, each] : near) text += cat(text.empty() ? "" : ", ", "'", each, "'");
  return text.empty() ? text : cat("; nearest ", near.size() == 1 ? "is " : "are ", text);
}

NodeId find_node_id(const Graph& graph, std::string_view name) {
  for (std::size_t i = 0; i < graph.node_slots(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (graph.alive(id) && graph.node(id).name == name) return id;
  }
  return kNoNode;
}

Result<NodeId> find_node(const Graph& graph, std::string_view name) {
  const NodeId found = find_node_id(graph, name);
  if (found != kNoNode) return found;
  std::vector<std::string> names;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (subgraph_has_node(node, name)) {
      return error(Code::kInvalidArgument, "node '", name, "' is in a subgraph of ", node.str(),
                   "; steps change nodes of the main graph only");
    }
    names.push_back(node.name);
  }
  return error(Code::kInvalidArgument, "there is no node '", name, "'", nearest(name, names));
}

ValueId find_value_id(const Graph& graph, std::string_view name) {
  for (const GraphOutput& output : graph.outputs()) {
    if (output.name == name) return output.value;
  }
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Value& value = graph.value(id);
    const bool alive = value.producer != kNoNode || value.is_constant() || graph.is_input(id);
    if (alive && value.name == name) return id;
  }
  return kNoValue;
}

Result<ValueId> find_value(const Graph& graph, std::string_view name) {
  const ValueId found = find_value_id(graph, name);
  if (found != kNoValue) return found;
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) names.push_back(output.name);
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Value& value = graph.value(id);
    if (value.producer != kNoNode || graph.is_input(id)) names.push_back(value.name);
  }
  return error(Code::kInvalidArgument, "there is no value '", name, "'", nearest(name, names));
}

std::vector<std::pair<std::string, std::string>> cuts(const std::string& text, char separator) {
  std::vector<std::pair<std::string, std::string>> found;
  for (std::size_t at = text.find(separator); at != std::string::npos;
       at = text.find(separator, at + 1)) {
    if (at > 0 && at + 1 < text.size()) found.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  return found;
}

UsedNames used_names(const Graph& graph) {
  UsedNames used;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    used.unique(graph.value(id).name);
  }
  for (const GraphOutput& output : graph.outputs()) used.unique(output.name);
  return used;
}

std::string counted(std::size_t count, std::string_view noun) {
  return cat(count, ' ', noun, count == 1 ? "" : "s");
}

}  // namespace mini_infer
