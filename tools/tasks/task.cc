#include "tools/tasks/task.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/common.h"
#include "tools/print.h"
#include "tools/tasks/families.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Named {
  const char* name;
  Task task;
};
constexpr std::array kTasks = {Named{"auto", Task::kAuto},     Named{"classify", Task::kClassify},
                               Named{"detect", Task::kDetect}, Named{"segment", Task::kSegment},
                               Named{"pose", Task::kPose},     Named{"face", Task::kFace},
                               Named{"embed", Task::kEmbed},   Named{"image", Task::kImage},
                               Named{"depth", Task::kDepth},   Named{"none", Task::kNone}};

// Who asks for boxes takes faces and bodies too.
bool serves(Task offered, Task asked) {
  if (asked == Task::kAuto || asked == offered) return true;
  return asked == Task::kDetect &&
         (offered == Task::kFace || offered == Task::kPose || offered == Task::kSegment);
}

Point moved(Point at, const Placement& placement) {
  return {placement.x_in_source(at.x), placement.y_in_source(at.y)};
}

bool finite(const Object& object) {
  const Box& b = object.box;
  const auto known = [](const KeyPoint& p) { return std::isfinite(p.at.x + p.at.y); };
  return std::isfinite(b.left + b.top + b.right + b.bottom + object.score) &&
         std::all_of(object.points.begin(), object.points.end(), known);
}

}  // namespace

const char* task_name(Task task) {
  for (const Named& named : kTasks) {
    if (named.task == task) return named.name;
  }
  return "auto";
}

std::optional<Task> task_from_name(const std::string& name) {
  for (const Named& named : kTasks) {
    if (named.name == name) return named.task;
  }
  return {};
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const Named& named : kTasks) names.emplace_back(named.name);
  return names;
}

const std::vector<Family>& families() {
#define MINI_FAMILY(name, task, expects, recognise) {name, Task::task, expects, recognise},
  static const std::vector<Family> all = {
#include "tools/tasks/families.def"
  };
#undef MINI_FAMILY
  return all;
}

std::optional<Head> recognise_head(Network network, const std::string& name) {
  for (const Family& family : families()) {
    if (!name.empty() && name != family.name) continue;
    network.named = !name.empty();
    std::optional<Head> head = family.recognise(network);
    if (!head || !serves(head->task, network.asked)) continue;
    head->family = family.name;
    return head;
  }
  return {};
}

Status unknown_head(const Network& network, const std::string& name) {
  const bool any = name.empty() && network.asked == Task::kAuto;
  const std::string what = any ? "" : ' ' + (name.empty() ? task_name(network.asked) : name);
  std::string text = format("no known%s head: the input is a picture of %dx%d, the outputs are",
                            what.c_str(), network.width, network.height);
  for (const ValueInfo& output : network.outputs) {
    text += (&output == network.outputs.data() ? " " : ", ") + describe(output);
  }
  text += "; --task none gives them as they are. Known are, for an input of HxW and C classes:";
  Table table;
  for (const Family& family : families()) {
    const bool boxes_wanted = network.asked == Task::kDetect && family.task == Task::kSegment;
    const bool listed = serves(family.task, network.asked) && !boxes_wanted;
    if (name.empty() ? listed : name == family.name)
      table.add({std::string("  ") + family.name, family.expects});
  }
  text += '\n' + table.str();
  text.pop_back();
  return {Code::kInvalidModel, text};
}

void map_back(Findings& findings, const Placement& placement, const Image& image) {
  std::vector<Object> inside;
  for (Object& object : findings.objects) {
    if (!finite(object)) continue;
    const Point low = moved({object.box.left, object.box.top}, placement);
    const Point high = moved({object.box.right, object.box.bottom}, placement);
    const double width = image.width, height = image.height;
    object.box = {std::clamp(low.x, 0.0, width), std::clamp(low.y, 0.0, height),
                  std::clamp(high.x, 0.0, width), std::clamp(high.y, 0.0, height)};
    for (KeyPoint& point : object.points) point.at = moved(point.at, placement);
    for (Point& corner : object.outline) corner = moved(corner, placement);
    if (object.box.width() > 0 && object.box.height() > 0) inside.push_back(std::move(object));
  }
  findings.objects = std::move(inside);
}

}  // namespace mini_infer::tools
