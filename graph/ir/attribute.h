// Attribute values of a node.
#pragma once

#include <mini_infer/tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace mini_infer {

class Graph;

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;
// Subgraphs are shared by copies of a node and never written through them; a pass that changes one
// puts a changed copy in its place.
using GraphPtr = std::shared_ptr<const Graph>;

using Attribute = std::variant<std::int64_t, float, std::string, Tensor, GraphPtr, Ints, Floats,
                               Strings, std::vector<Tensor>, std::vector<GraphPtr>>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

// "int", "float", "string", "tensor", "graph", "ints", ...
const char* attribute_kind(const Attribute& attribute);
// The value as text; tensors and long lists are cut.
std::string attribute_str(const Attribute& attribute);

}  // namespace mini_infer
