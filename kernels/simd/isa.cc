#include "kernels/simd/isa.h"

#include <cstdlib>
#include <cstring>

#include "kernels/simd/lanes.simd.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace mini_infer {

const char* isa_name(Isa isa) noexcept {
  static constexpr const char* kNames[] = {
#define MINI_ISA_ENTRY(isa, base) #isa,
#include "mini_isa.def"
#undef MINI_ISA_ENTRY
  };
  return isa < Isa::count ? kNames[static_cast<int>(isa)] : "none";
}

bool isa_supported(Isa isa) noexcept {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::sse42:
      return __builtin_cpu_supports("sse4.2");
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return isa_supported(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
    case Isa::avx512vnni:
      return isa_supported(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case Isa::neon:
      return true;
    case Isa::neon_dotprod:
      return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
    case Isa::count:
      break;
  }
  return false;
}

Isa best_isa() noexcept {
  static const Isa best = [] {
    const char* forced = std::getenv("MINI_ISA");
    Isa found = Isa{};
    for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
      const Isa isa = static_cast<Isa>(i);
      if (!isa_supported(isa)) continue;
      found = isa;
      if (forced != nullptr && std::strcmp(forced, isa_name(isa)) == 0) break;
    }
    return found;
  }();
  return best;
}

int isa_lanes(Isa isa) noexcept { return simd::float_lanes.get(isa)(); }

bool isa_has_multiply_add([[maybe_unused]] Isa isa) noexcept {
#if defined(__x86_64__)
  return isa != Isa::sse42;
#else
  return true;
#endif
}

bool isa_adds_apart([[maybe_unused]] Isa isa) noexcept {
#if defined(__x86_64__)
  return isa_has_multiply_add(isa) && __builtin_cpu_is("amd");
#else
  return false;
#endif
}

int isa_unit_lanes(Isa isa) noexcept {
  const int lanes = isa_lanes(isa);
#if defined(__x86_64__)
  // Of this family, Zen 4 alone has vectors of 16.
  if (lanes == 16 && __builtin_cpu_is("amdfam19h")) return lanes / 2;
#endif
  return lanes;
}

}  // namespace mini_infer
