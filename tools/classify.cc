#include "tools/classify.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/common.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

bool are_probabilities(const std::vector<double>& scores) {
  constexpr double kSlack = 0.02;  // float16 sums
  double sum = 0;
  for (const double score : scores) {
    if (!(score >= 0 && score <= 1 + kSlack)) return false;
    sum += score;
  }
  return std::abs(sum - 1) <= kSlack;
}

// The number of classes that a shape can hold for one picture; 0 when it is not of that kind.
std::size_t class_count(const Shape& shape) {
  if (shape.rank() == 0 || shape.rank() == 3 || shape.rank() > 4) return 0;
  const std::size_t axis = shape.rank() == 1 ? 0 : 1;
  const std::int64_t count = shape[axis];
  return count > 1 && shape.elements() == count ? static_cast<std::size_t>(count) : 0;
}

bool is_power_of_two(std::size_t n) { return (n & (n - 1)) == 0; }

void softmax(std::vector<double>& scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - most);
  for (double& score : scores) score /= sum;
}

}  // namespace

Status check_scores(const std::vector<Tensor>& outputs) {
  if (outputs.size() != 1) {
    return {
        Code::kInvalidModel,
        format("--task classify: the model has %zu outputs; a classifier has one", outputs.size())};
  }
  const Tensor& output = outputs[0];
  if (is_float(output.dtype()) && class_count(output.shape()) > 0) return ok();
  return {Code::kInvalidModel,
          format("--task classify: the output is %s %s; scores of classes are floats [C], [1,C] or "
                 "[1,C,1,1]",
                 std::string(dtype_name(output.dtype())).c_str(), output.shape().str().c_str())};
}

bool is_classification(const std::vector<Tensor>& outputs, std::size_t label_count) {
  if (outputs.size() != 1 || !is_float(outputs[0].dtype())) return false;
  const std::size_t classes = class_count(outputs[0].shape());
  if (classes == 0) return false;
  constexpr std::size_t kFeatures = 64;  // vectors of features have 64, 128, 256, 512, ... values
  const bool features = classes >= kFeatures && is_power_of_two(classes);
  return classes == label_count || !features || are_probabilities(as_doubles(outputs[0]));
}

std::vector<Class> top_classes(const Tensor& scores, std::size_t count,
                               const std::vector<std::string>& labels) {
  std::vector<double> probabilities = as_doubles(scores);
  if (!are_probabilities(probabilities)) softmax(probabilities);
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  const auto rank = [&](std::size_t i) {
    return std::isnan(probabilities[i]) ? -1 : probabilities[i];
  };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  std::vector<Class> classes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = order[i];
    classes.push_back({index, probabilities[index],
                       index < labels.size() ? labels[index] : "class " + std::to_string(index)});
  }
  return classes;
}

std::string print_classes(const std::vector<Class>& classes) {
  Table table({0, 1});
  for (const Class& c : classes) {
    table.add({format("  %.4f", c.probability), std::to_string(c.index), printable(c.label)});
  }
  return table.str();
}

Json classes_json(const std::vector<Class>& classes) {
  Json json = Json::array();
  for (const Class& c : classes) {
    json.push_back({{"class", c.index}, {"label", c.label}, {"probability", c.probability}});
  }
  return json;
}

}  // namespace mini_infer::tools
