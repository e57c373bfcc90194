// What the arguments of steps name, and what to say where nothing has that name.
#pragma once

#include <mini_infer/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/onnx/import_state.h"

namespace mini_infer {

// A number from 1 on, and nothing else.
std::optional<std::int64_t> parse_count(std::string_view text);
// The parts between separators.
std::vector<std::string> split_text(std::string_view text, char separator);

// "; nearest are 'a', 'b'", or nothing when no candidate is anything like `name`.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

// Nodes of the main graph. kInvalidArgument with the nearest names, or with the node whose subgraph
// has one of that name.
Result<NodeId> find_node(const Graph& graph, std::string_view name);
// kNoNode where there is none.
NodeId find_node_id(const Graph& graph, std::string_view name);
// Values of the main graph by name, outputs by theirs; kInvalidArgument with the nearest names.
Result<ValueId> find_value(const Graph& graph, std::string_view name);
// kNoValue where there is none.
ValueId find_value_id(const Graph& graph, std::string_view name);

// All places where `text` can be cut at a separator, as the parts before and after: names may have
// separators in them.
std::vector<std::pair<std::string, std::string>> cuts(const std::string& text, char separator);

// Names of all values, inputs and outputs of the main graph.
UsedNames used_names(const Graph& graph);
// "1 input", "3 inputs"
std::string counted(std::size_t count, std::string_view noun);

}  // namespace mini_infer
