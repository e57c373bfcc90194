#include "graph/onnx/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Closes a file descriptor at the end of its scope.
struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Status io_error(const std::string& path, const std::string& what) {
  return error(Code::kIo, "cannot read '", path, "': ", what);
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return io_error(path, std::strerror(errno));
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return io_error(path, std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return io_error(path, "it is a folder");
  if (!S_ISREG(info.st_mode)) return io_error(path, "it is no regular file");
  if (info.st_size == 0) return io_error(path, "the file is empty");
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) return io_error(path, std::strerror(errno));
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<std::byte*>(data), size));
}

MappedFile::~MappedFile() { ::munmap(data_, size_); }

void MappedFile::move_out(std::size_t offset, std::size_t size, std::byte* to) const {
  constexpr std::size_t kChunk = 4u << 20;
  for (std::size_t done = 0; done < size; done += kChunk) {
    const std::size_t count = std::min(kChunk, size - done);
    std::memcpy(to + done, data_ + offset + done, count);
    release(offset + done, count);
  }
}

std::shared_ptr<const void> MappedFile::copy_out(std::size_t offset, std::size_t size) const {
  std::shared_ptr<void> copy = copies_->allocate(size);
  move_out(offset, size, static_cast<std::byte*>(copy.get()));
  return copy;
}

void MappedFile::release(std::size_t offset, std::size_t size) const {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = offset / page * page, last = (offset + size) / page * page;
  // A failure would only mean that the pages stay.
  if (last > first) (void)::madvise(data_ + first, last - first, MADV_DONTNEED);
}

}  // namespace mini_infer
