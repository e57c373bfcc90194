// Instruction sets the kernels are compiled for, worst first. The list is cmake/isa.cmake's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mini_infer {

enum class Isa : std::uint8_t {
#define MINI_ISA_ENTRY(isa, base) isa,
#include "mini_isa.def"
#undef MINI_ISA_ENTRY
  count
};

// "avx512", "neon", ...
const char* isa_name(Isa isa) noexcept;
// Whether this CPU and this operating system can run it (XCR0 is checked, not only CPUID).
bool isa_supported(Isa isa) noexcept;
// The best supported set; MINI_ISA=<name> in the environment forces a lower one, never a higher one (a session refuses names of no set). Constant for the process.
Isa best_isa() noexcept;
// floats in a vector: 4, 8 or 16. Also the channel block c of the NCHWc layout.
int isa_lanes(Isa isa) noexcept;
// Floats that one multiply-add unit of this CPU takes at once: isa_lanes(), or half of them where
// an instruction takes its unit twice, as 512 bits do on AMD's Zen 4.
int isa_unit_lanes(Isa isa) noexcept;
// Whether a multiply-add is one instruction.
bool isa_has_multiply_add(Isa isa) noexcept;
// Whether this CPU adds in units of their own, beside those of multiply-adds, which then lose no
// time to additions: AMD's Zen.
bool isa_adds_apart(Isa isa) noexcept;

}  // namespace mini_infer
