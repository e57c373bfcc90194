// What `mini-infer run` makes of the outputs for a picture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/model_inputs.h"
#include "tools/tasks/task.h"

namespace mini_infer::tools {

struct TaskOptions {
  Task task = Task::kAuto;
  std::string head;                  // the family, "" to find it out
  std::optional<double> score, iou;  // the family's own where there is no value
  std::string out;                   // the file or folder for drawn pictures
};

// Looks for the head of a model whose input `picture` takes pictures. `given` are its other inputs.
// Where the declared outputs leave extents open, the model runs once on a grey picture to see them.
// No head: the task is none, or auto finds none (then `why_not`, if not null, says what was looked
// for). An error: a task or family was asked that does not fit.
Result<std::optional<Head>> choose_head(const TaskOptions& options, const Session& session,
                                        const ValueInfo& picture, const ShapeMap& shapes,
                                        const TensorMap& given, const PixelOptions& pixels,
                                        std::size_t labels, Status* why_not);

// Decodes the outputs for `image`, in pixels of the picture.
Result<Findings> find(const Head& head, const TaskOptions& options,
                      const std::vector<Tensor>& outputs, const PictureInput& input,
                      const Image& image);

}  // namespace mini_infer::tools
