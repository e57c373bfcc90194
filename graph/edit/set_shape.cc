// Sets the shape of an input. Extents are separated by ',' where there is one, else by 'x'.
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

Result<Dim> parse_dim(const std::string& text) {
  if (const auto number = parse_count(text)) return Dim(*number);
  const bool name = !text.empty() && text.find_first_of("()?[]+-*/ ") == std::string::npos &&
                    text.find_first_of("0123456789") != 0;
  if (name) return Dim(text);
  return error(Code::kInvalidArgument, "'", text,
               "' is neither a number from 1 on nor a name; a shape is 1x3x224x224 or Nx3xHxW");
}

Result<SymShape> parse_shape(const std::string& text) {
  SymShape shape;
  for (const std::string& each :
       split_text(text, text.find(',') != std::string::npos ? ',' : 'x')) {
    MINI_TRY_ASSIGN(Dim dim, parse_dim(each));
    shape.push_back(std::move(dim));
  }
  return shape;
}

}  // namespace

Result<std::string> set_shape(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  const std::size_t at = text.rfind('=');
  const std::string name = text.substr(0, at);
  std::vector<std::string> names;
  for (const ValueId in : graph.inputs) {
    Value& value = graph.value(in);
    names.push_back(value.name);
    if (value.name != name) continue;
    MINI_TRY_ASSIGN(SymShape shape, parse_shape(text.substr(at + 1)));
    if (value.shape && value.shape->rank() != shape.rank()) {
      return error(Code::kInvalidArgument, "input '", name, "' has shape ", *value.shape,
                   " of rank ", value.shape->rank(), "; ", shape, " has rank ", shape.rank());
    }
    const std::string before = type_str(value);
    value.shape = std::move(shape);
    return cat("input '", name, "' is ", type_str(value), ", was ", before);
  }
  return error(Code::kInvalidArgument, "there is no input '", name, "'; the inputs are ", names);
}

}  // namespace mini_infer
