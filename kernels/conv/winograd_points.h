// Interpolation points of the Winograd (Toom-Cook) algorithms, without infinity. Those of F(4,3)
// give 2.3 times less error than 0, +-1, +-2.
#pragma once

namespace mini_infer {

inline constexpr float kWinograd4Points[] = {0.f, 0.625f, -0.625f, 1.5f, -1.5f};
inline constexpr float kWinograd2Points[] = {0.f, 1.f, -1.f};
// For the two taps of a filter with stride 2 that meet even inputs.
inline constexpr float kStrided4Points[] = {0.f, 0.75f, -0.75f, 1.5f};
inline constexpr float kStrided2Points[] = {0.f, 1.f};

}  // namespace mini_infer
