// mini-infer: the command line of the library.
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/option_rules.h"
#include "tools/version.h"

namespace mini_infer::tools {
namespace {

void add_commands(CLI::App& app, Action& action) {
  add_run_command(app, action);
  add_test_command(app, action);
  add_bench_command(app, action);
  add_compare_command(app, action);
  add_doctor_command(app, action);
  add_edit_command(app, action);
  add_inspect_command(app, action);
  add_simplify_command(app, action);
  add_ops_command(app, action);
  add_demo_command(app, action);
  add_completion_command(app, action);
  add_man_command(app, action);
}

// What CLI11 says of --json=5 is not for people.
std::string plain_words(const std::string& problem) {
  const std::size_t jargon = problem.find(" was given a disallowed flag override");
  return jargon == problem.npos ? problem : "--" + problem.substr(0, jargon) + " takes no value";
}

int main_with(int argc, char** argv) {
  CLI::App app("mini-infer: runs ONNX models on CPUs", "mini-infer");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("mini-infer ") + kVersion);
  app.footer(
      "Example:\n"
      "  mini-infer run model.onnx photo.jpg --labels labels.txt\n"
      "\n"
      "mini-infer COMMAND --help says more. Exit codes: 0 fine, 1 the work failed, 2 wrong usage.");
  Action action;
  add_commands(app, action);
  add_option_rules(app);
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  const bool has_command = argc > 1 && !app.get_subcommands(is_named).empty();
  if (argc > 1 && argv[1][0] != '-' && !has_command) {
    return usage_error(std::string("there is no command '") + argv[1] + "'; see mini-infer --help");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const std::string command = has_command ? std::string(" ") + argv[1] : "";
    return usage_error(plain_words(error.what()) + "; see mini-infer" + command + " --help");
  }
  return action();
}

}  // namespace
}  // namespace mini_infer::tools

int main(int argc, char** argv) {
  try {
    return mini_infer::tools::main_with(argc, argv);
  } catch (const std::bad_alloc&) {
    return mini_infer::tools::fail({mini_infer::Code::kResourceExhausted, "out of memory"});
  } catch (const std::exception& error) {
    return mini_infer::tools::fail({mini_infer::Code::kInternal, error.what()});
  }
}
