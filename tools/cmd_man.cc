// mini-infer man: the manual page, made from the options themselves, as completion is.
#include <cstdio>
#include <memory>

#include "kernels/simd/isa.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/option_help.h"
#include "tools/text.h"
#include "tools/version.h"

namespace mini_infer::tools {
namespace {

// Text in roff: no character of it is an instruction, and '-' is the one that can be pasted.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool first = out.empty() || out.back() == '\n';
    if (first && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

// Examples and what else follows the options: lines as they are.
std::string footer(const CLI::App& command) {
  const std::string text = command.get_footer();
  return text.empty() ? "" : ".PP\n.nf\n" + roff(text) + "\n.fi\n";
}

std::string list_item(const std::string& head, const std::string& text) {
  return ".TP\n" + head + '\n' + text + '\n';
}

std::string option_item(const CLI::Option& option) {
  const OptionHelp help = option_help(option);
  std::string head;
  if (option.nonpositional()) {
    const std::string names = option.get_name(false, true);
    for (const std::string_view name : split(names, ',')) {
      head += (head.empty() ? "" : ", ") + bold(name);
    }
    if (!help.argument.empty()) {
      // "--to-external[=BYTES]" in one piece, "--top INT" in two.
      head += (help.argument[0] == '[' ? "" : " ") + italic(help.argument);
    }
  } else {
    head = italic(option.get_name(true, false));
  }
  std::string text = roff(option.get_description());
  if (!help.values.empty()) {
    text += "\n.br\nOne of";
    for (const std::string& value : help.values) {
      text += (&value == &help.values.front() ? " " : ", ") + bold(value);
    }
    text += '.';
  }
  return list_item(head, text);
}

std::string option_items(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : options_of(command)) text += option_item(*option);
  return text;
}

std::string usage(const CLI::App& command) {
  std::string text = bold("mini-infer " + command.get_name()) + " [options]";
  const CLI::Formatter formatter;
  for (const CLI::Option* option : positionals_of(command)) {
    text += ' ' + italic(formatter.make_option_usage(option));
  }
  return text;
}

std::string command_section(const CLI::App& command) {
  std::string text = ".SS " + roff(command.get_name()) + '\n' + usage(command) + "\n.PP\n" +
                     roff(command.get_description()) + '\n';
  for (const CLI::Option* option : positionals_of(command)) text += option_item(*option);
  return text + option_items(command) + footer(command);
}

std::string synopsis(const CLI::App& app) {
  std::string text;
  for (const CLI::App* command : commands_of(app)) {
    text += usage(*command) + (command == commands_of(app).back() ? "\n" : "\n.br\n");
  }
  return text;
}

// All that the program has kernels for, whether or not the machine that prints the page has them.
std::string isa_list() {
  std::string text;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    text += (text.empty() ? "" : ", ") + bold(isa_name(static_cast<Isa>(i)));
  }
  return text;
}

std::string manual(const CLI::App& app) {
  std::string text = std::string(".TH MINI\\-INFER 1 \"\" \"mini\\-infer ") + kVersion +
                     "\" \"User Commands\"\n.nh\n.ad l\n";
  const std::string summary = app.get_description();
  text += ".SH NAME\nmini\\-infer \\- " + roff(summary.substr(summary.find(' ') + 1)) + '\n';
  text += ".SH SYNOPSIS\n" + synopsis(app);
  text +=
      ".SH DESCRIPTION\nRuns .onnx models as exporters leave them, says what is in them and what "
      "is\nwrong with them, simplifies and edits them, and measures how fast they are.\n" +
      option_items(app);
  text += ".SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app)) text += command_section(*command);
  text += ".SH EXIT STATUS\n" + list_item("0", "all is well") +
          list_item("1",
                    "the work failed, or what was compared or tested differs; a line that begins "
                    "with\n" +
                        bold("mini-infer:") + " says why on the standard error") +
          list_item("2", "wrong usage");
  text +=
      ".SH ENVIRONMENT\n" +
      list_item(bold("MINI_ISA"),
                "the instruction set whose kernels run: one of these that the processor has,\n" +
                    isa_list() +
                    ".\nBy default the last of them that it has. In place of a set that it lacks "
                    "the best below\nit "
                    "runs; other names are refused.");
  text +=
      ".SH FILES\n" +
      list_item(italic("OUT.data"), "tensors of the model " + italic("OUT") + " that " +
                                        bold("simplify") + " and " + bold("edit") +
                                        " put outside of it") +
      list_item(italic("DIR/index.json"), "which file holds which value, written by " +
                                              bold("run --dump") + ", read by " + bold("compare"));
  return text;
}

}  // namespace

void add_man_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("man", "the manual page, as roff");
  command->footer("Example:\n  mini-infer man | man -l -");
  command->callback([&app, &action] {
    action = [&app] {
      std::fputs(manual(app).c_str(), stdout);
      return kExitOk;
    };
  });
}

}  // namespace mini_infer::tools
