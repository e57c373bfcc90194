// before:  x -> Resize or Upsample by 1 -> y
// after:   x
// when:    the shapes are equal and known, and the scales are 1 or the sizes were given; not with
//          tf_crop_and_resize, which takes a region of x
//
// Equal shapes alone do not do: a scale of 1.1 keeps an extent of 5 and moves the samples.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool scales_are_one(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (const Floats* scales = graph.attribute<Floats>(id, "scales")) {
    for (const float scale : *scales) {
      if (scale != 1.f) return false;
    }
    return true;
  }
  const std::size_t input = node.op_type == "Resize" && node.opset >= 11 ? 2 : 1;
  if (node.op_type == "Resize" && graph.input(id, 3) != kNoValue) return true;
  const ValueId scales = graph.input(id, input);
  return scales != kNoValue && uniform_constant(graph, scales) == 1.0;
}

}  // namespace

Result<int> eliminate_noop_resize(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Resize", "Upsample"}, [&](NodeId id) {
    const auto* mode = graph.attribute<std::string>(id, "coordinate_transformation_mode");
    if ((mode != nullptr && *mode == "tf_crop_and_resize") ||
        !same_shape(graph, graph.input(id, 0), graph.output(id)) || !scales_are_one(graph, id)) {
      return false;
    }
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
