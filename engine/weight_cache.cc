#include "engine/weight_cache.h"

namespace mini_infer {

std::shared_ptr<const PackedBuffer> SessionWeights::get(const Tensor& source,
                                                        const std::string& key, std::size_t bytes,
                                                        FunctionRef<void(std::byte*)> fill) {
  const std::lock_guard lock(mutex_);
  // The shape is part of the key: two views of one buffer may start at the same address.
  Entry& entry = entries_[{source.identity(), key + source.shape().str()}];
  if (entry.buffer == nullptr) {
    auto buffer = std::make_shared<PackedBuffer>(bytes, memory_.allocate(bytes));
    fill(buffer->mutable_data());
    entry = {.source = source.unread(), .buffer = std::move(buffer)};
  }
  return entry.buffer;
}

void SessionWeights::drop_unused() {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& item) { return item.second.buffer.use_count() == 1; });
}

std::size_t SessionWeights::bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const auto& [key, entry] : entries_) sum += entry.buffer->bytes();
  return sum;
}

void SessionWeights::for_each(FunctionRef<void(const PackedBuffer&)> body) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) body(*entry.buffer);
}

}  // namespace mini_infer
