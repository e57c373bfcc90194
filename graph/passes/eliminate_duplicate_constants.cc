// before:  two large constants with the same elements
// after:   one, used in place of the other too
// when:    same dtype and shape; small ones are merged by eliminate_common_subexpressions
//
// Reads constants of which there are two with the same dtype and shape, and lets them go again.

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr std::size_t kSmallest = 1024;  // bytes; the others are taken care of

bool same_bytes(const Tensor& a, const Tensor& b) {
  if (a.identity() == b.identity()) return true;
  const Tensor x = a.unread(), y = b.unread();
  return std::memcmp(x.data(), y.data(), x.bytes()) == 0;
}

using Kind = std::pair<DType, std::vector<std::int64_t>>;

}  // namespace

Result<int> eliminate_duplicate_constants(Graph& graph, PassContext& context) {
  std::map<Kind, std::vector<ValueId>> kept;
  int merged = 0;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    if (context.rewrites_left <= 0) break;
    const Tensor* tensor = graph.constant(id);
    if (tensor == nullptr || tensor->dtype() == DType::kString || tensor->bytes() <= kSmallest ||
        graph.value(id).users.empty() || graph.is_output(id)) {
      continue;
    }
    std::vector<ValueId>& others = kept[{tensor->dtype(), tensor->shape().dims()}];
    const auto same = std::find_if(others.begin(), others.end(), [&](ValueId other) {
      return same_bytes(*graph.constant(other), *tensor);
    });
    if (same == others.end()) {
      others.push_back(id);
      continue;
    }
    graph.replace_uses(id, *same);
    --context.rewrites_left;
    ++merged;
  }
  return merged;
}

}  // namespace mini_infer
