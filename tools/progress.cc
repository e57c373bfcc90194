#include "tools/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {

Progress::Progress(std::string text, std::size_t total)
    : text_(std::move(text)), total_(total), start_(now_seconds()) {
  if (isatty(STDERR_FILENO) != 0) thread_ = std::thread([this] { show_until_done(); });
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Progress::next(std::string text) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
  ++done_;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  erase();
}

void Progress::erase() {
  if (!visible_) return;
  std::fputs("\r\33[K", stderr);
  visible_ = false;
}

void Progress::show_until_done() {
  constexpr auto kQuiet = std::chrono::seconds(2);
  constexpr auto kStep = std::chrono::milliseconds(1000);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kQuiet, [this] { return finished_; });
  while (!finished_) {
    const std::string count = total_ > 0 ? format("[%zu/%zu] ", done_, total_) : "";
    constexpr std::size_t kMostCharacters = 60;
    std::string text = printable(text_);
    if (text.size() > kMostCharacters) text = "..." + text.substr(text.size() - kMostCharacters);
    std::fprintf(stderr, "\r\33[K%s%s  %.0f s", count.c_str(), printable(text).c_str(),
                 now_seconds() - start_);
    std::fflush(stderr);
    visible_ = true;
    changed_.wait_for(lock, kStep, [this] { return finished_; });
  }
  erase();
}

}  // namespace mini_infer::tools
