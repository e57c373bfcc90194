// What this process may use of the machine.
#pragma once

#include <cstddef>
#include <string>

namespace mini_infer {

// Physical cores allowed by the affinity mask and the cgroup's CPU quota, at least 1.
int usable_cores();

// What the CPU is: "AMD EPYC, family 26, model 2"; on ARM its parts. One line without tabs.
const std::string& cpu_model();

// Puts memory out of all caches, so that who reads it next waits for it; does nothing on CPUs that
// have no instruction for it.
void evict_from_caches(const void* data, std::size_t bytes) noexcept;

}  // namespace mini_infer
