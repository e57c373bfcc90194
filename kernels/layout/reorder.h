// float tensors between plain NCHW and blocked NCHWc, c = isa_lanes(isa).
#pragma once

#include <cstdint>

#include "kernels/simd/isa.h"

namespace mini_infer {

// x: [n][channels][pixels], y: [n][ceil(channels / c)][pixels][c]; lanes past the last channel
// become zero.
void reorder_to_blocked(Isa isa, int threads, std::int64_t n, std::int64_t channels,
                        std::int64_t pixels, const float* x, float* y);
// The inverse; lanes past the last channel are ignored.
void reorder_to_plain(Isa isa, int threads, std::int64_t n, std::int64_t channels,
                      std::int64_t pixels, const float* x, float* y);

}  // namespace mini_infer
