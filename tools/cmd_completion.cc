// mini-infer completion: what makes a shell complete commands, options and files. Made from the
// options themselves, so that it is never behind them.
#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/shell_script.h"

namespace mini_infer::tools {

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
      std::fputs((*shell == "zsh" ? zsh_script(app) : bash_script(app)).c_str(), stdout);
      return kExitOk;
    };
  });
}

}  // namespace mini_infer::tools
