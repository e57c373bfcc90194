#include "tools/isolate.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

TEST(Isolate, ReturnsWhatTheWorkReturned) {
  const std::string large(300000, 'x');  // more than a pipe holds
  const Result<std::string> text = run_isolated([&] { return large; }, 60);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, large);
}

TEST(Isolate, ACrashIsAnError) {
  const auto work = []() -> std::string {
    std::raise(SIGKILL);
    return "";
  };
  const Result<std::string> text = run_isolated(work, 60);
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(text.status().message(), HasSubstr("crashed: signal 9"));
}

TEST(Isolate, AnEndlessLoopIsStopped) {
  const auto work = []() -> std::string {
    for (;;) sleep(1);
  };
  const Result<std::string> text = run_isolated(work, 0.2);
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(text.status().message(), HasSubstr("took longer"));
}

TEST(Isolate, AnExitCodeIsAnError) {
  const auto work = []() -> std::string { _exit(3); };
  const Result<std::string> text = run_isolated(work, 60);
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(text.status().message(), HasSubstr("exit code 3"));
}

}  // namespace
}  // namespace mini_infer::tools
