// The options that several subcommands share.
#pragma once

#include <mini_infer/session.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/preprocess.h"

namespace mini_infer::tools {

// --threads; 0 stands for all cores.
void add_threads_option(CLI::App& command, int& threads);
// --tune and --tune-cache.
void add_tune_options(CLI::App& command, SessionOptions& options);
// --shape; what is not written like NAME=1x3x224x224 is wrong usage.
void add_shape_option(CLI::App& command, std::vector<std::string>& shapes);
// --input
void add_input_option(CLI::App& command, std::vector<std::string>& inputs);
// --preset, --scale, --mean, --std, --color, --layout, --resize
void add_pixel_options(CLI::App& command, PixelOptions& options);
// The first of those that was given, where there is no picture to use it for: neither among
// `pictures` nor in the files of --input; else empty.
std::string unused_pixel_option(const PixelOptions& options,
                                const std::vector<std::string>& pictures,
                                const std::vector<std::string>& inputs);

// Checks of options that take a number, which say what is wrong in short words.
CLI::Validator not_negative();
CLI::Validator positive();
CLI::Validator fraction();  // from 0 to 1

}  // namespace mini_infer::tools
