#include "kernels/layout/reorder.h"

#include <algorithm>

#include "kernels/kernel_context.h"
#include "kernels/layout/reorder.simd.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kPixelsPerItem = 1024;

// body(plain offset, blocked offset, channels, pixels) for runs of pixels of one channel block,
// shared out between threads.
template <class Body>
void for_each_run(int lanes, int threads, std::int64_t n, std::int64_t channels,
                  std::int64_t pixels, const Body& body) {
  const std::int64_t blocks = (channels + lanes - 1) / lanes;
  const std::int64_t runs = (pixels + kPixelsPerItem - 1) / kPixelsPerItem;
  const double work =
      static_cast<double>(lanes) * static_cast<double>(std::min(pixels, kPixelsPerItem));
  parallel_for(threads, n * blocks * runs, work, [&](Range items, int) {
    for (std::int64_t i = items.begin; i < items.end; ++i) {
      const std::int64_t map = i / runs, first = i % runs * kPixelsPerItem;
      const std::int64_t image = map / blocks, channel = map % blocks * lanes;
      body((image * channels + channel) * pixels + first, (map * pixels + first) * lanes,
           static_cast<int>(std::min<std::int64_t>(lanes, channels - channel)),
           std::min(kPixelsPerItem, pixels - first));
    }
  });
}

}  // namespace

void reorder_to_blocked(Isa isa, int threads, std::int64_t n, std::int64_t channels,
                        std::int64_t pixels, const float* x, float* y) {
  const auto kernel = simd::block_channels_f32.get(isa);
  for_each_run(isa_lanes(isa), threads, n, channels, pixels,
               [=](std::int64_t plain, std::int64_t blocked, int count, std::int64_t run) {
                 kernel(x + plain, pixels, count, run, y + blocked);
               });
}

void reorder_to_plain(Isa isa, int threads, std::int64_t n, std::int64_t channels,
                      std::int64_t pixels, const float* x, float* y) {
  const auto kernel = simd::unblock_channels_f32.get(isa);
  for_each_run(isa_lanes(isa), threads, n, channels, pixels,
               [=](std::int64_t plain, std::int64_t blocked, int count, std::int64_t run) {
                 kernel(x + blocked, count, run, y + plain, pixels);
               });
}

}  // namespace mini_infer
