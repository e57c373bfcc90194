#include "tools/option_rules.h"

namespace mini_infer::tools {
namespace {

std::string name_problem(const std::string& name) {
  return name.empty() ? "the name is empty" : "";
}

}  // namespace

void add_option_rules(CLI::App& app) {
  const auto all = [](auto*) { return true; };
  for (CLI::App* command : app.get_subcommands(all)) {
    for (CLI::Option* option : command->get_options(all)) {
      const bool flag = option->get_items_expected_min() == 0;
      if (flag && option->get_option_text().find('=') == std::string::npos) {
        option->disable_flag_override();
      }
      const std::string type = option->get_type_name();
      if (type == "FILE" || type == "DIR") option->check(CLI::Validator(name_problem, ""));
    }
  }
}

}  // namespace mini_infer::tools
