#include "graph/edit/attributes.h"

#include <algorithm>
#include <iterator>

#include "graph/edit/names.h"

namespace mini_infer {
namespace {

struct Row {
  std::string_view op;
  int since;
  std::string_view attributes;
};
constexpr Row kRows[] = {
#define MINI_ATTRIBUTES(op, since, attributes) {op, since, attributes},
#include "graph/edit/attributes.def"
#undef MINI_ATTRIBUTES
};

// In the order of Attribute's alternatives.
constexpr std::string_view kLetters = "ifstgIFSTG";

}  // namespace

std::optional<std::vector<KnownAttribute>> known_attributes(const Node& node) {
  if (!node.domain.empty()) return std::nullopt;
  const Row* found = nullptr;
  for (const Row& row : kRows) {
    if (row.op == node.op_type && row.since <= node.opset) found = &row;
  }
  if (found == nullptr) return std::nullopt;
  std::vector<KnownAttribute> known;
  if (found->attributes.empty()) return known;
  for (const std::string& each : split_text(found->attributes, ' ')) {
    known.push_back({each.substr(0, each.size() - 2), each.back()});
  }
  return known;
}

std::string_view kind_name(char kind) {
  constexpr std::string_view kNames[] = {"int",  "float",  "string",  "tensor",  "graph",
                                         "ints", "floats", "strings", "tensors", "graphs"};
  const std::size_t place = kLetters.find(kind);
  return place < std::size(kNames) ? kNames[place] : "unknown";
}

char kind_of(const Attribute& attribute) { return kLetters[attribute.index()]; }

}  // namespace mini_infer
