// Two runs of a model compared value by value.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "tools/compare.h"
#include "tools/print.h"
#include "tools/range_book.h"
#include "tools/reference.h"
#include "tools/tolerance.h"

namespace mini_infer::tools {

// One value.
struct LayerRow {
  std::size_t step = 0;
  std::string node, op, kernel, value;
  Difference difference;
  std::string problem;  // empty where the two agree
  ValueRange got, want;
};

struct FirstDivergence {
  LayerRow row;
  std::vector<std::pair<std::string, ValueRange>> inputs;  // whose ranges are known
};

struct LayerReport {
  std::vector<LayerRow> rows;  // in the order of the run
  std::size_t values = 0;      // that the run computed, compared or not
  std::size_t different = 0;
  std::optional<FirstDivergence> first;
};

struct LayerTask {
  const Session& session;
  const Graph& graph;  // the file's, for the ranges of constants
  const TensorMap& inputs;
  ToleranceOptions tolerance;
  const ModelInfo& reference_model;  // for --atol auto
};

// Compares every value of a run that `reference` has.
Result<LayerReport> compare_layers(const LayerTask& task, Reference& reference);

std::string print_layers(const LayerReport& report);
Json layers_json(const LayerReport& report);

}  // namespace mini_infer::tools
