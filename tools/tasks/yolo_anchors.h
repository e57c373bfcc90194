// What heads with anchors share (YOLOv3 to v5, v7, YOLO-Fastest): boxes as corrections of a few
// given sizes in each cell.
#pragma once

#include "tools/tasks/boxes.h"

namespace mini_infer::tools {

struct Anchor {
  double width = 0, height = 0;  // pixels
};
// The anchors of each feature map, the finest first.
using Anchors = std::vector<std::vector<Anchor>>;

// A prediction's cell and anchor.
struct AnchorCell {
  Cell cell;
  Anchor anchor;
};

// How the numbers of a box become one; t after the sigmoid where `kind` says so.
enum class BoxFormula {
  kYoloV5,  // middle (2t - 0.5 + cell) * stride, size (2t)^2 * anchor, all t through the sigmoid
  kYoloV3,  // middle (sigmoid(t) + cell) * stride, size exp(t) * anchor
  kYoloV4,  // the same with the sigmoid stretched about one half by 1.2, 1.1, 1.05 for strides 8,
            // 16, 32 (scale_x_y in Darknet's configuration)
};

const Anchors& yolov5_anchors();  // of YOLOv5 and YOLOv3
const Anchors& yolov7_anchors();  // of YOLOv7 and YOLOv4
// From the metadata ("anchors"), sorted into maps of equal size; empty when there are none.
Anchors anchors_in_metadata(const Network& network);

// The cells of the maps one after the other, in each map anchor after anchor, row after row.
std::vector<AnchorCell> anchor_cells(const PictureInput& input, std::span<const int> strides,
                                     const Anchors& anchors);
// Columns 0 to 3 become middle and size in pixels.
void decode_boxes(Rows& rows, const std::vector<AnchorCell>& cells, BoxFormula formula);

}  // namespace mini_infer::tools
