// What this process may use of the machine.
#pragma once

#include <string>

namespace mini_infer {

// Physical cores allowed by the affinity mask and the cgroup's CPU quota, at least 1.
int usable_cores();

// What the CPU is: "AMD EPYC, family 26, model 2"; on ARM its parts. One line without tabs.
const std::string& cpu_model();

}  // namespace mini_infer
