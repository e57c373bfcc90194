#include "tools/isolate.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

// Writes everything and ends the process without running destructors of what the parent owns.
[[noreturn]] void finish_child(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = write(fd, text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(kExitFailed);
    at += static_cast<std::size_t>(count);
  }
  _exit(kExitOk);
}

// Appends what comes out of `fd` to `text` until its end; false when the time is over.
bool read_until(int fd, double deadline, std::string& text) {
  std::array<char, 4096> buffer;
  for (;;) {
    const double left = deadline - now_seconds();
    if (left <= 0) return false;
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const int polled = poll(&ready, 1, static_cast<int>(std::min(left * 1000 + 1, 1e6)));
    if (polled <= 0) continue;
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

Status system_error(const char* what) {
  return {Code::kIo, format("%s: %s", what, std::strerror(errno))};
}

}  // namespace

Result<std::string> run_isolated(const std::function<std::string()>& work, double timeout) {
  int ends[2];
  if (pipe(ends) != 0) return system_error("cannot make a pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    const Status status = system_error("cannot start a process");
    close(ends[0]);
    close(ends[1]);
    return status;
  }
  if (child == 0) {
    close(ends[0]);
    finish_child(ends[1], work());
  }
  close(ends[1]);
  std::string text;
  const bool in_time = read_until(ends[0], now_seconds() + timeout, text);
  close(ends[0]);
  if (!in_time) kill(child, SIGKILL);
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return Status(Code::kResourceExhausted, format("took longer than %.0f s", timeout));
  }
  if (WIFSIGNALED(state)) {
    return Status(Code::kInternal,
                  format("crashed: signal %d (%s)", WTERMSIG(state), strsignal(WTERMSIG(state))));
  }
  if (WEXITSTATUS(state) != kExitOk) {
    return Status(Code::kInternal,
                  format("its process ended with exit code %d", WEXITSTATUS(state)));
  }
  return text;
}

}  // namespace mini_infer::tools
