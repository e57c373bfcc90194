#include "tools/html_page.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "tools/demo/embedded.h"
#include "tools/graph_layout.h"
#include "tools/node_view.h"
#include "tools/print.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kLongestLabel = 28;

std::string shortened(const std::string& text) {
  const std::u32string characters = from_utf8(text);
  if (characters.size() <= kLongestLabel) return printable(text);
  std::string out;
  for (const char32_t c : characters.substr(0, kLongestLabel - 1)) append_utf8(out, c);
  append_utf8(out, U'\u2026');
  return printable(out);
}

double width_of(const std::string& label, const std::string& note) {
  constexpr double kLeast = 64, kLabelCharacter = 7.4, kNoteCharacter = 5.6, kEdge = 14;
  return std::max({kLeast, kEdge + kLabelCharacter * static_cast<double>(from_utf8(label).size()),
                   kEdge + kNoteCharacter * static_cast<double>(from_utf8(note).size())});
}

std::string shape_note(const Value& value) { return value.shape ? value.shape->str() : ""; }

// The boxes and lines of the picture: nodes, and the inputs and outputs of the graph.
class Picture {
 public:
  explicit Picture(const Graph& graph) : graph_(graph), box_of_(graph.value_count(), -1) {
    const std::vector<NodeId> order = graph.order();
    for (const NodeId id : order) add_node(id);
    for (const ValueId id : graph.inputs) {
      box_of_[static_cast<std::size_t>(id)] = add_end(graph.value(id).name, id, "outputs");
    }
    for (const NodeId id : order) {
      for (const ValueId in : graph.node(id).inputs) add_edge(in, node_box_.at(id));
    }
    for (const GraphOutput& out : graph.outputs()) {
      add_edge(out.value, add_end(out.name, out.value, "inputs"));
    }
  }

  // `step_of` says which step computes a node.
  Json json(const std::map<NodeId, std::size_t>& step_of) {
    const GraphLayout layout = lay_out(widths_, pairs_);
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i]["x"] = tenths(layout.nodes[i].x);
      boxes_[i]["y"] = tenths(layout.nodes[i].y);
    }
    for (const auto& [id, step] : step_of)
      boxes_[static_cast<std::size_t>(node_box_.at(id))]["step"] = step;
    Json edges = Json::array();
    for (std::size_t e = 0; e < pairs_.size(); ++e) {
      Json points = Json::array();
      for (const Point& point : layout.edges[e])
        points.push_back({tenths(point.x), tenths(point.y)});
      edges.push_back({{"from", pairs_[e].first},
                       {"to", pairs_[e].second},
                       {"value", values_[e]},
                       {"points", std::move(points)}});
    }
    return {{"width", tenths(layout.width)},
            {"height", tenths(layout.height)},
            {"node_height", kNodeHeight},
            {"nodes", std::move(boxes_)},
            {"edges", std::move(edges)}};
  }

 private:
  static double tenths(double x) {
    return static_cast<double>(static_cast<long long>(x * 10)) / 10;
  }

  void add_node(NodeId id) {
    const Node& node = graph_.node(id);
    const bool known = !node.outputs.empty() && node.outputs[0] != kNoValue;
    const int box =
        add_box(node.name, node.op_type, known ? shape_note(graph_.value(node.outputs[0])) : "",
                false, node_json({&graph_, id, ""}));
    node_box_[id] = box;
    for (const ValueId out : node.outputs) {
      if (out != kNoValue) box_of_[static_cast<std::size_t>(out)] = box;
    }
  }

  // An input of the graph is the output of its box, and the other way round.
  int add_end(const std::string& name, ValueId id, const char* side) {
    const Value& value = graph_.value(id);
    Json described = {{"name", value.name}, {"dtype", dtype_name(value.dtype)}, {"shape", nullptr}};
    if (value.shape) {
      described["shape"] = Json::array();
      for (const Dim& dim : *value.shape) described["shape"].push_back(dim.str());
    }
    return add_box(name, name, shape_note(value), true, {{side, Json::array({described})}});
  }

  int add_box(const std::string& name, const std::string& label, const std::string& note, bool end,
              Json details) {
    const std::string short_label = shortened(label), short_note = shortened(note);
    widths_.push_back(width_of(short_label, short_note));
    boxes_.push_back({{"name", name},
                      {"label", short_label},
                      {"note", short_note},
                      {"end", end},
                      {"width", tenths(widths_.back())},
                      {"details", std::move(details)}});
    return static_cast<int>(widths_.size()) - 1;
  }

  void add_edge(ValueId value, int to) {
    const int from = value == kNoValue ? -1 : box_of_[static_cast<std::size_t>(value)];
    if (from < 0 || !seen_.emplace(value, to).second) return;
    pairs_.emplace_back(from, to);
    values_.push_back(graph_.value(value).name);
  }

  const Graph& graph_;
  std::vector<int> box_of_;  // of the values, -1: none makes it
  std::map<NodeId, int> node_box_;
  Json boxes_ = Json::array();
  std::vector<double> widths_;
  std::vector<std::pair<int, int>> pairs_;
  std::vector<std::string> values_;  // of the edges
  std::set<std::pair<ValueId, int>> seen_;
};

