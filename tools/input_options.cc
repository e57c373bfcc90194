#include "tools/input_options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <span>

#include "tools/image/image.h"
#include "tools/model_inputs.h"

namespace mini_infer::tools {
namespace {

// An option that takes one of a few names.
template <class T, class Value>
void add_choice(CLI::App& command, const char* name, T& target,
                std::map<std::string, Value> choices, const char* help) {
  std::vector<std::string> names;
  for (const auto& [choice, value] : choices) names.push_back(choice);
  command
      .add_option_function<std::string>(
          name, [&target, choices](const std::string& text) { target = choices.at(text); }, help)
      ->check(CLI::IsMember(names));
}

// NAME=FILE or FILE
bool is_picture_file(const std::string& input) {
  std::ifstream file(input.substr(input.find('=') + 1), std::ios::binary);
  if (!file) file.open(input, std::ios::binary);
  std::array<char, 16> start = {};
  file.read(start.data(), start.size());
  return is_image(std::as_bytes(std::span(start)));
}

template <class Holds>
CLI::Validator number_check(Holds holds, const std::string& what) {
  const auto check = [holds, what](const std::string& text) {
    double number = 0;
    const bool fine =
        CLI::detail::lexical_cast(text, number) && std::isfinite(number) && holds(number);
    return fine ? std::string() : "'" + text + "' is not " + what;
  };
  return {check, ""};
}

void add_values(CLI::App& command, const char* name, std::vector<double>& values,
                const char* help) {
  command.add_option(name, values, help)
      ->delimiter(',')
      ->expected(1, 3)
      ->check(number_check([](double) { return true; }, "a finite number"))
      ->type_name("X[,X,X]")
      ->allow_extra_args(false);
}

}  // namespace

void add_threads_option(CLI::App& command, int& threads) {
  constexpr int kMost = 1024;
  command.add_option("--threads", threads, "threads, 0 = all cores")->check(CLI::Range(0, kMost));
}

void add_tune_options(CLI::App& command, SessionOptions& options) {
  command.add_flag("--tune", options.tune,
                   "measure the kernels of each distinct convolution first, and take the fastest");
  command
      .add_option("--tune-cache", options.tune_cache,
                  "a file of such measurements: used if there, and --tune adds what it lacks")
      ->type_name("FILE");
}

void add_shape_option(CLI::App& command, std::vector<std::string>& shapes) {
  const auto check = [](const std::string& text) {
    const bool valid = parse_shape(text.substr(text.rfind('=') + 1)).has_value();
    return valid ? std::string() : "'" + text + "': sizes are written like 1x3x224x224, or scalar";
  };
  command
      .add_option("--shape", shapes,
                  "shape of an input that leaves dimensions open (taken as 1, or from the picture)")
      ->type_name("NAME=1x3x224x224")
      ->allow_extra_args(false)
      ->check(CLI::Validator(check, ""));
}

void add_input_option(CLI::App& command, std::vector<std::string>& inputs) {
  command
      .add_option("--input", inputs,
                  "data for an input: a .npy, .pb or picture file, or a number that fills it")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
}

void add_pixel_options(CLI::App& command, PixelOptions& options) {
  command
      .add_option(
          "--preset", options.preset,
          "how pixels become numbers: imagenet (mean 0.485,0.456,0.406, std 0.229,0.224,0.225), "
          "caffe (BGR, "
          "scale 1, mean 104,117,123), raw (0 to 255), pm1 (-1 to 1), unit (0 to 1, the default)")
      ->check(CLI::IsMember(preset_names()));
  add_values(command, "--scale", options.scale, "x = (pixel * scale - mean) / std; default 1/255");
  add_values(command, "--mean", options.mean, "default 0; for each channel in the model's order");
  add_values(command, "--std", options.std, "default 1");
  add_choice<std::optional<Color>, Color>(
      command, "--color", options.color,
      {{"rgb", Color::kRgb}, {"bgr", Color::kBgr}, {"gray", Color::kGray}},
      "order of the channels");
  add_choice<std::optional<Layout>, Layout>(command, "--layout", options.layout,
                                            {{"nchw", Layout::kNchw}, {"nhwc", Layout::kNhwc}},
                                            "order of the axes; found out from the model's shape");
  add_choice<std::optional<Fit>, Fit>(
      command, "--resize", options.fit,
      {{"stretch", Fit::kStretch},
       {"crop", Fit::kCrop},
       {"letterbox", Fit::kLetterbox},
       {"corner", Fit::kCorner}},
      "stretch (default), crop the centre, letterbox on grey, or the same in the top left corner");
}

std::string unused_pixel_option(const PixelOptions& options,
                                const std::vector<std::string>& pictures,
                                const std::vector<std::string>& inputs) {
  if (!pictures.empty() || std::any_of(inputs.begin(), inputs.end(), is_picture_file)) return "";
  const std::pair<const char*, bool> given[] = {
      {"--preset", !options.preset.empty()},  {"--scale", !options.scale.empty()},
      {"--mean", !options.mean.empty()},      {"--std", !options.std.empty()},
      {"--color", options.color.has_value()}, {"--layout", options.layout.has_value()},
      {"--resize", options.fit.has_value()}};
  for (const auto& [name, is_given] : given) {
    if (is_given) return name;
  }
  return "";
}

CLI::Validator not_negative() {
  return number_check([](double number) { return number >= 0; }, "a number from 0 up");
}

CLI::Validator fraction() {
  return number_check([](double number) { return number >= 0 && number <= 1; },
                      "a number from 0 to 1");
}

CLI::Validator positive() {
  return number_check([](double number) { return number > 0; }, "a number above 0");
}

}  // namespace mini_infer::tools
