// completion: its script in a real bash.
#include "program.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Completion : public Program {
 protected:
  // What bash would offer for the last of these words.
  std::string offered(const std::string& words, int at) {
    EXPECT_EQ(run("completion bash"), 0);
    std::filesystem::rename(file("out"), file("script"));
    const std::string command = "bash -c 'source " + file("script") + "; COMP_WORDS=(" + words +
                                "); COMP_CWORD=" + std::to_string(at) +
                                "; _mini_infer; echo \"${COMPREPLY[*]}\"' > " + file("offer");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return contents(file("offer"));
  }
};

TEST_F(Completion, OffersCommandsOptionsAndFiles) {
  EXPECT_EQ(offered("mini-infer insp", 1), "inspect\n");
  EXPECT_THAT(offered("mini-infer \"\"", 1), AllOf(HasSubstr("run"), HasSubstr("simplify")));
  EXPECT_THAT(offered("mini-infer bench --th", 2),
              AllOf(HasSubstr("--threads"), HasSubstr("--throughput")));
  EXPECT_THAT(offered("mini-infer edit a.onnx b.onnx --set-b", 4), HasSubstr("--set-batch"));
  EXPECT_THAT(offered("mini-infer inspect --set-b", 2), Not(HasSubstr("--set-batch")));
  write("some_model.onnx", {});
  EXPECT_THAT(offered("mini-infer run " + file("some_m"), 2), HasSubstr("some_model.onnx"));
}

TEST_F(Completion, KnowsTwoShells) {
  EXPECT_EQ(run("completion zsh"), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("#compdef mini-infer"), HasSubstr("bashcompinit")));
  EXPECT_EQ(run("completion fish"), 2);
  expect_one_line("SHELL");
}

}  // namespace
}  // namespace mini_infer::tools
