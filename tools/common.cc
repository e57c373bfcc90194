#include "tools/common.h"

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sstream>

namespace mini_infer::tools {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Status io_error(const char* action, const std::string& path) {
  return {Code::kIo, format("cannot %s '%s': %s", action, path.c_str(), std::strerror(errno))};
}

// Messages hold a line for each problem.
void print_problems(const std::string& message) {
  std::fflush(stdout);
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    std::fprintf(stderr, "mini-infer: %s\n", line.c_str());
  }
}

}  // namespace

int fail(const Status& status) {
  print_problems(status.message());
  return kExitFailed;
}

int usage_error(const std::string& message) {
  print_problems(message);
  return kExitUsage;
}

void note(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "mini-infer: note: %s\n", message.c_str());
}

std::string format(const char* text, ...) {
  std::va_list arguments;
  va_start(arguments, text);
  std::va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, text, arguments);
  va_end(arguments);
  std::string out(static_cast<std::size_t>(size < 0 ? 0 : size), '\0');
  std::vsnprintf(out.data(), out.size() + 1, text, again);
  va_end(again);
  return out;
}

Result<std::vector<std::byte>> read_bytes(const std::string& path, std::size_t max_bytes) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return io_error("read", path);
  std::vector<std::byte> bytes;
  constexpr std::size_t kStep = std::size_t{1} << 20;
  for (std::size_t size = 0;;) {
    bytes.resize(size + kStep);
    const std::size_t count = std::fread(bytes.data() + size, 1, kStep, file.get());
    size += count;
    if (size > max_bytes) {
      return Status(Code::kResourceExhausted, format("cannot read '%s': it is larger than %zu MiB",
                                                     path.c_str(), max_bytes >> 20));
    }
    if (count < kStep) {
      if (std::ferror(file.get()) != 0) return io_error("read", path);
      bytes.resize(size);
      return bytes;
    }
  }
}

Status write_bytes(const std::string& path, const void* data, std::size_t size) {
  File file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return io_error("write", path);
  if (std::fwrite(data, 1, size, file.get()) != size) return io_error("write", path);
  if (std::fclose(file.release()) != 0) return io_error("write", path);
  return ok();
}

std::string file_name_for(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool keep = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ||
                      (c == '.' && !out.empty());
    out += keep ? c : '_';
    if (out.size() == 200) break;
  }
  return out.empty() ? "unnamed" : out;
}

Status guarded(const std::function<Status()>& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return {Code::kResourceExhausted, "out of memory"};
  } catch (const std::exception& error) {
    return {Code::kInternal, error.what()};
  }
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace mini_infer::tools
