// completion: its scripts in a real bash and, where there is one, a real zsh.
#include "program.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Completion : public Program {
 protected:
  std::string printed_by(const std::string& shell, const std::string& script) {
    std::ofstream(file("commands")) << script;
    const std::string command = shell + ' ' + file("commands") + " > " + file("offer");
    EXPECT_EQ(std::system(command.c_str()), 0) << script;
    return contents(file("offer"));
  }
  // What bash would offer for the last of these words.
  std::string offered(const std::string& words) {
    EXPECT_EQ(run("completion bash"), 0);
    return printed_by("bash", out_ + "COMP_WORDS=(" + words +
                                  ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_mini_infer\n"
                                  "echo \"${COMPREPLY[*]}\"\n");
  }
};

TEST_F(Completion, OffersCommandsOptionsAndFiles) {
  EXPECT_EQ(offered("mini-infer insp"), "inspect\n");
  EXPECT_THAT(offered("mini-infer \"\""), AllOf(HasSubstr("run"), HasSubstr("simplify")));
  EXPECT_EQ(offered("mini-infer --ver"), "--version\n");
  EXPECT_THAT(offered("mini-infer bench --th"),
              AllOf(HasSubstr("--threads"), HasSubstr("--throughput")));
  EXPECT_THAT(offered("mini-infer edit a.onnx b.onnx --set-b"), HasSubstr("--set-batch"));
  EXPECT_THAT(offered("mini-infer inspect --set-b"), Not(HasSubstr("--set-batch")));
  write("some model.onnx", {});
  std::filesystem::create_directories(file("some folder"));
  const std::string model = file("some model.onnx") + '\n', folder = file("some folder");
  EXPECT_EQ(offered("mini-infer run " + file("some\\ m")), model);
  EXPECT_EQ(offered("mini-infer run m.onnx --json " + file("some\\ m")), model) << "after a flag";
  EXPECT_EQ(offered("mini-infer run m.onnx --input x = " + file("some\\ m")), model);
  EXPECT_THAT(offered("mini-infer test " + file("some")),
              AllOf(HasSubstr(folder), Not(HasSubstr(model))));
  EXPECT_EQ(offered("mini-infer run m.onnx --dump all --output " + file("some")), folder + '\n');
  EXPECT_EQ(offered("mini-infer ops " + file("some")), "\n") << "it takes no file";
}

TEST_F(Completion, OffersValuesOfOptions) {
  EXPECT_EQ(offered("mini-infer run m.onnx --task se"), "segment\n");
  EXPECT_EQ(offered("mini-infer run m.onnx --task = se"), "segment\n");
  EXPECT_THAT(offered("mini-infer run m.onnx --task ="), HasSubstr("auto classify detect"));
  EXPECT_EQ(offered("mini-infer run m.onnx --head yolov8-p"), "yolov8-pose\n");
  EXPECT_EQ(offered("mini-infer compare m.onnx --preset c"), "caffe\n");
  EXPECT_EQ(offered("mini-infer run m.onnx --dump a"), "all\n");
  EXPECT_EQ(offered("mini-infer compare m.onnx --atol a"), "auto\n");
  EXPECT_EQ(offered("mini-infer inspect m.onnx --op Conv"), "Conv ConvInteger ConvTranspose\n");
  EXPECT_EQ(offered("mini-infer simplify a.onnx b.onnx --skip eliminate_dup"),
            "eliminate_duplicate_constants\n");
  EXPECT_EQ(offered("mini-infer inspect a.onnx --disable assign_l"), "assign_layouts\n");
  EXPECT_EQ(offered("mini-infer simplify a.onnx b.onnx --skip assign_l"), "\n");
  EXPECT_EQ(offered("mini-infer simplify a.onnx b.onnx --target-ops HardSw"), "HardSwish\n");
  EXPECT_EQ(offered("mini-infer completion z"), "zsh\n");
  EXPECT_EQ(offered("mini-infer run m.onnx --threads \"\""), "\n") << "a number cannot be guessed";
}

// Each word that is offered for an option is one that the program takes there.
TEST_F(Completion, OffersWhatTheProgramTakes) {
  const std::pair<std::string, std::string> options[] = {
      {"run", "--task"}, {"run", "--preset"}, {"run", "--color"},    {"run", "--resize"},
      {"run", "--head"}, {"run", "--layout"}, {"compare", "--atol"}, {"inspect", "--disable"}};
  for (const auto& [command, option] : options) {
    std::istringstream words(offered("mini-infer " + command + " m.onnx " + option + " \"\""));
    int count = 0;
    for (std::string word; words >> word; ++count) {
      EXPECT_NE(run(command + ' ' + kModel + ' ' + kStar + ' ' + option + ' ' + word), -1);
      EXPECT_THAT(err_, Not(HasSubstr(option + ": " + word + " not in"))) << word;
      EXPECT_THAT(err_, Not(HasSubstr("no such pass"))) << word;
    }
    EXPECT_GT(count, 0) << option;
  }
}

// With a stand-in for zsh's own functions, which work in the line editor alone: what it would be
// told to offer.
TEST_F(Completion, KnowsZsh) {
  EXPECT_EQ(run("completion zsh"), 0);
  EXPECT_TRUE(out_.starts_with("#compdef mini-infer\n"));
  if (std::system("zsh -f -c true 2>/dev/null") != 0) GTEST_SKIP() << "there is no zsh";
  const std::string script =
      "compdef() { : }\n" + out_ +
      "compadd() { print -r -- ${(M)@:#$word*} }\n_files() { print files $@ }\n"
      "compset() { print in $3 }\n";
  const auto told = [&](const std::string& words) {
    return printed_by("zsh -f", script + "words=(" + words +
                                    ")\nCURRENT=$#words\nPREFIX=$words[-1]\n_mini-infer\n");
  };
  EXPECT_EQ(told("mini-infer insp"), "inspect\n");
  EXPECT_EQ(told("mini-infer run m.onnx --task se"), "segment\n");
  EXPECT_EQ(told("mini-infer run m.onnx --task=se"), "in *=\nsegment\n");
  EXPECT_EQ(told("mini-infer run m.onnx --input x=a"), "in *=\n\nfiles\n");
  EXPECT_EQ(told("mini-infer run m.onnx --output a"), "\nfiles -/\n");
  EXPECT_EQ(told("mini-infer run m.onnx --jso"), "--json\n");
}

TEST_F(Completion, RefusesOtherShells) {
  EXPECT_EQ(run("completion fish"), 2);
  expect_one_line("SHELL");
  EXPECT_EQ(run("completion"), 2);
  expect_one_line("SHELL is required");
}

}  // namespace
}  // namespace mini_infer::tools
