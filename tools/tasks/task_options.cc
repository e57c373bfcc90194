#include "tools/tasks/task_options.h"

#include <filesystem>

#include "tools/common.h"
#include "tools/image/encode.h"
#include "tools/input_options.h"
#include "tools/picture_files.h"

namespace mini_infer::tools {
namespace {

std::string misuse_of_out(const std::string& out, const std::vector<std::string>& pictures) {
  if (!is_folder_for(out, pictures)) {
    if (is_image_name(out)) return "";
    return "--out " + out +
           ": a picture is written as .png, .jpg or .jpeg (or name a folder: " + out + "/)";
  }
  std::error_code error;
  const bool file = is_image_name(out) && !std::filesystem::is_directory(out, error);
  return file ? "--out " + out + " names one file for several pictures; name a folder" : "";
}

}  // namespace

void add_task_options(CLI::App& command, TaskOptions& options) {
  command
      .add_option_function<std::string>(
          "--task", [&options](const std::string& name) { options.task = *task_from_name(name); },
          "what the outputs mean; auto (default) looks at names and shapes, none prints them")
      ->check(CLI::IsMember(task_names()));
  std::vector<std::string> heads;
  for (const Family& family : families()) heads.emplace_back(family.name);
  command.add_option("--head", options.head, "the kind of network, where it cannot be found out")
      ->check(CLI::IsMember(heads));
  command.add_option("--score", options.score, "least score of what is reported, 0 to 1")
      ->check(fraction());
  command
      .add_option("--iou", options.iou,
                  "boxes of a class that overlap more, 0 to 1, are one object")
      ->check(fraction());
  command
      .add_option("--out", options.out,
                  "the picture with what was found drawn in; a folder for several pictures")
      ->type_name("FILE");
}

std::string misuse(const TaskOptions& options, const std::vector<std::string>& pictures) {
  const bool tasked = options.task != Task::kAuto && options.task != Task::kNone;
  if (tasked && pictures.empty())
    return format("--task %s is for pictures; none was named", task_name(options.task));
  const std::string option = !options.out.empty()    ? "--out"
                             : !options.head.empty() ? "--head"
                             : options.score         ? "--score"
                             : options.iou           ? "--iou"
                                                     : "";
  if (option.empty()) return "";
  if (pictures.empty()) return option + " is for pictures; none was named";
  const bool raw = options.task == Task::kNone || options.task == Task::kClassify;
  if (raw) return option + " means nothing with --task " + task_name(options.task);
  return options.out.empty() ? "" : misuse_of_out(options.out, pictures);
}

}  // namespace mini_infer::tools
