#include "graph/ir/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace mini_infer {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = 2 << 20;

// Whether somebody watches the ends of blocks, so that each must be by itself.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kWatched = true;
#else
constexpr bool kWatched = false;
#endif

// Room for a vector that ends past the last byte, which also keeps the size above zero.
std::size_t with_margin(std::size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage - 2 * kAlignment) throw std::bad_alloc();
  return (bytes / kAlignment + 1) * kAlignment;
}

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Asks for huge pages: weights and arenas are read in strides that leave a small page at every
// step. `data` is aligned to a huge page.
void prefer_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  (void)::madvise(data, bytes, MADV_HUGEPAGE);
#endif
}

// What fills half a huge page has a whole one, and what is larger has one for its end, too, if that
// fills a quarter.
std::size_t in_huge_pages(std::size_t bytes) {
  const std::size_t rest = bytes % kHugePage;
  const std::size_t least = bytes < kHugePage ? kHugePage / 2 : kHugePage / 4;
  return rest >= least ? bytes - rest + kHugePage : bytes;
}

// Fresh zeros from the system, aligned to a huge page.
std::shared_ptr<void> map_pages(std::size_t bytes) {
  const std::size_t mapped = bytes + kHugePage;
  void* const base =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  void* const data = static_cast<std::byte*>(base) + (round_up(address, kHugePage) - address);
  return {data, [base, mapped](void*) { ::munmap(base, mapped); }};
}

// Gives the pages that lie wholly in a block of map_pages() back to the system.
void drop_pages(void* data, std::size_t bytes) {
  constexpr std::uintptr_t kPage = 64 << 10;  // at least a page of any system
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t first = round_up(address, kPage), last = (address + bytes) / kPage * kPage;
  // A failure would only mean that the pages stay.
  if (last > first) (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace

std::shared_ptr<void> allocate_block(std::size_t bytes) {
  const std::size_t size = in_huge_pages(with_margin(bytes));
  const bool huge = size >= kHugePage;
  // Not aligned_alloc, which may refuse what is no multiple of the alignment.
  void* data = nullptr;
  if (::posix_memalign(&data, huge ? kHugePage : kAlignment, size) != 0) throw std::bad_alloc();
  if (huge) prefer_huge_pages(data, size);
  return {data, [](void* p) { std::free(p); }};
}

std::shared_ptr<void> allocate_zeros(std::size_t bytes) {
  const std::size_t size = in_huge_pages(with_margin(bytes));
  if (size >= kHugePage) {
    std::shared_ptr<void> memory = map_pages(size);
    prefer_huge_pages(memory.get(), size);
    return memory;
  }
  // Memory that comes fresh from the system is zero already, which calloc knows.
  void* const base = std::calloc(size / kAlignment + 1, kAlignment);
  if (base == nullptr) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  void* const data = static_cast<std::byte*>(base) + (round_up(address, kAlignment) - address);
  return {data, [base](void*) { std::free(base); }};
}

std::shared_ptr<void> BlockRegions::allocate(std::size_t bytes) {
  if (kWatched) return allocate_zeros(bytes);
  // Small models do with small pages; what a large region does not use is never touched.
  constexpr std::size_t kFirst = 512 << 10, kRegion = 32 << 20;
  const std::size_t size = with_margin(bytes);
  if (size > size_ - used_) {
    const bool first = size_ == 0 && size <= kFirst;
    const std::size_t region = first ? kFirst : std::max(round_up(size, kHugePage), kRegion);
    region_ = map_pages(region);
    if (!first) prefer_huge_pages(region_.get(), region);
    size_ = region;
    used_ = 0;
  }
  void* const data = static_cast<std::byte*>(region_.get()) + used_;
  used_ += size;
  return {data, [region = region_, size](void* p) {
            if (region.use_count() > 1) drop_pages(p, size);
          }};
}

BlockPool::BlockPool(std::size_t most_idle, std::size_t most_bytes)
    : most_idle_(most_idle), most_bytes_(most_bytes) {
  idle_.reserve(most_idle);  // so that giving back cannot fail
}

BlockPool::Block BlockPool::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto fits = std::find_if(idle_.begin(), idle_.end(),
                                 [&](const Block& block) { return block.bytes >= bytes; });
  if (fits == idle_.end()) return {};
  Block block = std::move(*fits);
  idle_.erase(fits);
  return block;
}

void BlockPool::give_back(Block block) noexcept {
  if (block.bytes > most_bytes_ || most_idle_ == 0) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() >= most_idle_) {
    if (block.bytes < idle_.front().bytes) return;
    idle_.erase(idle_.begin());
  }
  const auto larger = std::find_if(idle_.begin(), idle_.end(),
                                   [&](const Block& other) { return other.bytes > block.bytes; });
  idle_.insert(larger, std::move(block));
}

std::shared_ptr<void> BlockPool::allocate(std::size_t bytes) {
  Block block = take(bytes);
  if (block.memory == nullptr) block = {allocate_block(bytes), bytes};
  void* const data = block.memory.get();
  return {data, [pool = weak_from_this(), block = std::move(block)](void*) mutable {
            if (const auto owner = pool.lock()) owner->give_back(std::move(block));
          }};
}

}  // namespace mini_infer
