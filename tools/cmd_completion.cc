// mini-infer completion: what makes a shell complete commands, options and files. Made from the
// options themselves, so that it is never behind them.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/common.h"

namespace mini_infer::tools {
namespace {

// The long names of the command's options: "--threads --json".
std::string options_of(const CLI::App& command) {
  std::string names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames())
      names += (names.empty() ? "--" : " --") + name;
  }
  return names;
}

std::string commands_of(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands({})) {
    names += (names.empty() ? "" : " ") + command->get_name();
  }
  return names;
}

constexpr const char* kBash = R"(# bash completion for mini-infer
_mini_infer() {
  local word=${COMP_WORDS[COMP_CWORD]} options
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "@COMMANDS@" -- "$word"))
    return
  fi
  case ${COMP_WORDS[1]} in
@CASES@  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _mini_infer mini-infer
)";

// zsh runs bash's function.
constexpr const char* kZshStart = R"(#compdef mini-infer
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
)";

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

std::string bash_script(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : app.get_subcommands({})) {
    cases += "    " + command->get_name() + ") options=\"" + options_of(*command) + "\" ;;\n";
  }
  return replaced(replaced(kBash, "@COMMANDS@", commands_of(app)), "@CASES@", cases);
}

}  // namespace

void add_completion_command(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("completion", "a script that completes commands in a shell");
  command->add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->footer("Example:\n  source <(mini-infer completion bash)");
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      std::printf("%s%s", *shell == "zsh" ? kZshStart : "", bash_script(app).c_str());
      return kExitOk;
    };
  });
}

}  // namespace mini_infer::tools
