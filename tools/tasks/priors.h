// Boxes as corrections of priors, fixed boxes all over the picture (SSD, arXiv 1512.02325).
#pragma once

#include "tools/tasks/boxes.h"

namespace mini_infer::tools {

struct Prior {
  double x = 0, y = 0, width = 0, height = 0;  // middle and size, pixels of the input
};

// Squares of these sizes in each cell, a list for each stride. A stride that does not divide the
// picture's side leaves a last cell that lies partly outside, or none where `floor` says so.
struct PriorPlan {
  std::vector<int> strides;
  std::vector<std::vector<double>> sizes;
  bool floor = false;
};
std::vector<Prior> priors(int width, int height, const PriorPlan& plan);
std::int64_t prior_count(int width, int height, const PriorPlan& plan);

// The box for corrections of a middle (times 0.1 of the prior's size) and a size (logarithm, times
// 0.2).
Box box_from(const Prior& prior, std::span<const double> corrections);
// The same for a point, which has no size.
Point point_from(const Prior& prior, std::span<const double> corrections);

// Index of the only output with this many columns, all of `rows` rows ("[1,rows,columns]" or
// "[rows,columns]"); no value when there is none or more than one.
std::optional<std::size_t> output_with(const Network& network, std::int64_t rows,
                                       std::int64_t columns);

// Five points of a face: eyes, nose, corners of the mouth.
inline constexpr std::size_t kFacePoints = 5;

}  // namespace mini_infer::tools
