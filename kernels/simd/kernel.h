// How a plain file reaches the variants of a function that is compiled once per instruction set.
//
//   relu.simd.h     MINI_SIMD_KERNEL(relu_f32, void(const float* x, float* y, std::size_t n))
//   relu.simd.cc    void relu_f32(const float* x, float* y, std::size_t n) { ... }   inside namespace mini_infer::simd::MINI_ISA
//   relu.cc         simd::relu_f32.get(isa)(x, y, n);
//
// CMake defines MINI_ISA (a namespace name) when it compiles *.simd.cc, and not otherwise.
// MINI_SIMD_KERNEL: for *.simd.cc; MINI_DOT_KERNEL: for *.dot.simd.cc, which sets with int8 dot products compile too.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(MINI_ISA)

#define MINI_SIMD_KERNEL(name, ...) \
  namespace MINI_ISA {              \
  using name##_fn = __VA_ARGS__;    \
  name##_fn name;                   \
  }
#define MINI_DOT_KERNEL MINI_SIMD_KERNEL

#else

#include "kernels/simd/isa.h"
#include "mini_isa_foreach.h"

namespace mini_infer::simd {

// The variants of one function, by instruction set.
template <class Fn>
struct Kernel {
  Fn* variants[static_cast<int>(Isa::count)];
  Fn* get(Isa isa = best_isa()) const noexcept { return variants[static_cast<int>(isa)]; }
};

}  // namespace mini_infer::simd

#define MINI_DECLARE_VARIANT(isa, base, name) \
  namespace isa {                             \
  name##_fn name;                             \
  }
#define MINI_BASE_ADDRESS(isa, base, name) &base::name,
#define MINI_OWN_ADDRESS(isa, base, name) &isa::name,

#define MINI_SIMD_KERNEL(name, ...)                          \
  using name##_fn = __VA_ARGS__;                             \
  MINI_FOREACH_BASE_ISA(MINI_DECLARE_VARIANT, name)          \
  inline constexpr ::mini_infer::simd::Kernel<name##_fn> name{ \
      {MINI_FOREACH_ISA(MINI_BASE_ADDRESS, name)}};
#define MINI_DOT_KERNEL(name, ...)                           \
  using name##_fn = __VA_ARGS__;                             \
  MINI_FOREACH_ISA(MINI_DECLARE_VARIANT, name)               \
  inline constexpr ::mini_infer::simd::Kernel<name##_fn> name{ \
      {MINI_FOREACH_ISA(MINI_OWN_ADDRESS, name)}};

#endif
