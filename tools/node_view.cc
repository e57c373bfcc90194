#include "tools/node_view.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "tools/common.h"
#include "tools/nearest.h"
#include "tools/text.h"
#include "tools/value_range.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

void add_bodies(const NodePlace& place, std::vector<NodePlace>& out);

void add_nodes(const Graph& graph, const std::string& where, std::vector<NodePlace>& out) {
  for (const NodeId id : graph.order()) {
    out.push_back({&graph, id, where});
    add_bodies(NodePlace(out.back()), out);
  }
}

void add_bodies(const NodePlace& place, std::vector<NodePlace>& out) {
  for (const auto& [name, attribute] : place.node().attributes) {
    const std::string where = name + " of '" + place.node().name + "'";
    if (const auto* body = std::get_if<GraphPtr>(&attribute)) add_nodes(**body, where, out);
    if (const auto* bodies = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      for (const GraphPtr& each : *bodies) add_nodes(*each, where, out);
    }
  }
}

bool matches(const std::string& text, const std::vector<std::regex>& patterns) {
  constexpr std::size_t kMost = 1000;  // std::regex recurses for each character
  const std::string start = text.substr(0, kMost);
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::regex& each) { return std::regex_search(start, each); });
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_chosen(const NodePlace& place, const NodeQuery& query,
               const std::vector<std::regex>& patterns) {
  const Node& node = place.node();
  if (!query.names.empty() && !contains(query.names, node.name)) return false;
  if (!query.ops.empty() && !contains(query.ops, node.op_type)) return false;
  if (patterns.empty() || matches(node.name, patterns)) return true;
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id != kNoValue && matches(place.graph->value(id).name, patterns);
  });
}

// What is asked for by name must be there.
Status check_there(const std::vector<NodePlace>& nodes, const NodeQuery& query) {
  std::set<std::string> names, ops;
  for (const NodePlace& place : nodes) {
    names.insert(place.node().name);
    ops.insert(place.node().op_type);
  }
  std::string problems;
  const auto check = [&](const auto& wanted, const auto& there, const char* what) {
    for (const std::string& each : wanted) {
      if (there.contains(each)) continue;
      const std::vector<std::string> known(there.begin(), there.end());
      problems += (problems.empty() ? "" : "\n") + not_found(what, each, known);
    }
  };
  check(query.names, names, "node");
  check(query.ops, ops, "node of type");
  return problems.empty() ? ok() : Status(Code::kInvalidArgument, problems);
}

// --- values

std::string type_of(const Value& value) {
  return std::string(dtype_name(value.dtype)) + ' ' + (value.shape ? value.shape->str() : "[?]");
}

std::string node_title(const Node& node) {
  return '\'' + printable(node.name) + "' (" + printable(node.op_type) + ')';
}

// "made by 'Conv_3' (Conv)", and the like.
std::string origin(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.producer != kNoNode) return "made by " + node_title(graph.node(value.producer));
  return graph.is_input(id) ? "input of the graph" : "";
}

std::string constant_line(const Tensor& tensor) {
  const Summary summary = summarize(tensor);
  if (tensor.dtype() == DType::kString || tensor.elements() == 0) return "constant";
  if (static_cast<std::size_t>(tensor.elements()) <= summary.first.size()) {
    std::string line = "constant";
    for (const std::string& element : summary.first) line += ' ' + element;
    return line;
  }
  std::string line =
      format("constant, min %.6g  max %.6g  mean %.6g", summary.min, summary.max, summary.mean);
  if (summary.not_finite > 0)
    line += format("  not finite %lld", static_cast<long long>(summary.not_finite));
  return line + "  " + sparkline(histogram(tensor));
}

std::string users_line(const Graph& graph, ValueId id) {
  std::set<NodeId> users(graph.value(id).users.begin(), graph.value(id).users.end());
  std::string line = graph.is_output(id) ? "output of the graph" : "";
  for (const NodeId user : users) {
    line += (line.empty() ? "used by " : ", ") + node_title(graph.node(user));
  }
  return line.empty() ? "not used" : line;
}

Json value_json(const Graph& graph, ValueId id) {
  if (id == kNoValue) return nullptr;
  const Value& value = graph.value(id);
  Json json = {{"name", value.name}, {"dtype", dtype_name(value.dtype)}, {"shape", nullptr}};
  if (value.shape) {
    json["shape"] = Json::array();
    for (const Dim& dim : *value.shape) {
      json["shape"].push_back(dim.known() ? Json(dim.value()) : Json(dim.symbol()));
    }
  }
  if (value.producer != kNoNode) json["producer"] = graph.node(value.producer).name;
  if (graph.is_input(id)) json["graph_input"] = true;
  if (graph.is_output(id)) json["graph_output"] = true;
  if (value.is_constant()) {
    const Tensor constant = value.constant.unread();
    json["constant"] = summary_json(value.name, constant);
    json["constant"]["histogram"] = histogram(constant);
  }
  return json;
}

// --- attributes

constexpr std::size_t kMostElements = 1000;

