#include "tools/run_report.h"

#include "tools/classify.h"
#include "tools/common.h"
#include "tools/tasks/report.h"

namespace mini_infer::tools {
namespace {

// Whether the classes are what is printed.
bool prints_classes(const Reporting& how, const RunResult& result) {
  if (how.top == 0 || result.findings) return false;
  if (how.task == Task::kClassify) return true;
  return how.task == Task::kAuto && is_classification(result.outputs, how.labels.size());
}

std::vector<Class> classes_of(const Reporting& how, const RunResult& result) {
  return top_classes(result.outputs[0], static_cast<std::size_t>(how.top), how.labels);
}

std::string first_line(const Reporting& how, const Picture& picture, double ms) {
  if (picture.file.empty()) return format("%.1f ms\n", ms);
  std::string line =
      format("%s: %dx%d -> %dx%d, %.1f ms", picture.file.c_str(), picture.image.width,
             picture.image.height, picture.input.width, picture.input.height, ms);
  if (how.head) line += format(", %s (%s)", task_name(how.head->task), how.head->family.c_str());
  return line + '\n';
}

}  // namespace

Json report_json(const Reporting& how, const Picture& picture, const RunResult& result) {
  Json json;
  if (!picture.file.empty()) json["image"] = picture.file;
  json["ms"] = result.ms;
  if (prints_classes(how, result)) json["top"] = classes_json(classes_of(how, result));
  if (result.findings) {
    json["task"] = task_name(how.head->task);
    json["head"] = how.head->family;
    add_findings(*result.findings, how.labels, json);
  }
  json["outputs"] = Json::array();
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    json["outputs"].push_back(summary_json(how.outputs[i].name, result.outputs[i]));
  }
  return json;
}

std::string report_text(const Reporting& how, const Picture& picture, const RunResult& result) {
  const std::string line = first_line(how, picture, result.ms);
  if (prints_classes(how, result)) return line + print_classes(classes_of(how, result));
  if (result.findings) return line + print_findings(*result.findings, how.labels);
  std::string text = line;
  for (std::size_t i = 0; i < result.outputs.size(); ++i)
    text += "  " + summary_line(how.outputs[i].name, result.outputs[i]) + '\n';
  return text;
}

}  // namespace mini_infer::tools
