// What the outputs of a network for pictures mean. One file here for each family of heads; each
// says whether a network is one of its kind, what pixels it expects, and how to decode it.
#pragma once

#include <mini_infer/session.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/preprocess.h"
#include "tools/tasks/findings.h"

namespace mini_infer::tools {

enum class Task {
  kAuto,
  kNone,
  kClassify,
  kDetect,
  kSegment,
  kPose,
  kFace,
  kEmbed,
  kImage,
  kDepth
};
const char* task_name(Task task);
// No value for a name that is none.
std::optional<Task> task_from_name(const std::string& name);
std::vector<std::string> task_names();

// What is known of a network before it has seen a picture.
struct Network {
  int width = 0, height = 0, channels = 3;  // of its input
  bool open_size = false;                   // the input leaves width and height open
  std::string input_name;
  Layout layout = Layout::kNchw;
  std::vector<ValueInfo> outputs;  // extents that are not known are -1
  ModelInfo model;
  std::size_t labels = 0;    // how many names of classes there are
  Task asked = Task::kAuto;  // what --task says
  bool named = false;        // --head names the family that is asked now
};

struct Decoding {
  const PictureInput& input;
  const Placement& placement;  // of the picture in the input
  const Image& image;
  double score;  // least score of what counts
  double iou;    // boxes of a class that overlap more are the same object
};
using Decode = std::function<Result<Findings>(const std::vector<Tensor>&, const Decoding&)>;

// A network whose head is known.
struct Head {
  std::string family;  // "yolox"; set by recognise_head()
  Task task = Task::kDetect;
  std::size_t classes = 0;          // 0: no classes, or not known
  std::vector<std::string> labels;  // what the family calls its classes, if it says
  std::string note;                 // what had to be assumed, for people
  PixelOptions pixels;              // what the user's options leave open
  double score = 0.25, iou = 0.45;  // where the user names none
  Decode decode;
};

struct Family {
  const char* name;
  Task task;            // which --task it serves; with kDetect everything that gives boxes
  const char* expects;  // its outputs in words, for people whose network is not recognised
  std::optional<Head> (*recognise)(const Network& network);
};
const std::vector<Family>& families();

// The first family that knows the network and serves `network.asked`; with `name` that family or
// none. No value: an unknown head.
std::optional<Head> recognise_head(Network network, const std::string& name);
// The error for it: the shapes, and what the families that serve the task would need.
Status unknown_head(const Network& network, const std::string& name);

// From the network's input to the picture: moves every position, cuts boxes at the picture's edge
// and drops what is not finite or lies outside.
void map_back(Findings& findings, const Placement& placement, const Image& image);

}  // namespace mini_infer::tools
