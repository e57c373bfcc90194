// What --help says about an option, in parts: for the manual page and for completion.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace mini_infer::tools {

struct OptionHelp {
  std::string argument;             // "NAME=FILE ...", "INT in [0 - 1024]"; empty for a flag
  std::vector<std::string> values;  // all that the option takes; empty where that is no list
};
OptionHelp option_help(const CLI::Option& option);

// The option takes a word after it (a flag, or one with --flag=VALUE alone, does not).
bool takes_word(const CLI::Option& option);

// Positionals, or all others, in the order of --help.
std::vector<const CLI::Option*> positionals_of(const CLI::App& command);
std::vector<const CLI::Option*> options_of(const CLI::App& command);
// Commands in the order of --help.
std::vector<const CLI::App*> commands_of(const CLI::App& app);

}  // namespace mini_infer::tools
