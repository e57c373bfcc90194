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
// The preset that a model names in its metadata ("mini_infer.preset"), where the command line names
// none.
void use_metadata(const std::map<std::string, std::string>& metadata, PixelOptions& options);

}  // namespace mini_infer::tools
