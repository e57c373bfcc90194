// MXNet's exporter writes a slope for each channel as [C]; ONNX aligns it with the last axis and
// wants [C,1,1]. A slope that fits both axes is read as written, unless another node of the model
// shows whose file it is.
#include <map>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

enum class Reading { kOther, kLastAxis, kEither, kChannels };

Reading read_slope(const Graph& graph, NodeId id) {
  const Tensor* slope = graph.constant(graph.input(id, 1));
  const auto& shape = graph.value(graph.input(id, 0)).shape;
  // Before opset 7, [C] is the way to say it.
  if (slope == nullptr || slope->shape().rank() != 1 || graph.node(id).opset < 7)
    return Reading::kOther;
  const std::int64_t count = slope->elements();
  if (!shape || shape->rank() < 3 || count == 1) return Reading::kOther;
  const Dim &channels = (*shape)[1], &last = (*shape)[shape->rank() - 1];
  if (!channels.is(count)) return Reading::kLastAxis;
  if (last.known() && !last.is(count)) return Reading::kChannels;
  return Reading::kEither;
}

}  // namespace

Result<std::string> fix_prelu(Edit& edit, const std::string&) {
  Graph& graph = edit.model.graph;
  std::map<NodeId, Reading> readings;
  bool mxnet = false;
  for (const NodeId id : graph.nodes_of("PRelu")) {
    readings[id] = read_slope(graph, id);
    mxnet = mxnet || readings[id] == Reading::kChannels;
  }
  std::size_t fixed = 0, left = 0;
  std::map<std::pair<ValueId, std::size_t>, ValueId> done;  // a slope may be shared
  for (const auto& [id, reading] : readings) {
    if (reading == Reading::kEither && !mxnet) ++left;
    if (reading != Reading::kChannels && (reading != Reading::kEither || !mxnet)) continue;
    const ValueId slope = graph.input(id, 1);
    const std::size_t rank = graph.value(graph.input(id, 0)).shape->rank();
    const auto [there, added] = done.try_emplace({slope, rank}, kNoValue);
    if (added) {
      std::vector<std::int64_t> extents(rank - 1, 1);
      extents[0] = graph.constant(slope)->elements();
      there->second =
          replace_constant(graph, id, 1, graph.constant(slope)->reshaped(Shape(extents)));
    } else {
      graph.set_input(id, 1, there->second);
    }
    ++fixed;
  }
  std::string what = cat(counted(fixed, "slope"), " of ", counted(readings.size(), "PRelu node"));
  if (left > 0)
    what += cat("; ", left,
                " left as written: the last axis has as many elements as there are channels");
  return what;
}

}  // namespace mini_infer
