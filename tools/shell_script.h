// The script with which a shell completes commands, options and their values.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace mini_infer::tools {

std::string bash_script(const CLI::App& app);
// For `source`, and as the file _mini-infer in a folder of $fpath.
std::string zsh_script(const CLI::App& app);

}  // namespace mini_infer::tools
