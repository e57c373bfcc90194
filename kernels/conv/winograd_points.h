// Interpolation points of the Winograd (Toom-Cook) algorithms, without infinity.
#pragma once

namespace mini_infer {

// Of F(4,3) and F(2,5): 2.3 times less error than 0, +-1, +-2.
inline constexpr float kSixPoints[] = {0.f, 0.625f, -0.625f, 1.5f, -1.5f};
// Of F(2,3).
inline constexpr float kFourPoints[] = {0.f, 1.f, -1.f};
// For the two taps of a filter with stride 2 that meet even inputs.
inline constexpr float kStrided4Points[] = {0.f, 0.75f, -0.75f, 1.5f};
inline constexpr float kStrided2Points[] = {0.f, 1.f};

}  // namespace mini_infer
