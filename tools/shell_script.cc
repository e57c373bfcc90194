#include "tools/shell_script.h"

#include <mini_infer/session.h>

#include <map>
#include <set>
#include <vector>

#include "graph/passes/pass.h"
#include "tools/option_help.h"

namespace mini_infer::tools {
namespace {

// The part that both shells run. What to offer for WORD after BEFORE comes back in two variables:
// words in `offers`, and in `paths` what compgen calls files (-f) or folders (-d).
constexpr const char* kOffers = R"(
_mini_infer_offers() {  # COMMAND BEFORE WORD
  offers='' paths=''
  case "$1 $2" in
@ARGUMENTS@  *)
    case "$1 $3" in
@WORDS@    esac ;;
  esac
}
)";

constexpr const char* kBash = R"(
_mini_infer() {
  local word=${COMP_WORDS[COMP_CWORD]} at=$COMP_CWORD command='' before='' offers paths
  if [ "$COMP_CWORD" -gt 1 ]; then
    command=${COMP_WORDS[1]}
    # --option=value and --input name=value come in pieces.
    if [ "$word" = = ]; then word='' at=$((at + 1)); fi
    if [ "${COMP_WORDS[at-1]}" = = ]; then
      case ${COMP_WORDS[at-2]} in
        -*) at=$((at - 1)) ;;
        *) at=$((at - 2)) ;;
      esac
    fi
    before=${COMP_WORDS[at-1]}
  fi
  _mini_infer_offers "$command" "$before" "$word"
  mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$word"
    [ -z "$paths" ] || compgen "$paths" -- "$word")
}
complete -o filenames -F _mini_infer mini-infer
)";

constexpr const char* kZsh = R"(
_mini-infer() {
  local word=$PREFIX command='' before='' offers paths
  if (( CURRENT > 2 )); then
    command=$words[2] before=$words[CURRENT-1]
    case $word in
      -*=*) before=${word%%=*} word=${word#*=}; compset -P 1 '*=' ;;
      *=*) compset -P 1 '*=' ;;
    esac
  fi
  _mini_infer_offers "$command" "$before" "$word"
  compadd -- ${=offers}
  case $paths in
    -f) _files ;;
    -d) _files -/ ;;
  esac
}
if [ "$funcstack[1]" = _mini-infer ]; then
  _mini-infer
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _mini-infer mini-infer
fi
)";

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> passes(bool of_simplifier) {
  std::set<std::string> names;
  for (const Pass& pass : all_passes()) {
    if ((pass.stage == PassStage::kSimplify) == of_simplifier) names.emplace(pass.name);
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> operators() {
  std::set<std::string> types;
  for (const OperatorInfo& info : supported_operators()) types.insert(info.type);
  return {types.begin(), types.end()};
}

// What sets `offers` and `paths` for a word that this option or positional takes.
std::string offer(const CLI::App& command, const CLI::Option& option) {
  const OptionHelp help = option_help(option);
  const std::string& argument = help.argument;
  const auto says = [&](const char* what) {
    return argument.find(what) != argument.npos || option.get_name() == what;
  };
  std::vector<std::string> words = help.values;
  if (says("PASS")) words = passes(command.get_name() == "simplify");
  if (says("TYPE") || says("LIST")) words = operators();
  if (says("|auto")) words = {"auto"};
  if (says("|all")) words = {"all"};
  const bool positional = !option.nonpositional();
  const char* paths = says("DIR")                                     ? "-d"
                      : says("FILE") || (positional && words.empty()) ? "-f"
                                                                      : "";
  std::string text;
  if (!words.empty()) text += "offers='" + join(words) + "'";
  if (*paths != 0) text += (text.empty() ? "" : " ") + std::string("paths=") + paths;
  return text;
}

// Lines of a `case`: what is done for each of these patterns.
using Cases = std::map<std::string, std::vector<std::string>>;

std::string lines(const Cases& cases, const std::string& indent) {
  std::string text;
  for (const auto& [action, patterns] : cases) {
    std::string all;
    for (const std::string& pattern : patterns) all += (all.empty() ? "" : "|") + pattern;
    text += indent + all + ") " + action + " ;;\n";
  }
  return text;
}

std::string names(const std::vector<const CLI::Option*>& options) {
  std::vector<std::string> all;
  for (const CLI::Option* option : options) {
    for (const std::string& name : option->get_lnames()) all.push_back("--" + name);
  }
  return join(all);
}

std::string argument_lines(const CLI::App& app) {
  Cases cases;
  for (const CLI::App* command : commands_of(app)) {
    for (const CLI::Option* option : options_of(*command)) {
      if (!takes_word(*option)) continue;
      for (const std::string& name : option->get_lnames()) {
        cases[offer(*command, *option)].push_back("'" + command->get_name() + " --" + name + "'");
      }
    }
  }
  return lines(cases, "  ");
}

std::string word_lines(const CLI::App& app) {
  std::string text = "    ' -'*) offers='" + names(options_of(app)) + "' ;;\n";
  std::vector<std::string> commands;
  Cases options, positionals;
  for (const CLI::App* command : commands_of(app)) {
    commands.push_back(command->get_name());
    const std::string start = "'" + command->get_name() + " ";
    options["offers='" + names(options_of(*command)) + "'"].push_back(start + "-'*");
    std::set<std::string> offered;
    for (const CLI::Option* option : positionals_of(*command)) {
      offered.insert(offer(*command, *option));
    }
    for (const std::string& action : offered) positionals[action].push_back(start + "'*");
  }
  text += "    ' '*) offers='" + join(commands) + "' ;;\n";
  return text + lines(options, "    ") + lines(positionals, "    ");
}

std::string offers_function(const CLI::App& app) {
  std::string text = kOffers;
  for (const auto& [mark, by] : {std::pair<std::string, std::string>("@WORDS@", word_lines(app)),
                                 {"@ARGUMENTS@", argument_lines(app)}}) {
    text.replace(text.find(mark), mark.size(), by);
  }
  return text;
}

}  // namespace

std::string bash_script(const CLI::App& app) {
  return "# bash completion for mini-infer" + offers_function(app) + kBash;
}

std::string zsh_script(const CLI::App& app) {
  return "#compdef mini-infer\n# zsh completion for mini-infer" + offers_function(app) + kZsh;
}

}  // namespace mini_infer::tools
