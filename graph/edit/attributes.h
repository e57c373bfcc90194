// Which attributes ONNX's operators have.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir/graph.h"

namespace mini_infer {

struct KnownAttribute {
  std::string name;
  char kind;  // as in attributes.def
};
// Those of the node's operator in the node's opset; no value for operators of other domains and for
// those that the table does not have, which may have none.
std::optional<std::vector<KnownAttribute>> known_attributes(const Node& node);
// "int", "floats", ... for a letter of attributes.def.
std::string_view kind_name(char kind);
// The letter for a value.
char kind_of(const Attribute& attribute);

}  // namespace mini_infer