// Which step of the plan computes a node of the file: those between the values that go into a step
// and those that come out of it, as far as no earlier step has computed them.
std::map<NodeId, std::size_t> assign_steps(const Graph& graph, const PlanInfo& plan) {
  std::map<std::string_view, NodeId> producers;
  for (std::size_t v = 0; v < graph.value_count(); ++v) {
    const Value& value = graph.value(static_cast<ValueId>(v));
    if (value.producer != kNoNode) producers.emplace(value.name, value.producer);
  }
  std::map<NodeId, std::size_t> step_of;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const std::set<std::string_view> given(plan.steps[s].inputs.begin(),
                                           plan.steps[s].inputs.end());
    std::vector<NodeId> open;
    const auto reach = [&](const std::string& name) {
      const auto found = producers.find(name);
      if (!given.contains(name) && found != producers.end()) open.push_back(found->second);
    };
    for (const std::string& name : plan.steps[s].outputs) reach(name);
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      if (!step_of.emplace(id, s).second) continue;
      for (const ValueId in : graph.node(id).inputs) {
        if (in != kNoValue) reach(graph.value(in).name);
      }
    }
  }
  return step_of;
}

Json steps_json(const PlanInfo& plan, double& total_ms) {
  Json steps = Json::array();
  for (const StepInfo& step : plan.steps) {
    Json json = {{"op", step.op}, {"kernel", step.kernel}, {"why", step.why}};
    if (step.runs > 0) {
      const double ms = step.seconds * 1e3 / static_cast<double>(step.runs);
      json["ms"] = ms;
      total_ms += ms;
    }
    steps.push_back(std::move(json));
  }
  return steps;
}

// Puts `text` in the place of a marker that the template has once.
void append_up_to(std::string_view& rest, std::string_view marker, std::string_view text,
                  std::string& page) {
  const std::size_t at = rest.find(marker);
  page += rest.substr(0, at);
  page += text;
  rest.remove_prefix(at + marker.size());
}

std::string_view embedded(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::string make_page(const PageContent& content) {
  std::map<NodeId, std::size_t> step_of;
  double total_ms = 0;
  Json steps = Json::array();
  if (content.plan != nullptr) {
    step_of = assign_steps(content.graph, *content.plan);
    steps = steps_json(*content.plan, total_ms);
  }
  Json data = Picture(content.graph).json(step_of);
  data["model"] = content.model;
  data["steps"] = std::move(steps);
  data["total_ms"] = total_ms;
  // A '<' in JSON is inside a string; without it nothing can end the script element.
  std::string text;
  for (const char c : dump(data, -1)) text += c == '<' ? std::string("\\u003c") : std::string(1, c);

  std::string page;
  std::string_view rest = embedded(page_html, page_html_size);
  append_up_to(rest, "@page.css@", embedded(page_css, page_css_size), page);
  append_up_to(rest, "@data@", text, page);
  append_up_to(rest, "@page.js@", embedded(page_js, page_js_size), page);
  page += rest;
  return page;
}

}  // namespace mini_infer::tools
