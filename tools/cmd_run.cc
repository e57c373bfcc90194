// mini-infer run: pictures or other data through a model.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "tools/classify.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/image/encode.h"
#include "tools/input_options.h"
#include "tools/labels.h"
#include "tools/model_inputs.h"
#include "tools/npy.h"
#include "tools/picture_files.h"
#include "tools/pixel_metadata.h"
#include "tools/print.h"
#include "tools/probe.h"
#include "tools/progress.h"
#include "tools/run_report.h"
#include "tools/tasks/picture_task.h"
#include "tools/tasks/report.h"
#include "tools/tasks/task_options.h"

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
  TaskOptions task;
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
  std::unique_ptr<Probe> probe;        // null without --dump and --check-finite
  std::vector<std::string> files;      // the pictures, folders opened
  std::vector<std::string> out_files;  // one for each, or none
  std::optional<Head> head = {};
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
  MINI_TRY_ASSIGN(Image image, read_image(file));
  const auto shape = job.shapes.find(job.picture->name);
  const std::optional<Shape> given =
      shape == job.shapes.end() ? std::optional<Shape>() : std::optional<Shape>(shape->second);
  MINI_TRY_ASSIGN(PictureInput plan, plan_picture(*job.picture, given, job.pixels, image));
  MINI_TRY_ASSIGN(inputs[job.picture->name], make_tensor(image, plan));
  return Picture{file, std::move(image), std::move(plan)};
}

// Of the names of files: with several pictures the name of the picture comes first.
std::string prefix_of(const Job& job, const std::string& picture) {
  if (job.files.size() <= 1) return "";
  return file_name_for(std::filesystem::path(picture).stem().string()) + '.';
}

