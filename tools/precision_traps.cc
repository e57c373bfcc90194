#include "tools/precision_traps.h"

#include <algorithm>
#include <cmath>

#include "graph/ir/constants.h"
#include "graph/passes/match.h"
#include "tools/common.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

// The least positive float16, and its largest. A float32 variance near 1 does not feel 1e-8.
constexpr double kLeastHalf = 5.960464477539063e-08, kMostHalf = 65504, kLeastEpsilon = 1e-8;

// How often something was seen, and where first.
struct Count {
  int number = 0;
  std::string first;
  void add(const std::string& where) {
    if (number++ == 0) first = where;
  }
  void report(std::vector<std::string>& lines, const char* what, const char* why) const {
    if (number == 0) return;
    const char* more = number == 1 ? "" : ", the first";
    lines.push_back(format("%d %s%s %s: %s", number, what, more, printable(first).c_str(), why));
  }
};

struct Traps {
  bool half = false;
  Count epsilons, broken, large;

  void look_at(const Graph& graph) {
    for (const NodeId id : graph.order()) look_at_node(graph, id);
    for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
      const Value& value = graph.value(id);
      if (value.is_constant() && is_float(value.constant.dtype())) look_at_constant(value);
    }
  }

  void look_at_node(const Graph& graph, NodeId id) {
    Node node = graph.node(id);
    const float* epsilon = graph.attribute<float>(id, "epsilon");
    const double least = half ? kLeastHalf : kLeastEpsilon;
    if (epsilon != nullptr && static_cast<double>(*epsilon) < least) {
      epsilons.add(format("'%s' (%s, epsilon %g)", node.name.c_str(), node.op_type.c_str(),
                          static_cast<double>(*epsilon)));
    }
    for (const GraphPtr* subgraph : subgraphs_of(node)) look_at(**subgraph);
  }

  void look_at_constant(const Value& value) {
    bool finite = true;
    double most = 0;
    for (const double x : as_doubles(value.constant)) {
      finite = finite && std::isfinite(x);
      if (std::isfinite(x)) most = std::max(most, std::abs(x));
    }
    // One number that is infinite is a mask, a weight is a mistake.
    if (!finite && value.constant.elements() > 1) broken.add("'" + value.name + "'");
    if (most > kMostHalf) large.add(format("'%s' (up to %g)", value.name.c_str(), most));
  }
};

}  // namespace

std::vector<std::string> precision_traps(const Graph& graph, bool half_precision) {
  Traps traps;
  traps.half = half_precision;
  traps.look_at(graph);
  std::vector<std::string> lines;
  traps.broken.report(lines, "tensors of weights with NaN or infinity",
                      "outputs will have them too");
  traps.epsilons.report(
      lines, "tiny epsilons",
      half_precision ? "they are 0 in half precision, and a constant channel divides by 0"
                     : "a constant channel becomes huge; mini-infer edit --set-attr changes them");
  traps.large.report(lines, "constants over 65504", "they become infinity in half precision");
  return lines;
}

}  // namespace mini_infer::tools