struct AttributeJson {
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(float value) const { return value; }
  Json operator()(const std::string& value) const { return value; }
  Json operator()(const Tensor& value) const {
    Json json = summary_json("", value);
    json.erase("name");
    if (value.elements() > static_cast<std::int64_t>(kMostElements)) return json;
    json["values"] = Json::array();
    visit(value, [&]<class T>(std::span<const T> elements) {
      for (const T& element : elements) {
        if constexpr (std::is_same_v<T, std::string>) {
          json["values"].push_back(element);
        } else {
          json["values"].push_back(to_double(element));
        }
      }
    });
    return json;
  }
  Json operator()(const GraphPtr& value) const { return {{"nodes", value->node_count()}}; }
  template <class T>
  Json operator()(const std::vector<T>& values) const {
    if (values.size() > kMostElements) return {{"elements", values.size()}};
    Json json = Json::array();
    for (const T& value : values) json.push_back((*this)(value));
    return json;
  }
};

// Lists in full, as far as they are not too long for a line.
std::string attribute_text(const Attribute& attribute) {
  const std::string text = dump(std::visit(AttributeJson{}, attribute), -1);
  constexpr std::size_t kMost = 400;
  const bool structure = std::holds_alternative<Tensor>(attribute) || text.size() > kMost;
  return printable(structure ? attribute_str(attribute) : text);
}

}  // namespace

std::vector<NodePlace> all_nodes(const Graph& graph) {
  std::vector<NodePlace> nodes;
  add_nodes(graph, "", nodes);
  return nodes;
}

std::string pattern_problem(const std::string& pattern) {
  try {
    const std::regex regex(pattern);
    return "";
  } catch (const std::regex_error& error) {
    return "'" + pattern + "' is no regular expression: " + error.what();
  }
}

Result<std::vector<NodePlace>> find_nodes(const Graph& graph, const NodeQuery& query) {
  const std::vector<NodePlace> nodes = all_nodes(graph);
  MINI_TRY(check_there(nodes, query));
  const std::vector<std::regex> patterns(query.patterns.begin(), query.patterns.end());
  std::vector<NodePlace> chosen;
  for (const NodePlace& place : nodes) {
    if (is_chosen(place, query, patterns)) chosen.push_back(place);
  }
  if (!chosen.empty()) return chosen;
  return Status(Code::kInvalidArgument, format("none of the %zu nodes matches", nodes.size()));
}

Histogram histogram(const Tensor& tensor) {
  Histogram counts{};
  const ValueRange range = range_of(tensor);
  if (range.finite == 0) return counts;
  const double width = (range.max - range.min) / static_cast<double>(counts.size());
  visit(tensor, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_same_v<T, std::string>) {
      for (const T element : values) {
        const double value = to_double(element);
        if (!std::isfinite(value)) continue;
        const double place = width > 0 ? (value - range.min) / width : 0;
        ++counts[std::min(static_cast<std::size_t>(place), counts.size() - 1)];
      }
    }
  });
  return counts;
}

std::string sparkline(const Histogram& histogram) {
  const std::int64_t most = *std::max_element(histogram.begin(), histogram.end());
  std::string line;
  for (const std::int64_t count : histogram) {
    constexpr std::int64_t kHeights = 8;
    const std::int64_t height = most > 0 ? (count * kHeights + most - 1) / most : 0;
    append_utf8(line, height == 0 ? U' ' : U'\u2580' + static_cast<char32_t>(height));
  }
  return line;
}

std::string print_node(const NodePlace& place) {
  const Graph& graph = *place.graph;
  const Node& node = place.node();
  std::string text = printable(node.str());
  if (!node.domain.empty()) text += " of domain " + printable(node.domain);
  if (!place.where.empty()) text += ", in " + printable(place.where);
  Table table;
  for (const auto& [name, attribute] : node.attributes) {
    table.add(
        {"  attribute", printable(name), attribute_kind(attribute), attribute_text(attribute)});
  }
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) {
      table.add({"  input", "(left out)"});
      continue;
    }
    const Value& value = graph.value(id);
    table.add({"  input", printable(value.name), type_of(value),
               value.is_constant() ? constant_line(value.constant.unread()) : origin(graph, id)});
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const Value& value = graph.value(id);
    table.add({"  output", printable(value.name), type_of(value), users_line(graph, id)});
  }
  return text + '\n' + table.str();
}

Json node_json(const NodePlace& place) {
  const Graph& graph = *place.graph;
  const Node& node = place.node();
  Json json = {{"name", node.name},       {"op", node.op_type},      {"domain", node.domain},
               {"opset", node.opset},     {"where", place.where},    {"attributes", Json::array()},
               {"inputs", Json::array()}, {"outputs", Json::array()}};
  for (const auto& [name, attribute] : node.attributes) {
    json["attributes"].push_back({{"name", name},
                                  {"kind", attribute_kind(attribute)},
                                  {"value", std::visit(AttributeJson{}, attribute)}});
  }
  for (const ValueId id : node.inputs) json["inputs"].push_back(value_json(graph, id));
  for (const ValueId id : node.outputs) {
    Json value = value_json(graph, id);
    if (id != kNoValue) {
      value["consumers"] = Json::array();
      const std::set<NodeId> users(graph.value(id).users.begin(), graph.value(id).users.end());
      for (const NodeId user : users) value["consumers"].push_back(graph.node(user).name);
    }
    json["outputs"].push_back(std::move(value));
  }
  return json;
}

}  // namespace mini_infer::tools
