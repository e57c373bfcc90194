#include "tools/tasks/picture_task.h"

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

// An extent that only the data decides; a batch does not count, unless it is all that says how many
// boxes there are.
bool has_open_extents(const Session& session) {
  for (const ValueInfo& output : session.outputs()) {
    if (!output.dims) return true;
    for (std::size_t i = 0; i < output.dims->size(); ++i) {
      const std::int64_t extent = (*output.dims)[i].value;
      if (extent == 0 || (extent < 0 && i > 0)) return true;
    }
  }
  return false;
}

Result<std::vector<Tensor>> run_on_grey(const Session& session, const PictureInput& input,
                                        const TensorMap& given) {
  Image grey(input.width, input.height);
  std::fill(grey.pixels.begin(), grey.pixels.end(), std::uint8_t{114});
  TensorMap inputs = given;
  MINI_TRY_ASSIGN(inputs[input.name], make_tensor(grey, input));
  return session.run(in_order(session.inputs(), inputs));
}

void set_extents(std::vector<ValueInfo>& outputs, const std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].dims.emplace();
    for (const std::int64_t extent : tensors[i].shape()) outputs[i].dims->push_back({extent, ""});
  }
}

bool leaves_size_open(const ValueInfo& picture) {
  if (!picture.dims || picture.dims->size() < 3) return false;
  return (*picture.dims)[picture.dims->size() - 2].value < 0;
}

}  // namespace

Result<std::optional<Head>> choose_head(const TaskOptions& options, const Session& session,
                                        const ValueInfo& picture, const ShapeMap& shapes,
                                        const TensorMap& given, const PixelOptions& pixels,
                                        std::size_t labels, Status* why_not) {
  if (options.task == Task::kNone || options.task == Task::kClassify) return std::optional<Head>();
  constexpr int kProbeSide = 640;
  PixelOptions probe = pixels;
  probe.open_side = kProbeSide;
  const auto shape = shapes.find(picture.name);
  MINI_TRY_ASSIGN(
      const PictureInput input,
      plan_picture(picture, shape == shapes.end() ? std::optional<Shape>() : shape->second, probe,
                   Image(kProbeSide, kProbeSide)));
  Network network{.width = input.width,
                  .height = input.height,
                  .channels = input.channels,
                  .open_size = leaves_size_open(picture),
                  .input_name = picture.name,
                  .layout = input.layout,
                  .outputs = session.outputs(),
                  .model = session.model(),
                  .labels = labels,
                  .asked = options.task};
  if (has_open_extents(session)) {
    const Result<std::vector<Tensor>> outputs = run_on_grey(session, input, given);
    if (outputs.ok()) set_extents(network.outputs, *outputs);
  }
  std::optional<Head> head = recognise_head(network, options.head);
  if (head) return head;
  const Status unknown = unknown_head(network, options.head);
  if (options.task != Task::kAuto || !options.head.empty()) return unknown;
  if (why_not != nullptr) *why_not = unknown;
  return head;
}

Result<Findings> find(const Head& head, const TaskOptions& options,
                      const std::vector<Tensor>& outputs, const PictureInput& input,
                      const Image& image) {
  const Placement placement = placement_of(input, image);
  const Decoding decoding{.input = input,
                          .placement = placement,
                          .image = image,
                          .score = options.score.value_or(head.score),
                          .iou = options.iou.value_or(head.iou)};
  Result<Findings> findings = head.decode(outputs, decoding);
  if (!findings.ok()) return findings.status().at(head.family + " head");
  map_back(*findings, placement, image);
  return findings;
}

}  // namespace mini_infer::tools
