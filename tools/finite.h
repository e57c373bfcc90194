// run --check-finite: which node makes NaN or infinity of finite numbers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/range_book.h"

namespace mini_infer::tools {

struct NotFinite {
  std::string node, op, value;
  ValueRange range;
  std::vector<std::pair<std::string, ValueRange>> inputs;
};

// Looks at the values of one run, in order.
class FiniteCheck {
 public:
  // `graph` is the file's, for its constants; it must outlive the check.
  FiniteCheck(const Graph& graph, const TensorMap& inputs);

  void see(const TracedValue& value);
  // The first node with an output that is worse than all its inputs: infinite where those are
  // finite, or NaN where none of those is.
  const std::optional<NotFinite>& found() const { return found_; }

  Status verdict() const;
  // One line if all is well; otherwise the output and the inputs of the node with their ranges.
  std::string text() const;
  Json json() const;

 private:
  void note(const std::string& name, const ValueRange& range);

  RangeBook ranges_;
  std::size_t values_ = 0, not_finite_ = 0;
  std::string first_not_finite_;
  std::optional<NotFinite> found_;
};

}  // namespace mini_infer::tools
