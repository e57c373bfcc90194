// Rules for all options of the program, so that no command has to repeat them.
#pragma once

#include <CLI/CLI.hpp>

namespace mini_infer::tools {

// A flag takes no value (--json=5), unless its help shows one ([=BYTES]), and the name of a file or
// folder is not empty.
void add_option_rules(CLI::App& app);

}  // namespace mini_infer::tools
