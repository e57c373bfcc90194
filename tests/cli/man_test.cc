// man: the manual page says all that --help says.
#include <regex>

#include "program.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

class Man : public Program {
 protected:
  std::string page() {
    EXPECT_EQ(run("man"), 0) << err_;
    return out_;
  }
  // Of a text in roff what a reader sees, fonts aside.
  static std::string seen(std::string text) {
    text = std::regex_replace(text, std::regex("\\\\f[BIR]|\\\\&"), "");
    return std::regex_replace(text, std::regex("\\\\-"), "-");
  }
  // From the head of the command to that of the next one.
  static std::string section(const std::string& text, const std::string& command) {
    const std::size_t start = text.find("\n.SS " + command + '\n');
    EXPECT_NE(start, text.npos) << command;
    return start == text.npos ? "" : text.substr(start, text.find("\n.S", start + 1) - start);
  }
  static std::vector<std::string> found(const std::string& text, const std::string& pattern) {
    std::vector<std::string> all;
    const std::regex regex(pattern);
    for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
      all.push_back((*it)[1]);
    }
    return all;
  }
};

TEST_F(Man, NamesEveryCommandAndOption) {
  const std::string text = seen(page());
  EXPECT_EQ(run("--help"), 0);
  const std::string commands = out_.substr(out_.find("Subcommands:"));
  int options = 0;
  for (const std::string& command : found(commands, "\n  ([a-z]+) ")) {
    const std::string part = section(text, command);
    EXPECT_EQ(run(command + " --help"), 0);
    EXPECT_THAT(part, HasSubstr(out_.substr(0, out_.find('\n')))) << "what it is for";
    for (const std::string& name : found(out_, "\n  (?:-h,)?(--[a-z0-9-]+)")) {
      ++options;
      EXPECT_TRUE(std::regex_search(part, std::regex("\n\\.TP\n(-h, )?" + name + "[ \\[\n]")))
          << command << ' ' << name;
    }
  }
  EXPECT_GT(options, 80);
  for (const char* what : {".SH NAME\nmini-infer - ", ".SH EXIT STATUS", "\n.TP\n2\nwrong usage",
                           "\n.TP\nMINI_ISA\n", ".SH FILES", "\nOne of auto, classify, detect"}) {
    EXPECT_THAT(text, HasSubstr(what));
  }
}

TEST_F(Man, IsSoundRoff) {
  page();
  std::filesystem::rename(file("out"), file("page.1"));
  if (std::system("groff --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no groff";
  const std::string groff =
      "groff -man -ww -Tutf8 " + file("page.1") + " >" + file("text") + " 2>" + file("warnings");
  EXPECT_EQ(std::system(groff.c_str()), 0);
  EXPECT_EQ(contents(file("warnings")), "");
  EXPECT_THAT(contents(file("text")), HasSubstr("mini-infer simplify model.onnx small.onnx"));
}

TEST_F(Man, TakesNoArgument) {
  EXPECT_EQ(run("man run"), 2);
  expect_one_line("run");
}

}  // namespace
}  // namespace mini_infer::tools
