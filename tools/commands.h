// The subcommands of mini-infer. Each adds itself to the program and sets `action` to its work when
// it was chosen; the action returns the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace mini_infer::tools {

using Action = std::function<int()>;

void add_run_command(CLI::App& app, Action& action);
void add_test_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_completion_command(CLI::App& app, Action& action);
void add_compare_command(CLI::App& app, Action& action);
void add_doctor_command(CLI::App& app, Action& action);
void add_edit_command(CLI::App& app, Action& action);
void add_inspect_command(CLI::App& app, Action& action);
void add_simplify_command(CLI::App& app, Action& action);
void add_ops_command(CLI::App& app, Action& action);
void add_demo_command(CLI::App& app, Action& action);
void add_man_command(CLI::App& app, Action& action);

}  // namespace mini_infer::tools
