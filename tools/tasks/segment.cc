// A class for each pixel, as scores [1,C,h,w] or [1,h,w,C], as indices of the best class, or as the
// probability of one class.
#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/dense.h"
#include "tools/tasks/families.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

constexpr int kMostClasses = 4096;

ClassMap empty_map(const Image& image) {
  return {image.width, image.height, std::vector<std::uint16_t>(image.pixels.size() / 3)};
}

// The best class at a point of the output, scores interpolated between its places: what the scores
// resized to the picture would say.
class Scores {
 public:
  Scores(std::vector<double> values, const Planes& planes)
      : values_(std::move(values)), planes_(planes) {}

  std::uint16_t best_at(double x, double y) const {
    const Neighbours around = neighbours(x, y, planes_.width, planes_.height);
    std::uint16_t best = 0;
    double most = 0;
    for (int c = 0; c < planes_.channels; ++c) {
      const double score = around.mix([&](int column, int row) { return value(c, column, row); });
      if (c > 0 && !(score > most)) continue;
      most = score;
      best = static_cast<std::uint16_t>(c);
    }
    return best;
  }

 private:
  double value(int c, int x, int y) const {
    const auto [ch, w, h, last] = planes_;
    const std::int64_t at =
        last ? (std::int64_t{y} * w + x) * ch + c : (std::int64_t{c} * h + y) * w + x;
    return values_[static_cast<std::size_t>(at)];
  }

  std::vector<double> values_;
  Planes planes_;
};

// Fills the map with what `pick` says for the share of the input (0 to 1, both ways) that shows a
// pixel.
template <class Pick>
ClassMap map_of(const Decoding& decoding, const Pick& pick) {
  ClassMap map = empty_map(decoding.image);
  std::size_t i = 0;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      const Point at = to_input(decoding, x, y);
      map.classes[i++] = pick(at.x / decoding.input.width, at.y / decoding.input.height);
    }
  }
  return map;
}

// Which of `count` places along a side holds this share of it.
int place(double share, int count) {
  return static_cast<int>(std::clamp(share * count, 0.0, count - 1.0));
}

Result<Findings> decode_scores(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  const auto planes =
      planes_of(extents_of(outputs[0]), decoding.input.width, decoding.input.height);
  if (!planes || planes->channels > kMostClasses) {
    return Status(Code::kInvalidModel, "an output has shape " + outputs[0].shape().str() +
                                           "; scores for each pixel "
                                           "of the input were expected");
  }
  const Scores scores(as_doubles(outputs[0]), *planes);
  const int width = planes->width, height = planes->height;
  Findings findings;
  // Large pictures with many classes: the best class of each place of the output, not of each
  // pixel.
  constexpr double kMostWork = 4e9;
  const double pixels = static_cast<double>(decoding.image.width) * decoding.image.height;
  if (pixels * planes->channels <= kMostWork) {
    findings.class_map =
        map_of(decoding, [&](double x, double y) { return scores.best_at(x * width, y * height); });
    return findings;
  }
  std::vector<std::uint16_t> best;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) best.push_back(scores.best_at(x + 0.5, y + 0.5));
  }
  findings.class_map = map_of(decoding, [&](double x, double y) {
    return best[static_cast<std::size_t>(place(y, height)) * static_cast<std::size_t>(width) +
                static_cast<std::size_t>(place(x, width))];
  });
  return findings;
}

// One map: indices of classes where the numbers are integers, else the probability of one class.
Result<Findings> decode_map(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  MINI_TRY_ASSIGN(const Field map, single_field(outputs[0]));
  const bool indices = !is_float(outputs[0].dtype());
  const bool unit = std::all_of(map.values.begin(), map.values.end(),
                                [](double v) { return v >= -1e-3 && v <= 1 + 1e-3; });
  Findings findings;
  findings.class_map = map_of(decoding, [&](double x, double y) -> std::uint16_t {
    if (indices) {
      const double cls = map.value(place(x, map.width), place(y, map.height));
      return static_cast<std::uint16_t>(std::clamp(cls, 0.0, kMostClasses - 1.0));
    }
    const double value = map.at(x * map.width, y * map.height);
    return (unit ? value : sigmoid(value)) >= decoding.score ? 1 : 0;
  });
  return findings;
}

// Where nothing is known: ImageNet's numbers, and -1 to 1 for TensorFlow's order of the axes.
PixelOptions usual_pixels(const Network& network) {
  PixelOptions pixels{.preset = network.layout == Layout::kNhwc ? "pm1" : "imagenet"};
  pixels.fit = Fit::kStretch;
  pixels.most_side = 1024;
  return pixels;
}

}  // namespace

std::optional<Head> recognise_segmentation(const Network& network) {
  if (network.outputs.empty() || network.asked == Task::kDetect) return {};  // no boxes
  const bool asked = network.named || network.asked == Task::kSegment;
  const auto planes = planes_of(network.outputs[0], network);
  if (!planes || network.channels != 3 || network.outputs.size() > 2) return {};
  const bool as_fine = planes->width == network.width && planes->height == network.height;
  const bool coarse = planes->width * 16 >= network.width;
  // 1 and 3 channels may be pictures, and coarse maps features: who asks for classes gets them.
  const bool same_order = planes->channels_last == (network.layout == Layout::kNhwc);
  const bool picture = planes->channels == 1 || planes->channels == 3;
  const bool sure = !picture && same_order && as_fine && network.outputs.size() == 1;
  const bool possible = asked && planes->channels >= 2 && coarse;
  if (!(sure || possible) || planes->channels > kMostClasses) return {};
  Head head{.task = Task::kSegment, .classes = static_cast<std::size_t>(planes->channels)};
  head.pixels = usual_pixels(network);
  head.decode = decode_scores;
  return head;
}

std::optional<Head> recognise_mask(const Network& network) {
  if (!(network.named || network.asked == Task::kSegment) || network.outputs.empty()) return {};
  Network floats = network;
  floats.outputs[0].dtype = DType::kFloat32;  // indices are integers
  if (!is_single_map(floats)) return {};
  Head head{.task = Task::kSegment, .labels = {"background", "foreground"}};
  if (!is_float_output(network.outputs[0])) head.labels.clear();
  head.pixels = usual_pixels(network);
  head.score = 0.5;
  head.decode = decode_map;
  return head;
}

}  // namespace mini_infer::tools
