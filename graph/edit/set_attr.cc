// Sets an attribute of a node. Its kind is that of the attribute that is there; where there is
// none, that of attributes.def for the operator in the node's opset. Attributes that neither knows
// are refused.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "graph/edit/attributes.h"
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool fits = failure == std::errc() && end == text.data() + text.size() && !text.empty();
  return fits ? std::optional(number) : std::nullopt;
}

// "1,2,3" or "[1,2,3]"; "[]" is empty.
std::vector<std::string> list_items(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  return text.empty() ? std::vector<std::string>() : split_text(text, ',');
}

template <class T>
std::optional<std::vector<T>> parse_list(std::string_view text) {
  std::vector<T> list;
  for (const std::string& item : list_items(text)) {
    const auto number = parse_number<T>(item);
    if (!number) return std::nullopt;
    list.push_back(*number);
  }
  return list;
}

// One element of a tensor; false when the dtype cannot hold it.
template <class T>
bool store(const std::string& text, T& element) {
  if constexpr (std::is_integral_v<T>) {
    const auto number = parse_number<std::int64_t>(text);
    if (!number || *number < static_cast<std::int64_t>(std::numeric_limits<T>::min())) return false;
    if (*number > 0 && static_cast<std::uint64_t>(*number) > std::numeric_limits<T>::max()) {
      return false;
    }
    element = static_cast<T>(*number);
  } else {
    const auto number = parse_number<double>(text);
    if (!number) return false;
    if constexpr (std::is_same_v<T, Float16>) {
      element = to_float16(static_cast<float>(*number));
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      element = to_bfloat16(static_cast<float>(*number));
    } else {
      element = static_cast<T>(*number);
    }
  }
  return true;
}

// "float32[2,2]:1,2,3,4", "int64:7" (one dimension), "float32[]:0.5" (a scalar).
std::optional<Tensor> parse_tensor(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::size_t bracket = std::min(text.find('['), colon);
  const DType dtype = dtype_from_name(std::string_view(text).substr(0, bracket));
  const std::vector<std::string> items = list_items(std::string_view(text).substr(colon + 1));
  Shape shape = {static_cast<std::int64_t>(items.size())};
  if (bracket < colon) {
    const auto extents = parse_list<std::int64_t>(text.substr(bracket, colon - bracket));
    if (!extents || text[colon - 1] != ']') return std::nullopt;
    shape = Shape(*extents);
  }
  if (!checked_bytes(dtype, shape).ok() ||
      shape.elements() != static_cast<std::int64_t>(items.size()))
    return std::nullopt;
  Tensor tensor(dtype, shape);
  bool fits = true;
  const bool numeric = dispatch_dtype(dtype, [&]<class T>() {
    T* elements = tensor.mutable_data<T>();
    for (std::size_t i = 0; i < items.size() && fits; ++i) fits = store(items[i], elements[i]);
  });
  return numeric && fits ? std::optional(tensor) : std::nullopt;
}

template <class T>
std::optional<Attribute> as_attribute(std::optional<T> value) {
  return value ? std::optional<Attribute>(std::move(*value)) : std::nullopt;
}

std::optional<Attribute> parse_value(char kind, const std::string& text) {
  switch (kind) {
    case 'i':
      return as_attribute(parse_number<std::int64_t>(text));
    case 'f':
      return as_attribute(parse_number<float>(text));
    case 's':
      return Attribute(text);
    case 't':
      return as_attribute(parse_tensor(text));
    case 'I':
      return as_attribute(parse_list<std::int64_t>(text));
    case 'F':
      return as_attribute(parse_list<float>(text));
    case 'S':
      return Attribute(list_items(text));
    default:
      return std::nullopt;
  }
}

std::string_view example(char kind) {
  switch (kind) {
    case 'i':
      return "such as 2";
    case 'f':
      return "such as 1e-5";
    case 't':
      return "such as float32[2]:0.5,1";
    case 'I':
      return "such as 1,2,3";
    case 'F':
      return "such as 0.5,1";
    default:
      return "which cannot be set";
  }
}

struct Target {
  NodeId node;
  std::string attribute, value;
};

// Names of nodes may hold dots and '='.
Result<Target> find_target(const Graph& graph, const std::string& text) {
  std::optional<Status> failure;
  for (const auto& [left, value] : cuts(text, '=')) {
    const std::size_t dot = left.rfind('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == left.size()) continue;
    const Result<NodeId> node = find_node(graph, left.substr(0, dot));
    if (node.ok()) return Target{*node, left.substr(dot + 1), value};
    if (!failure) failure = node.status();
  }
  if (failure) return *failure;
  return error(Code::kInvalidArgument, "it takes NODE.ATTR=VALUE");
}

// The kind the attribute must have.
Result<char> wanted_kind(const Node& node, const std::string& name) {
  const auto there = node.attributes.find(name);
  if (there != node.attributes.end()) return kind_of(there->second);
  const auto known = known_attributes(node);
  std::vector<std::string> names;
  if (known) {
    for (const KnownAttribute& each : *known) {
      if (each.name == name) return each.kind;
      names.push_back(each.name);
    }
  }
  if (names.empty()) {
    for (const auto& [each, value] : node.attributes) names.push_back(each);
  }
  return error(Code::kInvalidArgument, node.str(), " has no attribute '", name, "'; ",
               names.empty() ? "it has none" : cat("it has ", names));
}

}  // namespace

Result<std::string> set_attr(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(const Target target, find_target(graph, text));
  Node& node = graph.node(target.node);
  MINI_TRY_ASSIGN(const char kind, wanted_kind(node, target.attribute));
  std::optional<Attribute> value = parse_value(kind, target.value);
  if (!value) {
    return error(Code::kInvalidArgument, node.str(), ": attribute '", target.attribute,
                 "' is of kind ", kind_name(kind), ", ", example(kind), "; '", target.value,
                 "' is not");
  }
  const auto there = node.attributes.find(target.attribute);
  const std::string before =
      there == node.attributes.end() ? "added" : cat("was ", attribute_str(there->second));
  std::string what =
      cat(target.attribute, " of ", node.str(), " is ", attribute_str(*value), ", ", before);
  node.attributes[target.attribute] = std::move(*value);
  return what;
}

}  // namespace mini_infer
