// The classes that a classifier's output names.
#pragma once

#include <mini_infer/session.h>

#include <string>
#include <vector>

#include "tools/print.h"

namespace mini_infer::tools {

struct Class {
  std::size_t index = 0;
  double probability = 0;
  std::string label;
};

// True when `output` of one picture looks like scores of classes: floats [C], [1,C] or [1,C,1,1], C
// > 1, the only output, and either probabilities already, or as many as there are labels, or a
// number of values that networks use for classes rather than for features.
bool is_classification(const std::vector<Tensor>& outputs, std::size_t label_count);

// An error unless there is one output, whose shape and type are those above.
Status check_scores(const std::vector<Tensor>& outputs);

// The `count` most probable classes, most probable first. Scores that are no probabilities go
// through softmax.
std::vector<Class> top_classes(const Tensor& scores, std::size_t count,
                               const std::vector<std::string>& labels);

std::string print_classes(const std::vector<Class>& classes);
Json classes_json(const std::vector<Class>& classes);

}  // namespace mini_infer::tools
