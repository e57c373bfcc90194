// The options of `mini-infer run` that say what the outputs mean.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/tasks/picture_task.h"

namespace mini_infer::tools {

// --task, --head, --score, --iou, --out
void add_task_options(CLI::App& command, TaskOptions& options);
// What is wrong with the options for these pictures (none: other data); "" for nothing.
std::string misuse(const TaskOptions& options, const std::vector<std::string>& pictures);

}  // namespace mini_infer::tools
