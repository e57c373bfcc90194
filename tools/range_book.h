// The ranges of a run's values by name.
#pragma once

#include <map>
#include <string>

#include "graph/ir/graph.h"
#include "tools/trace.h"
#include "tools/value_range.h"

namespace mini_infer::tools {

class RangeBook {
 public:
  // `graph` is the file's, for its constants; it must outlive the book.
  RangeBook(const Graph& graph, const TensorMap& inputs);

  const ValueRange& add(const TracedValue& value);
  // nullptr for a value that has not been computed, and that the file does not name, such as a
  // weight that a pass has made.
  const ValueRange* find(const std::string& name);

 private:
  const Graph& graph_;
  std::map<std::string, ValueId> constants_;
  std::map<std::string, ValueRange> ranges_;
};

}  // namespace mini_infer::tools
