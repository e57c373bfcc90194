// What this machine can reach at most, to compare models with.
#pragma once

namespace mini_infer::tools {

// Floating-point operations a second of float32 multiply-adds on registers alone, in the
// instruction set that the kernels use, by this many threads at once.
double peak_flops(int threads);

}  // namespace mini_infer::tools
