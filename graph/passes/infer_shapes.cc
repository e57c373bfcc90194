// before:  %y = Conv(%x, %w)
// after:   %y: float32[N,64,112,112] = Conv(%x, %w)
// when:    always; a rewrite is a value of which something new is known
//
// All later passes read shapes, so this one runs whatever PassOptions::stop_after says.

#include <utility>
#include <vector>

#include "graph/passes/pass.h"

namespace mini_infer {
namespace {

struct Known {
  DType dtype;
  std::optional<SymShape> shape;
  std::optional<std::vector<Dim>> contents;
  friend bool operator==(const Known&, const Known&) = default;
};

Known known(const Value& value) { return {value.dtype, value.shape, value.contents}; }

}  // namespace

Result<int> infer_shapes(Graph& graph, PassContext& context) {
  std::vector<Known> before;
  const auto count = static_cast<ValueId>(graph.value_count());
  before.reserve(graph.value_count());
  for (ValueId id = 0; id < count; ++id) before.push_back(known(graph.value(id)));
  MINI_TRY(infer_shapes(graph, context.ops, context.log));
  int news = 0;
  for (ValueId id = 0; id < count; ++id) {
    const Value& value = graph.value(id);
    if (value.is_constant()) continue;
    news += known(value) == before[static_cast<std::size_t>(id)] ? 0 : 1;
  }
  return news;
}

}  // namespace mini_infer
