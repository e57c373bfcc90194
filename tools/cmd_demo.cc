// mini-infer demo: the program shows that it works, with a picture and a network that it carries.
#include <mini_infer/session.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "tools/classify.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/demo/embedded.h"
#include "tools/input_options.h"
#include "tools/labels.h"
#include "tools/pixel_metadata.h"

namespace mini_infer::tools {
namespace {

struct Options {
  int threads = 1;  // more only cost time for so small a network
  std::string save;
};

std::span<const std::byte> bytes(const unsigned char* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

Status save_files(const std::string& folder) {
  MINI_TRY(write_bytes(folder + "/shapes.onnx", demo_model, demo_model_size));
  MINI_TRY(write_bytes(folder + "/star.png", demo_picture, demo_picture_size));
  std::printf("wrote %s/shapes.onnx and %s/star.png\n", folder.c_str(), folder.c_str());
  return ok();
}

Status demo(const Options& options) {
  if (!options.save.empty()) return save_files(options.save);
  SessionOptions session_options;
  session_options.threads = options.threads;
  MINI_TRY_ASSIGN(const Session session,
                  Session::load(bytes(demo_model, demo_model_size), session_options));
  MINI_TRY_ASSIGN(const Image image, decode_image(bytes(demo_picture, demo_picture_size)));
  PixelOptions pixels;
  use_metadata(session.model().metadata, pixels);
  MINI_TRY_ASSIGN(const PictureInput plan, plan_picture(session.inputs()[0], {}, pixels, image));
  MINI_TRY_ASSIGN(const Tensor input, make_tensor(image, plan));

  // The first run makes the plan.
  constexpr int kRuns = 20;
  std::vector<Tensor> outputs;
  double seconds = HUGE_VAL;
  for (int i = 0; i < kRuns; ++i) {
    const double start = now_seconds();
    MINI_TRY_ASSIGN(outputs, session.run(std::span(&input, 1)));
    seconds = std::min(seconds, now_seconds() - start);
  }

  constexpr std::size_t kTop = 3;
  const auto classes = top_classes(outputs[0], kTop, labels_of(session.model().metadata));
  std::printf("The picture shows a %s.\n%s", classes[0].label.c_str(),
              print_classes(classes).c_str());
  std::printf("%.2f ms for a picture of %dx%d pixels (the fastest of %d runs), %d thread%s, %s\n",
              seconds * 1e3, plan.width, plan.height, kRuns, session.threads(),
              session.threads() == 1 ? "" : "s", isa_name().c_str());
  return ok();
}

int run(const Options& options) {
  const Status status = demo(options);
  return status.ok() ? kExitOk : fail(status);
}

}  // namespace

void add_demo_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "demo", "classify a picture with a small network; both are inside the program");
  add_threads_option(*command, options->threads);
  command
      ->add_option("--save", options->save,
                   "write the network and the picture into this folder instead")
      ->type_name("DIR");
  command->footer("Example:\n  mini-infer demo");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace mini_infer::tools
