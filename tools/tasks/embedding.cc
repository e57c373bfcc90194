// A vector of features, such that similar pictures have similar vectors.
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

Result<Findings> decode(const std::vector<Tensor>& outputs, const Decoding&) {
  std::vector<double> vector = as_doubles(outputs[0]);
  double squares = 0;
  for (const double value : vector) squares += value * value;
  if (!(squares > 0) || !std::isfinite(squares))
    return Status(Code::kInvalidModel, "the vector is zero or not finite; it has no direction");
  for (double& value : vector) value /= std::sqrt(squares);
  return Findings{.vector = std::move(vector)};
}

}  // namespace

std::optional<Head> recognise_embedding(const Network& network) {
  const bool asked = network.named || network.asked == Task::kEmbed;
  if (!asked || network.outputs.empty() || !is_float_output(network.outputs[0])) return {};
  std::int64_t elements = 1;
  std::int64_t longest = 0;
  if (!network.outputs[0].dims) return {};
  for (const DimInfo& dim : *network.outputs[0].dims) {
    constexpr std::int64_t kMost = 1 << 20;
    if (dim.value > kMost || elements > kMost) return {};
    if (dim.value > 0) elements *= dim.value;
    longest = std::max(longest, dim.value);
  }
  if (longest < 2 || elements != longest) return {};
  Head head{.task = Task::kEmbed, .decode = decode};
  return head;
}

}  // namespace mini_infer::tools
