// What this process may use of the machine.
#pragma once

#include <cstddef>

namespace mini_infer {

// Physical cores allowed by the affinity mask and the cgroup's CPU quota, at least 1.
int usable_cores();

}  // namespace mini_infer
