// What every subcommand uses: exit codes, the way errors are printed, files, text.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mini_infer::tools {

enum ExitCode : int { kExitOk = 0, kExitFailed = 1, kExitUsage = 2 };

// Print "mini-infer: problem" to stderr, for each line of the message, and return the exit code:
// fail() kExitFailed, usage_error() kExitUsage.
int fail(const Status& status);
int usage_error(const std::string& message);
// "mini-infer: note: message" to stderr.
void note(const std::string& message);

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* text, ...);

// The whole file; an error names it and says why it cannot be read. Files larger than max_bytes are
// refused.
inline constexpr std::size_t kMaxFileBytes = std::size_t{2} << 30;
Result<std::vector<std::byte>> read_bytes(const std::string& path,
                                          std::size_t max_bytes = kMaxFileBytes);
Status write_bytes(const std::string& path, const void* data, std::size_t size);

// A name that came with a model, made safe as the name of a file: letters, digits, '.', '-' and '_'
// stay.
std::string file_name_for(const std::string& name);

// Runs `work` and turns an exception, such as being out of memory, into a Status.
Status guarded(const std::function<Status()>& work);

// Seconds since some fixed moment.
double now_seconds();

}  // namespace mini_infer::tools
