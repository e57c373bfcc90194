#include "tools/memory_use.h"

#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace mini_infer::tools {

double peak_memory() {
  constexpr double kKiB = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %llu kB", &kib) == 1)
      return static_cast<double>(kib) * kKiB;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * kKiB;
}

void reset_peak_memory() {
  // 5: the peak becomes what is held now, see proc(5).
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace mini_infer::tools
