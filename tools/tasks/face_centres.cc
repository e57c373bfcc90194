// Faces as peaks of a heat map, with a second map for their radius (the detector of OpenSeeFace).
#include <algorithm>

#include "tools/tasks/boxes.h"
#include "tools/tasks/dense.h"
#include "tools/tasks/families.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

// The largest radius, of a map value of 1, as a share of the input.
constexpr double kLargestRadius = 0.5;

Result<Findings> decode(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  const auto planes =
      planes_of(extents_of(outputs[0]), decoding.input.width, decoding.input.height);
  if (!planes || planes->channels != 2 || outputs[0].shape() != outputs[1].shape())
    return Status(Code::kInvalidModel, "outputs are not two pairs of maps of one size");
  const std::vector<double> maps = as_doubles(outputs[0]), peaks = as_doubles(outputs[1]);
  const std::size_t cells = maps.size() / 2;
  const double step_x = static_cast<double>(decoding.input.width) / planes->width;
  const double step_y = static_cast<double>(decoding.input.height) / planes->height;
  std::vector<Object> faces;
  for (std::size_t i = 0; i < cells; ++i) {
    // The second output is the largest value around: equal where there is a peak.
    if (maps[i] != peaks[i] || !(maps[i] >= decoding.score)) continue;
    const double x = static_cast<double>(i % static_cast<std::size_t>(planes->width)) * step_x;
    const double y = static_cast<double>(i / static_cast<std::size_t>(planes->width)) * step_y;
    const double radius = maps[cells + i] * kLargestRadius;
    faces.push_back({.score = std::min(maps[i], 1.0),
                     .box = box_around(x, y, 2 * radius * decoding.input.width,
                                       2 * radius * decoding.input.height)});
  }
  return Findings{.objects = best_objects(std::move(faces), decoding.iou)};
}

}  // namespace

std::optional<Head> recognise_face_centres(const Network& network) {
  if (network.outputs.size() != 2 || network.channels != 3) return {};
  for (const ValueInfo& output : network.outputs) {
    const auto planes = planes_of(output, network);
    const bool fits = planes && planes->channels == 2 && !planes->channels_last &&
                      planes->width * 4 == network.width && planes->height * 4 == network.height;
    if (!fits) return {};
  }
  // Nothing else tells the map of peaks from the other.
  if (network.outputs[1].name.find("maxpool") == std::string::npos) return {};
  Head head{
      .task = Task::kFace, .classes = 1, .labels = {"face"}, .pixels = {.preset = "imagenet"}};
  head.pixels.fit = Fit::kLetterbox;  // a radius is the same both ways
  head.score = 0.6;
  head.decode = decode;
  return head;
}

}  // namespace mini_infer::tools
