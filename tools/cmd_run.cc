// mini-infer run: pictures or other data through a model.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "tools/classify.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/input_options.h"
#include "tools/labels.h"
#include "tools/model_inputs.h"
#include "tools/npy.h"
#include "tools/print.h"
#include "tools/probe.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> inputs, shapes;
  PixelOptions pixels;
  std::string labels;
  int top = 5;
  std::string output_folder;
  ProbeOptions probe;
  SessionOptions session;
  bool json = false;
};

// What stays the same for all pictures.
struct Job {
  const Options& options;
  const Session& session;
  PixelOptions pixels;
  ShapeMap shapes;
  TensorMap given;                     // from --input
  const ValueInfo* picture = nullptr;  // the input that takes the pictures
  std::vector<std::string> labels;
  std::unique_ptr<Probe> probe;  // null without --dump and --check-finite
};

struct Picture {
  std::string file;
  int width = 0, height = 0;
  PictureInput input;
};

struct RunResult {
  std::vector<Tensor> outputs;
  double ms = 0;
};

// The input for the pictures: the only one that can take one and has no --input.
Status choose_picture_input(Job& job) {
  std::string candidates;
  for (const ValueInfo& input : job.session.inputs()) {
    if (job.given.contains(input.name)) continue;
    const auto shape = job.shapes.find(input.name);
    ValueInfo shaped = input;
    if (shape != job.shapes.end()) {
      shaped.dims.emplace();
      for (const std::int64_t dim : shape->second) shaped.dims->push_back({dim, ""});
    }
    if (!takes_pictures(shaped, job.pixels.layout)) continue;
    if (job.picture != nullptr) candidates += job.picture->name + ", ";
    job.picture = &input;
  }
  if (job.picture == nullptr) {
    std::string inputs;
    for (const ValueInfo& input : job.session.inputs()) {
      inputs += (inputs.empty() ? "" : ", ") + describe(input);
    }
    const char* given = job.given.empty() ? "" : " and has no --input already";
    return {Code::kInvalidArgument,
            format("no input of the model takes a picture%s; it has %s", given, inputs.c_str())};
  }
  if (!candidates.empty()) {
    return {Code::kInvalidArgument,
            format("several inputs take a picture (%s%s); say which with --input %s=%s",
                   candidates.c_str(), job.picture->name.c_str(), job.picture->name.c_str(),
                   job.options.images[0].c_str())};
  }
  return ok();
}

Status check_all_given(const Job& job) {
  for (const ValueInfo& input : job.session.inputs()) {
    if (job.given.contains(input.name) || &input == job.picture) continue;
    return {Code::kInvalidArgument,
            format("input %s has no value; pass --input %s=FILE (.npy, .pb, picture) or a number",
                   describe(input).c_str(), input.name.c_str())};
  }
  return ok();
}

Result<RunResult> run_once(const Job& job, const TensorMap& inputs) {
  const std::vector<Tensor> ordered = in_order(job.session.inputs(), inputs);
  const double start = now_seconds();
  MINI_TRY_ASSIGN(std::vector<Tensor> outputs, job.session.run(ordered));
  return RunResult{std::move(outputs), (now_seconds() - start) * 1e3};
}

// Adds the picture to the inputs.
Result<Picture> load_picture(const Job& job, const std::string& file, TensorMap& inputs) {
  MINI_TRY_ASSIGN(const Image image, read_image(file));
  const auto shape = job.shapes.find(job.picture->name);
  const std::optional<Shape> given =
      shape == job.shapes.end() ? std::optional<Shape>() : std::optional<Shape>(shape->second);
  MINI_TRY_ASSIGN(PictureInput plan, plan_picture(*job.picture, given, job.pixels, image));
  MINI_TRY_ASSIGN(inputs[job.picture->name], make_tensor(image, plan));
  return Picture{file, image.width, image.height, std::move(plan)};
}

// Of the names of files: with several pictures the name of the picture comes first.
std::string prefix_of(const Job& job, const std::string& picture) {
  if (job.options.images.size() <= 1) return "";
  return file_name_for(std::filesystem::path(picture).stem().string()) + '.';
}

// One .npy file for each output.
Status write_outputs(const Job& job, const std::string& picture,
                     const std::vector<Tensor>& outputs) {
  const std::filesystem::path folder = job.options.output_folder;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return {Code::kIo, "cannot make folder '" + folder.string() + "': " + error.message()};
  const std::string prefix = prefix_of(job, picture);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string name = file_name_for(job.session.outputs()[i].name);
    MINI_TRY(write_npy((folder / (prefix + name + ".npy")).string(), outputs[i]));
  }
  return ok();
}

Json report_json(const Job& job, const Picture& picture, const RunResult& result) {
  Json json;
  if (!picture.file.empty()) json["image"] = picture.file;
  json["ms"] = result.ms;
  if (job.options.top > 0 && is_classification(result.outputs, job.labels.size())) {
    const auto top =
        top_classes(result.outputs[0], static_cast<std::size_t>(job.options.top), job.labels);
    json["top"] = classes_json(top);
  }
  json["outputs"] = Json::array();
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    json["outputs"].push_back(summary_json(job.session.outputs()[i].name, result.outputs[i]));
  }
  return json;
}

