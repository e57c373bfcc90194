// The session's packed weights, shared by all its plans.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "graph/ir/memory.h"
#include "kernels/op.h"

namespace mini_infer {

class SessionWeights : public WeightCache {
 public:
  // Thread-safe. Packs while the lock is held: two plans never pack the same constant twice.
  std::shared_ptr<const PackedBuffer> get(const Tensor& source, const std::string& key,
                                          std::size_t bytes,
                                          FunctionRef<void(std::byte*)> fill) override;
  // Lets go of what nobody has but the cache. Thread-safe.
  void drop_unused();
  std::size_t bytes() const;
  void for_each(FunctionRef<void(const PackedBuffer&)> body) const;

 private:
  struct Entry {
    Tensor source;  // keeps the identity that is the key from being used again
    std::shared_ptr<const PackedBuffer> buffer;
  };
  mutable std::mutex mutex_;
  BlockRegions memory_;
  std::map<std::pair<const void*, std::string>, Entry> entries_;
};

}  // namespace mini_infer
