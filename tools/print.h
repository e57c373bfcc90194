// What the program says about tensors, for people and as JSON.
#pragma once

#include <mini_infer/session.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mini_infer::tools {

using Json = nlohmann::ordered_json;

// min, max and mean over the finite elements; the first few elements as text.
struct Summary {
  double min = 0, max = 0, mean = 0;
  std::int64_t not_finite = 0;
  std::vector<std::string> first;
};
Summary summarize(const Tensor& tensor);

// "scores  float32 [1,4420,2]  min 0.01  max 0.98  mean 0.5  first 0.98 0.02 ..."
std::string summary_line(const std::string& name, const Tensor& tensor);
Json summary_json(const std::string& name, const Tensor& tensor);

// "data_0 (float16 [1,3,224,224])"
std::string describe(const ValueInfo& value);
Json describe_json(const ValueInfo& value);
Json shape_json(const Shape& shape);

// Lines of cells with aligned columns, two blanks between them; columns are left-aligned unless
// named in `right`.
class Table {
 public:
  explicit Table(std::vector<std::size_t> right = {}) : right_(std::move(right)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string str() const;

 private:
  std::vector<std::size_t> right_;
  std::vector<std::vector<std::string>> rows_;
};

// Valid UTF-8 whatever the strings hold.
std::string dump(const Json& json, int indent = 2);

}  // namespace mini_infer::tools
