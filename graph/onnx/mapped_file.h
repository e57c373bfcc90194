// A file mapped for reading.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "graph/ir/memory.h"

namespace mini_infer {

// Immutable; the mapping ends with the last owner.
class MappedFile {
 public:
  // kIo when the file cannot be opened, is no regular file or is empty.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Copies bytes out and lets go of the pages that were read on the way, so that the copy and the
  // mapping are not both in memory.
  void move_out(std::size_t offset, std::size_t size, std::byte* to) const;
  // The same into memory of its own. When its last owner lets go of it, it serves the next copy, or
  // goes back to the system. Throws std::bad_alloc.
  std::shared_ptr<const void> copy_out(std::size_t offset, std::size_t size) const;
  // Lets go of the pages that lie wholly in the range; who reads them again gets them from the
  // file.
  void release(std::size_t offset, std::size_t size) const;

 private:
  MappedFile(std::byte* data, std::size_t size) : data_(data), size_(size) {}

  std::byte* data_;
  std::size_t size_;
  // Copies are made one after the other, to be packed.
  std::shared_ptr<BlockPool> copies_ = std::make_shared<BlockPool>(1, 4u << 20);
};

}  // namespace mini_infer
