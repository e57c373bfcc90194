// The options about pictures, the same for every subcommand that takes pictures.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "tools/preprocess.h"

namespace mini_infer::tools {

void add_pixel_options(CLI::App& command, PixelOptions& options);
// The preset that a model names in its metadata ("mini_infer.preset"), where the command line names
// none.
void use_metadata(const std::map<std::string, std::string>& metadata, PixelOptions& options);

}  // namespace mini_infer::tools
