// A line on the terminal that says what is going on, once it has gone on for two seconds.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace mini_infer::tools {

// Prints to stderr when that is a terminal, otherwise nothing. The line goes away with the object.
// All members may be called from one thread only.
class Progress {
 public:
  // `total` 0: no count is shown.
  explicit Progress(std::string text, std::size_t total = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Starts with the next of the `total` things.
  void next(std::string text);
  // Takes the line away, so that something else can be printed; it comes back at the next change.
  void clear();

 private:
  void show_until_done();
  void erase();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::size_t done_ = 0;
  std::size_t total_;
  double start_;
  bool finished_ = false;
  bool visible_ = false;
  std::thread thread_;
};

}  // namespace mini_infer::tools
