// What decoders of boxes share.
#pragma once

#include <span>
#include <vector>

#include "tools/tasks/task.h"

namespace mini_infer::tools {

double sigmoid(double x);
double iou(const Box& a, const Box& b);
Box box_around(double center_x, double center_y, double width, double height);

// Best first; of objects of one class that overlap more than `most_iou` only the best stays. At
// most kMaxCandidates are looked at and kMaxObjects returned, so that a network that finds
// something everywhere cannot keep the program busy.
inline constexpr std::size_t kMaxCandidates = 5000;
inline constexpr std::size_t kMaxObjects = 300;
std::vector<Object> best_objects(std::vector<Object> objects, double most_iou);

// A place where a network looks for an object: column and row of a feature map, and the pixels of
// the input between two of them.
struct Cell {
  double x = 0, y = 0, stride = 1;
  // The middle, in pixels.
  double middle_x() const { return (x + 0.5) * stride; }
  double middle_y() const { return (y + 0.5) * stride; }
};
// Level after level, row after row; `per_cell` times each in turn.
std::vector<Cell> grid(int width, int height, std::span<const int> strides, int per_cell = 1);
std::int64_t grid_size(int width, int height, std::span<const int> strides);
// The strides (8, 16, 32 or another usual set) whose grid has `cells` cells; empty: none.
std::vector<int> strides_for(int width, int height, std::int64_t cells);

// The grid that an extent of `tensor` counts, `per_cell` predictions in each cell.
Result<std::vector<Cell>> cells_of(const Tensor& tensor, int per_cell, const PictureInput& input);
// For networks whose first output has two extents beside the batch, of which [axis] counts the
// cells times `per_cell`: the other one. Else 0.
std::int64_t columns_beside_cells(const Network& network, std::size_t axis, int per_cell);

// A tensor as rows and columns. The extents 1 of its shape are left out; the two that remain are
// `rows` and `columns` in either order.
struct Rows {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;
  double at(std::size_t row, std::size_t column) const { return values[row * columns + column]; }
  std::span<const double> row(std::size_t i) const { return {&values[i * columns], columns}; }
};
// `columns` 0: any number.
Result<Rows> rows_of(const Tensor& tensor, std::size_t rows, std::size_t columns = 0);
// True when all of these columns lie in 0 .. 1: they are probabilities already.
bool are_unit(const Rows& rows, std::size_t first, std::size_t last);
void apply_sigmoid(Rows& rows, std::size_t first, std::size_t last);

// What columns 0 to 3 (middle x, y, width, height) are measured in.
enum class BoxUnit {
  kPixel,  // of the network's input
  kShare,  // of the input's width and height
  kCell,   // not decoded yet: offsets from the cell
};
// Told by where the middles lie: most of those of decoded boxes are nearer to the middle of their
// own cell than to the origin.
BoxUnit box_unit(const Rows& rows, const std::vector<Cell>& cells, const PictureInput& input);
void scale_boxes(Rows& rows, const PictureInput& input);  // shares to pixels

struct Best {
  std::size_t index = 0;
  double score = 0;
};
Best best_of(std::span<const double> scores);

// Where the scores of a prediction are; columns 0 to 3 are its box: middle x, y, width, height.
struct ScoreColumns {
  std::size_t first = 4, count = 0;  // of the classes
  bool objectness = false;           // column 4, a factor of all of them
};
// An object for each row whose best class reaches the score.
std::vector<Object> objects_above(double least_score, const Rows& rows,
                                  const ScoreColumns& columns);

// Extents of an output, without a leading 1 or open batch where the rank is at least 3.
std::vector<std::int64_t> extents_of(const ValueInfo& output);
std::vector<std::int64_t> extents_of(const Tensor& output);
bool is_float_output(const ValueInfo& output);
// The number of classes that the model's metadata names; 0: it names none.
std::size_t classes_in_metadata(const Network& network);
std::string metadata(const Network& network, const std::string& key);

// x = pixel * scale, in this order of colours; a square of 640 pixels where the input is open.
PixelOptions plain_pixels(double scale, Color color, Fit fit);

}  // namespace mini_infer::tools