// Two pictures of one name would write the same files.
Status check_prefixes(const Job& job) {
  std::map<std::string, std::string> taken;
  for (const std::string& picture : job.files) {
    const auto [other, fresh] = taken.emplace(prefix_of(job, picture), picture);
    if (fresh) continue;
    return {Code::kInvalidArgument,
            format("--output: '%s' and '%s' would both be written to %s*.npy; run them into "
                   "different folders",
                   other->second.c_str(), picture.c_str(), other->first.c_str())};
  }
  return ok();
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

// What the head says, and the picture with that drawn in where one is wanted.
Status find_and_draw(const Job& job, const Picture& picture, const std::string& out,
                     RunResult& result) {
  MINI_TRY_ASSIGN(result.findings,
                  find(*job.head, job.options.task, result.outputs, picture.input, picture.image));
  if (out.empty()) return ok();
  return write_image(out, draw_findings(picture.image, *result.findings, job.labels));
}

Reporting reporting_of(const Job& job) {
  return {job.session.outputs(), job.head, job.labels, job.options.task.task, job.options.top};
}

// The picture at `index`, or, when there are no pictures, what --input gives.
Status process(const Job& job, std::size_t index, Progress& progress, Json& results) {
  TensorMap inputs = job.given;
  const std::string file = job.files.empty() ? "" : job.files[index];
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
  if (job.options.task.task == Task::kClassify) MINI_TRY(check_scores(result->outputs).at(file));
  if (!job.options.output_folder.empty()) MINI_TRY(write_outputs(job, file, result->outputs));
  if (job.head) {
    const std::string out = job.out_files.empty() ? "" : job.out_files[index];
    MINI_TRY(find_and_draw(job, picture, out, *result).at(file));
  }
  progress.clear();
  if (job.options.json) {
    results.push_back(report_json(reporting_of(job), picture, *result));
    results.back().update(probed.json);
  } else {
    std::fputs(report_text(reporting_of(job), picture, *result).c_str(), stdout);
    std::fputs(probed.text.c_str(), stdout);
    std::fflush(stdout);
  }
  return probed.verdict;
}

// Labels for another number of classes are most likely the wrong file, or shifted by one.
void check_labels(const Job& job) {
  if (job.options.labels.empty()) return;
  std::size_t classes = job.head ? job.head->classes : 0;
  const ValueInfo& output = job.session.outputs()[0];
  if (!job.head && job.session.outputs().size() == 1 && output.dims && output.dims->size() >= 2) {
    classes = static_cast<std::size_t>(std::max<std::int64_t>(0, (*output.dims)[1].value));
  }
  if (classes <= 1 || classes == job.labels.size()) return;
  note(format("there are %zu labels, but output '%s' has %zu %s", job.labels.size(),
              output.name.c_str(), classes, job.head ? "classes" : "values"));
}

// Names from the command line, else from the model, else those of the head.
Status choose_labels(Job& job) {
  job.labels = labels_of(job.session.model().metadata);
  if (!job.options.labels.empty()) {
    MINI_TRY_ASSIGN(job.labels, read_labels(job.options.labels));
  }
  return ok();
}

// The head, what it expects of pictures, and where drawn ones go.
Status prepare_pictures(Job& job) {
  const Options& options = job.options;
  MINI_TRY_ASSIGN(job.files, expand_folders(options.images));
  if (!options.output_folder.empty()) MINI_TRY(check_prefixes(job));
  MINI_TRY(choose_picture_input(job));
  TaskOptions task = options.task;
  if (options.top == 0 && task.task == Task::kAuto) task.task = Task::kNone;
  Status why_not;
  Result<std::optional<Head>> head = [&] {
    const Progress progress("looking at the outputs of " + options.model);
    return choose_head(task, job.session, *job.picture, job.shapes, job.given, job.pixels,
                       job.labels.size(), &why_not);
  }();
  if (!head.ok()) return head.status();
  job.head = *std::move(head);
  if (job.head) {
    job.pixels = with_defaults(job.pixels, job.head->pixels);
    if (job.labels.empty()) job.labels = job.head->labels;
    if (!job.head->note.empty()) note(job.head->note);
  }
  if (options.task.out.empty()) return ok();
  if (!job.head) return std::move(why_not).at("--out " + options.task.out);
  MINI_TRY_ASSIGN(job.out_files, files_for(options.task.out, options.images, job.files));
  return ok();
}

Status prepare(Job& job) {
  const Options& options = job.options;
  use_metadata(job.session.model().metadata, job.pixels);
  MINI_TRY_ASSIGN(job.shapes, parse_shapes(options.shapes, job.session.inputs()));
  MINI_TRY_ASSIGN(job.given,
                  read_inputs(options.inputs, job.session.inputs(), job.shapes, job.pixels));
  MINI_TRY(choose_labels(job));
  if (!options.images.empty()) MINI_TRY(prepare_pictures(job));
  check_labels(job);
  if (options.probe.any()) {
    MINI_TRY_ASSIGN(job.probe, Probe::make(options.model, options.session, options.probe,
                                           options.output_folder));
  }
  return check_all_given(job);
}

void print_results(const Job& job, double load_ms, double per_second, const Json& results) {
  if (!job.options.json) {
    if (job.files.size() > 1)
      std::printf("%zu pictures, %.1f images/s\n", job.files.size(), per_second);
    return;
  }
  Json json = {{"model", job.options.model},
               {"isa", isa_name()},
               {"threads", job.session.threads()},
               {"load_ms", load_ms}};
  if (!job.files.empty()) json["images_per_second"] = per_second;
  json["results"] = results;
  std::printf("%s\n", dump(json).c_str());
}

int run_images(const Job& job, double load_ms) {
  const std::size_t count = std::max<std::size_t>(1, job.files.size());
  int exit_code = kExitOk;
  Json results = Json::array();
  const double start = now_seconds();
  {
    Progress progress("", count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string file = job.files.empty() ? "" : job.files[i];
      progress.next(job.options.session.tune ? "tuning, running " + file : file);
      const Status status = guarded([&] { return process(job, i, progress, results); });
      progress.clear();
      if (!status.ok()) exit_code = fail(status);
    }
  }
  const double seconds = std::max(now_seconds() - start, 1e-9);
  print_results(job, load_ms, static_cast<double>(count) / seconds, results);
  return exit_code;
}

int run(const Options& options) {
  if (!options.probe.dump.empty() && options.output_folder.empty()) {
    return usage_error("--dump needs --output DIR, the folder for the values");
  }
  const std::string pixels = unused_pixel_option(options.pixels, options.images, options.inputs);
  if (!pixels.empty()) return usage_error(pixels + " is for pictures; none was named");
  const std::string wrong = misuse(options.task, options.images);
  if (!wrong.empty()) return usage_error(wrong);
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
  const Status status = guarded([&] { return prepare(job); });
  if (!status.ok()) return fail(status);
  return run_images(job, load_ms);
}

}  // namespace

void add_run_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "run a model on pictures or other data");
  command->add_option("MODEL", options->model, "an .onnx file")->required();
  command->add_option("IMAGE", options->images, "JPEG or PNG files, or folders of them");
  add_input_option(*command, options->inputs);
  add_shape_option(*command, options->shapes);
  add_pixel_options(*command, options->pixels);
  command->add_option("--labels", options->labels, "names of the classes, one a line")
      ->type_name("FILE");
  command
      ->add_option("--top", options->top,
                   "how many classes to print; 0 for the outputs as they are")
      ->capture_default_str()
      ->check(not_negative());
  command
      ->add_option("--output", options->output_folder, "write each output as .npy into this folder")
      ->type_name("DIR");
  add_probe_options(*command, options->probe);
  add_task_options(*command, options->task);
  add_threads_option(*command, options->session.threads);
  add_tune_options(*command, options->session);
  command->add_flag("--json", options->json, "the results as JSON");
  command->footer(
      "Examples:\n"
      "  mini-infer run squeezenet.onnx cat.jpg --preset imagenet --labels imagenet.txt\n"
      "  mini-infer run yolox.onnx street.jpg --labels coco.names --out boxes.png\n"
      "  mini-infer run vad.onnx --input audio.npy --input sr=16000 --output results");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
