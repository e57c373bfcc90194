#include "tools/doctor.h"

#include <algorithm>
#include <set>

#include "engine/input_check.h"
#include "graph/onnx/importer.h"
#include "kernels/op_registry.h"
#include "tools/classify.h"
#include "tools/common.h"
#include "tools/labels.h"
#include "tools/memory_use.h"
#include "tools/model_inputs.h"
#include "tools/peak.h"
#include "tools/pixel_metadata.h"
#include "tools/precision_traps.h"
#include "tools/progress.h"
#include "tools/tasks/picture_task.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

constexpr double kMega = 1 << 20;
// Of open sides of pictures, in runs and in the command to try.
constexpr std::int64_t kUsualSide = 224;

class Doctor {
 public:
  explicit Doctor(const DoctorOptions& options) : options_(options) {}

  Result<Diagnosis> examine() {
    if (!read_file()) return std::move(result_);
    MINI_TRY(open_session());
    if (session_) {
      look_at_dimensions();
      try_out();
    }
    if (result_.runs()) {
      look_at_plan();
      look_at_outputs();
    }
    for (const std::string& trap : traps_) observe(Finding::kWarning, "precision", trap);
    if (traps_.empty())
      observe(Finding::kFine, "precision", "no tiny epsilons, no extreme weights");
    return std::move(result_);
  }

 private:
  void observe(Finding finding, const char* topic, std::string text) {
    result_.observations.push_back({finding, topic, std::move(text)});
  }

  // Whether the file can be read at all; its operators and numbers are looked at on the way.
  bool read_file() {
    const Progress progress("reading " + options_.model);
    std::vector<std::string> notes;
    const Result<ImportedModel> model =
        import_file(options_.model, [&](const std::string& note) { notes.push_back(note); });
    if (!model.ok()) {
      observe(Finding::kProblem, "file", model.status().message());
      return false;
    }
    const ModelInfo& info = model->info;
    const std::set<DType>& types = info.tensor_dtypes;
    observe(Finding::kFine, "file",
            format("%.1f MB, %lld parameters, %zu operators of %zu kinds",
                   static_cast<double>(info.file_bytes) / kMega,
                   static_cast<long long>(info.parameters), model->graph.node_count(),
                   info.op_counts.size()));
    for (const std::string& note : notes) observe(Finding::kNote, "file", note);
    const Status known = check_operators(model->graph, op_registry());
    observe(known.ok() ? Finding::kFine : Finding::kProblem, "operators",
            known.ok() ? "all are supported" : known.message());
    traps_ = precision_traps(model->graph, types.contains(DType::kFloat16));
    return known.ok();
  }

  Status open_session() {
    const Progress progress("loading " + options_.model);
    SessionOptions session_options = options_.session;
    session_options.log = nullptr;
    const double start = now_seconds();
    Result<Session> session = Session::load(options_.model, session_options);
    trial_.load_ms = (now_seconds() - start) * 1e3;
    if (!session.ok()) {
      observe(Finding::kProblem, "loading", session.status().message());
      return ok();
    }
    session_.emplace(std::move(session).value());
    MINI_TRY_ASSIGN(shapes_, parse_shapes(options_.shapes, session_->inputs()));
    return ok();
  }

  // Open sides of pictures are taken as kUsualSide, everything else as 1, unless --shape says more.
  void look_at_dimensions() {
    bool open = false;
    for (const ValueInfo& input : session_->inputs()) {
      if (shapes_.contains(input.name) || !input.dims) continue;
      Shape shape = closed_shape(input, shapes_);
      const bool picture = takes_pictures(input, {}) && input.dims->size() == 4;
      const std::size_t first = picture && (*input.dims)[1].value > 4 ? 1 : 2;
      std::string names;
      for (std::size_t i = 0; i < input.dims->size(); ++i) {
        if ((*input.dims)[i].value >= 0) continue;
        const std::string& name = (*input.dims)[i].name;
        names += (names.empty() ? "" : ", ") + (name.empty() ? "axis " + std::to_string(i) : name);
        if (picture && i >= first && i < first + 2) shape[i] = kUsualSide;
      }
      if (names.empty()) continue;
      open = true;
      shapes_[input.name] = shape;
      const std::string text = shape_text(shape);
      observe(Finding::kNote, "dimensions",
              format("input %s leaves %s open; looked at with --shape %s=%s (mini-infer edit "
                     "--set-shape fixes it in the file)",
                     printable(describe(input)).c_str(), printable(names).c_str(),
                     printable(input.name).c_str(), text.c_str()));
    }
    if (!open)
      observe(Finding::kFine, "dimensions", "all inputs have fixed shapes, or were given one");
  }

