// Detectors of faces with priors: RetinaFace (arXiv 1905.00641) and YuNet of 2021.
#include <algorithm>
#include <cmath>

#include "tools/tasks/families.h"
#include "tools/tasks/priors.h"

namespace mini_infer::tools {
namespace {

const PriorPlan& retinaface_plan() {
  static const PriorPlan kPlan = {{8, 16, 32}, {{16, 32}, {64, 128}, {256, 512}}};
  return kPlan;
}

const PriorPlan& yunet_plan() {
  static const PriorPlan kPlan = {
      {8, 16, 32, 64}, {{10, 16, 24}, {32, 48}, {64, 96}, {128, 192, 256}}, true};
  return kPlan;
}

Head face_head() {
  Head head{.task = Task::kFace, .classes = 1, .labels = {"face"}};
  head.score = 0.6;
  head.iou = 0.4;
  return head;
}

Object face_at(const Prior& prior, std::span<const double> box, std::span<const double> points,
               double score) {
  Object face{.score = score, .box = box_from(prior, box)};
  for (std::size_t i = 0; i < kFacePoints; ++i)
    face.points.push_back({point_from(prior, points.subspan(2 * i, 2)), 1});
  return face;
}

// Probability of the second of two classes.
double second_of_two(std::span<const double> scores, bool probabilities) {
  return probabilities ? scores[1] : sigmoid(scores[1] - scores[0]);
}

struct RetinafaceOutputs {
  std::size_t boxes, scores, points;
};

Result<Findings> decode_retinaface(const RetinafaceOutputs& at, const std::vector<Tensor>& outputs,
                                   const Decoding& decoding) {
  const std::vector<Prior> all =
      priors(decoding.input.width, decoding.input.height, retinaface_plan());
  MINI_TRY_ASSIGN(const Rows boxes, rows_of(outputs[at.boxes], all.size(), 4));
  MINI_TRY_ASSIGN(const Rows scores, rows_of(outputs[at.scores], all.size(), 2));
  MINI_TRY_ASSIGN(const Rows points, rows_of(outputs[at.points], all.size(), 2 * kFacePoints));
  const bool probabilities = are_unit(scores, 0, 2);
  std::vector<Object> faces;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double score = second_of_two(scores.row(i), probabilities);
    if (score >= decoding.score)
      faces.push_back(face_at(all[i], boxes.row(i), points.row(i), score));
  }
  return Findings{.objects = best_objects(std::move(faces), decoding.iou)};
}

struct YunetOutputs {
  std::size_t boxes, scores, overlaps;
};

// The network also says how well each box will overlap the face; both judgements count alike.
Result<Findings> decode_yunet(const YunetOutputs& at, const std::vector<Tensor>& outputs,
                              const Decoding& decoding) {
  const std::vector<Prior> all = priors(decoding.input.width, decoding.input.height, yunet_plan());
  MINI_TRY_ASSIGN(const Rows boxes, rows_of(outputs[at.boxes], all.size(), 4 + 2 * kFacePoints));
  MINI_TRY_ASSIGN(const Rows scores, rows_of(outputs[at.scores], all.size(), 2));
  MINI_TRY_ASSIGN(const Rows overlaps, rows_of(outputs[at.overlaps], all.size(), 1));
  const bool probabilities = are_unit(scores, 0, 2);
  std::vector<Object> faces;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double overlap = std::clamp(overlaps.at(i, 0), 0.0, 1.0);
    const double score = std::sqrt(second_of_two(scores.row(i), probabilities) * overlap);
    if (score >= decoding.score)
      faces.push_back(face_at(all[i], boxes.row(i).first(4), boxes.row(i).subspan(4), score));
  }
  return Findings{.objects = best_objects(std::move(faces), decoding.iou)};
}

}  // namespace

std::optional<Head> recognise_retinaface(const Network& network) {
  const std::int64_t rows = prior_count(network.width, network.height, retinaface_plan());
  const auto boxes = output_with(network, rows, 4), scores = output_with(network, rows, 2),
             points = output_with(network, rows, 2 * kFacePoints);
  if (network.outputs.size() != 3 || !boxes || !scores || !points) return {};
  Head head = face_head();
  head.pixels = {.scale = {1}, .mean = {104, 117, 123}, .std = {1}, .color = Color::kBgr};
  head.pixels.fit = Fit::kLetterbox;
  head.pixels.open_side = 640;
  const RetinafaceOutputs at = {*boxes, *scores, *points};
  head.decode = [at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_retinaface(at, outputs, decoding);
  };
  return head;
}

std::optional<Head> recognise_yunet(const Network& network) {
  const std::int64_t rows = prior_count(network.width, network.height, yunet_plan());
  const auto boxes = output_with(network, rows, 4 + 2 * kFacePoints),
             scores = output_with(network, rows, 2), overlaps = output_with(network, rows, 1);
  if (network.outputs.size() != 3 || !boxes || !scores || !overlaps) return {};
  Head head = face_head();
  head.pixels = plain_pixels(1, Color::kBgr, Fit::kLetterbox);
  const YunetOutputs at = {*boxes, *scores, *overlaps};
  head.decode = [at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_yunet(at, outputs, decoding);
  };
  return head;
}

}  // namespace mini_infer::tools
