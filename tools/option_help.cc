#include "tools/option_help.h"

#include "tools/text.h"

namespace mini_infer::tools {

OptionHelp option_help(const CLI::Option& option) {
  OptionHelp help{.argument = CLI::Formatter().make_option_opts(&option), .values = {}};
  std::string& text = help.argument;
  text.erase(0, text.find_first_not_of(' '));
  const std::size_t colon = text.find(':');
  const std::size_t close = text.find('}');
  if (colon == text.npos) return help;
  if (text.compare(colon, 2, ":{") == 0 && close != text.npos) {
    for (const std::string_view value :
         split(std::string_view(text).substr(colon + 2, close - colon - 2), ',')) {
      help.values.emplace_back(value);
    }
    text.erase(colon, close + 1 - colon);
  } else if (const std::size_t range = text.find(" in [", colon); range != text.npos) {
    text.erase(colon, range - colon);  // "N:INT in [0 - 9]"
  }
  return help;
}

bool takes_word(const CLI::Option& option) { return option.get_items_expected_min() > 0; }

std::vector<const CLI::Option*> positionals_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->nonpositional(); });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

}  // namespace mini_infer::tools