  static std::string shape_text(const Shape& shape) {
    std::string text;
    for (const std::int64_t dim : shape) text += (text.empty() ? "" : "x") + std::to_string(dim);
    return text.empty() ? "scalar" : text;
  }

  void try_out() {
    Progress progress("running " + options_.model);
    reset_peak_memory();
    const Status status = guarded([&] { return time_runs(); });
    if (status.ok()) {
      result_.trial = trial_;
    } else {
      observe(Finding::kProblem, "running", status.message());
    }
  }

  Status time_runs() {
    MINI_TRY(add_synthetic(session_->inputs(), shapes_, inputs_));
    const std::vector<Tensor> inputs = in_order(session_->inputs(), inputs_);
    double start = now_seconds();
    MINI_TRY_ASSIGN(outputs_, session_->run(inputs));
    trial_.first_ms = (now_seconds() - start) * 1e3;
    std::vector<double> times;
    const double end = now_seconds() + options_.seconds;
    do {
      start = now_seconds();
      MINI_TRY(session_->run(inputs).status());
      times.push_back((now_seconds() - start) * 1e3);
    } while (now_seconds() < end);
    std::sort(times.begin(), times.end());
    trial_.median_ms = times[times.size() / 2];
    trial_.runs = static_cast<int>(times.size());
    trial_.threads = session_->threads();
    trial_.peak_bytes = peak_memory();
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs) shapes.push_back(input.shape());
    MINI_TRY_ASSIGN(trial_.plan, session_->plan(shapes));
    return ok();
  }

  // Arithmetic on shapes, and steps that cannot be prepared before the run.
  void look_at_plan() {
    int shapes = 0, dynamic = 0;
    std::string first_shape, first_dynamic;
    for (const StepInfo& step : trial_.plan.steps) {
      if (step.op == "Shape" && shapes++ == 0) first_shape = step.node;
      if (step.kernel == "dynamic" && dynamic++ == 0) first_dynamic = step.node;
    }
    if (shapes > 0) {
      observe(Finding::kNote, "glue",
              format("%d Shape nodes could not be folded, the first '%s'", shapes,
                     printable(first_shape).c_str()));
    }
    if (dynamic > 0) {
      observe(Finding::kNote, "glue",
              format("%d steps wait for data before their shapes are known, the first '%s'",
                     dynamic, printable(first_dynamic).c_str()));
    }
    if (shapes + dynamic == 0) {
      observe(Finding::kFine, "glue", "all shapes are known before a run");
    }
  }

  const ValueInfo* picture_input() const {
    const ValueInfo* found = nullptr;
    for (const ValueInfo& input : session_->inputs()) {
      if (!takes_pictures(input, {})) continue;
      if (found != nullptr) return nullptr;
      found = &input;
    }
    return found;
  }

  void look_at_outputs() {
    const ValueInfo* picture = picture_input();
    std::string open;  // --shape for the command
    for (const std::string& shape : options_.shapes) open += " --shape " + shape;
    result_.command = "mini-infer run " + options_.model + open;
    if (picture == nullptr) {
      for (const ValueInfo& input : session_->inputs()) {
        result_.command += " --input " + printable(input.name) + "=DATA.npy";
      }
      result_.outputs = "no input takes a picture; outputs are numbers: " + output_list();
      return;
    }
    result_.command += " PICTURE.jpg";
    for (const ValueInfo& input : session_->inputs()) {
      if (&input != picture) result_.command += " --input " + printable(input.name) + "=DATA.npy";
    }
    result_.outputs = meaning_for_pictures(*picture);
  }

  std::string output_list() const {
    std::string list;
    for (const ValueInfo& output : session_->outputs()) {
      list += (list.empty() ? "" : ", ") + printable(describe(output));
    }
    return list;
  }

  // Which numbers make pictures of a classifier, whose head does not say so.
  void look_at_pixels() {
    PixelOptions pixels;
    const std::string used = use_metadata(session_->model().metadata, pixels);
    if (used.empty()) {
      observe(
          Finding::kNote, "pixels",
          "the file does not say which numbers pixels are; 0 to 1 are taken. Where classes come "
          "out wrong: run --preset imagenet, caffe, raw or pm1");
    } else {
      observe(Finding::kFine, "pixels", "as the metadata say: " + printable(used));
    }
  }

  std::string meaning_for_pictures(const ValueInfo& picture) {
    const std::vector<std::string> labels = labels_of(session_->model().metadata);
    TensorMap others = inputs_;
    others.erase(picture.name);
    Status why_not;
    const auto head =
        choose_head({}, *session_, picture, shapes_, others, {}, labels.size(), &why_not);
    if (head.ok() && *head) {
      const Head& known = **head;
      if (known.task != Task::kEmbed) result_.command += " --out DRAWN.png";
      return format("%s, the head of '%s'%s", task_words(known.task), known.family.c_str(),
                    known.classes > 1 ? format(" with %zu classes", known.classes).c_str() : "");
    }
    if (is_classification(outputs_, labels.size())) {
      look_at_pixels();
      if (labels.empty()) result_.command += " --labels NAMES.txt";
      return format("a classifier of %lld classes", static_cast<long long>(outputs_[0].elements()));
    }
    return "no head that is known: " + output_list();
  }

  static const char* task_words(Task task) {
    switch (task) {
      case Task::kDetect:
        return "a detector of objects";
      case Task::kSegment:
        return "classes of pixels or masks";
      case Task::kPose:
        return "key points";
      case Task::kFace:
        return "a detector of faces";
      case Task::kEmbed:
        return "a vector of features";
      case Task::kImage:
        return "a picture";
      case Task::kDepth:
        return "depths";
      default:
        return "classes";
    }
  }

  const DoctorOptions& options_;
  Diagnosis result_;
  std::optional<Session> session_;
  ShapeMap shapes_;
  TensorMap inputs_;
  std::vector<Tensor> outputs_;
  Trial trial_;
  std::vector<std::string> traps_;
};

}  // namespace

const char* finding_name(Finding finding) {
  constexpr const char* kNames[] = {"ok", "note", "warning", "problem"};
  return kNames[static_cast<int>(finding)];
}

Result<Diagnosis> examine(const DoctorOptions& options) { return Doctor(options).examine(); }

Json to_json(const Diagnosis& diagnosis) {
  Json json = {{"runs", diagnosis.runs()}, {"observations", Json::array()}};
  for (const Observation& o : diagnosis.observations) {
    json["observations"].push_back(
        {{"finding", finding_name(o.finding)}, {"topic", o.topic}, {"text", o.text}});
  }
  if (!diagnosis.trial) return json;
  const Trial& trial = *diagnosis.trial;
  json["load_ms"] = trial.load_ms;
  json["first_ms"] = trial.first_ms;
  json["median_ms"] = trial.median_ms;
  json["threads"] = trial.threads;
  json["peak_bytes"] = trial.peak_bytes;
  json["arena_bytes"] = trial.plan.arena_bytes;
  json["weight_bytes"] = trial.plan.weight_bytes;
  json["gflop"] = trial.plan.flop / 1e9;
  json["outputs"] = diagnosis.outputs;
  json["command"] = diagnosis.command;
  return json;
}

}  // namespace mini_infer::tools