void print_report(const Job& job, const Picture& picture, const RunResult& result) {
  if (picture.file.empty()) {
    std::printf("%.1f ms\n", result.ms);
  } else {
    std::printf("%s: %dx%d -> %dx%d, %.1f ms\n", picture.file.c_str(), picture.width,
                picture.height, picture.input.width, picture.input.height, result.ms);
  }
  if (job.options.top > 0 && is_classification(result.outputs, job.labels.size())) {
    const auto top =
        top_classes(result.outputs[0], static_cast<std::size_t>(job.options.top), job.labels);
    std::fputs(print_classes(top).c_str(), stdout);
  } else {
    for (std::size_t i = 0; i < result.outputs.size(); ++i) {
      std::printf("  %s\n", summary_line(job.session.outputs()[i].name, result.outputs[i]).c_str());
    }
  }
  std::fflush(stdout);
}

// `file` may be empty: no picture, everything came from --input.
Status process(const Job& job, const std::string& file, Progress& progress, Json& results) {
  TensorMap inputs = job.given;
  Picture picture;
  if (!file.empty()) {
    MINI_TRY_ASSIGN(picture, load_picture(job, file, inputs));
  }
  Result<RunResult> result = run_once(job, inputs);
  if (!result.ok()) return file.empty() ? result.status() : result.status().at(file);
  ProbeReport probed;
  if (job.probe != nullptr) {
    MINI_TRY_ASSIGN(probed, job.probe->run(inputs, prefix_of(job, file)));
  }
  if (!job.options.output_folder.empty()) MINI_TRY(write_outputs(job, file, result->outputs));
  progress.clear();
  if (job.options.json) {
    results.push_back(report_json(job, picture, *result));
    results.back().update(probed.json);
  } else {
    print_report(job, picture, *result);
    std::fputs(probed.text.c_str(), stdout);
  }
  return probed.verdict;
}

// Labels for another number of classes are most likely the wrong file, or shifted by one.
void check_labels(const Job& job) {
  const std::vector<ValueInfo>& outputs = job.session.outputs();
  if (job.labels.empty() || outputs.size() != 1 || !outputs[0].dims || outputs[0].dims->size() < 2)
    return;
  const std::int64_t classes = (*outputs[0].dims)[1].value;
  if (classes <= 1 || static_cast<std::size_t>(classes) == job.labels.size()) return;
  note(format("there are %zu labels, but output '%s' has %lld values", job.labels.size(),
              outputs[0].name.c_str(), static_cast<long long>(classes)));
}

Status prepare(Job& job) {
  const Options& options = job.options;
  use_metadata(job.session.model().metadata, job.pixels);
  MINI_TRY_ASSIGN(job.shapes, parse_shapes(options.shapes, job.session.inputs()));
  MINI_TRY_ASSIGN(job.given,
                  read_inputs(options.inputs, job.session.inputs(), job.shapes, job.pixels));
  if (!options.images.empty()) MINI_TRY(choose_picture_input(job));
  if (options.probe.any()) {
    MINI_TRY_ASSIGN(job.probe, Probe::make(options.model, options.session, options.probe,
                                           options.output_folder));
  }
  MINI_TRY(check_all_given(job));
  job.labels = labels_of(job.session.model().metadata);
  if (!options.labels.empty()) {
    MINI_TRY_ASSIGN(job.labels, read_labels(options.labels));
    check_labels(job);
  }
  return ok();
}

int run_images(const Job& job, double load_ms) {
  const std::vector<std::string> none = {""};
  const std::vector<std::string>& files = job.options.images.empty() ? none : job.options.images;
  int exit_code = kExitOk;
  Json results = Json::array();
  {
    Progress progress("", files.size());
    for (const std::string& file : files) {
      progress.next(job.options.session.tune ? "tuning, running " + file : file);
      const Status status = guarded([&] { return process(job, file, progress, results); });
      progress.clear();
      if (!status.ok()) exit_code = fail(status);
    }
  }
  if (job.options.json) {
    const Json json = {{"model", job.options.model},
                       {"isa", isa_name()},
                       {"threads", job.session.threads()},
                       {"load_ms", load_ms},
                       {"results", results}};
    std::printf("%s\n", dump(json).c_str());
  }
  return exit_code;
}

int run(const Options& options) {
  if (!options.probe.dump.empty() && options.output_folder.empty()) {
    return usage_error("--dump needs --output DIR, the folder for the values");
  }
  SessionOptions session_options = options.session;
  session_options.log = note;
  const double start = now_seconds();
  Result<Session> session = [&] {
    const Progress progress("loading " + options.model);
    return Session::load(options.model, session_options);
  }();
  if (!session.ok()) return fail(session.status());
  const double load_ms = (now_seconds() - start) * 1e3;
  Job job{.options = options, .session = *session, .pixels = options.pixels};
  const Status status = prepare(job);
  if (!status.ok()) return fail(status);
  return run_images(job, load_ms);
}

}  // namespace

void add_run_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "run a model on pictures or other data");
  command->add_option("MODEL", options->model, "an .onnx file")->required();
  command->add_option("IMAGE", options->images, "JPEG or PNG files, one after the other");
  add_input_option(*command, options->inputs);
  add_shape_option(*command, options->shapes);
  add_pixel_options(*command, options->pixels);
  command->add_option("--labels", options->labels, "names of the classes, one a line")
      ->type_name("FILE");
  command
      ->add_option("--top", options->top,
                   "how many classes to print; 0 for the outputs as they are")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--output", options->output_folder, "write each output as .npy into this folder")
      ->type_name("DIR");
  add_probe_options(*command, options->probe);
  add_threads_option(*command, options->session.threads);
  add_tune_options(*command, options->session);
  command->add_flag("--json", options->json, "the results as JSON");
  command->footer(
      "Examples:\n"
      "  mini-infer run squeezenet.onnx cat.jpg --preset imagenet --labels imagenet.txt\n"
      "  mini-infer run vad.onnx --input audio.npy --input sr=16000 --output results");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
