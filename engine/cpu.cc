#include "engine/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace mini_infer {
namespace {

int read_int(const std::string& path, int fallback) {
  std::ifstream file(path);
  int value = fallback;
  return file >> value ? value : fallback;
}

// Distinct cores among the CPUs of the affinity mask: hyper-threads of one core count once.
int allowed_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return 1;
  std::set<std::pair<int, int>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    cores.emplace(read_int(topology + "physical_package_id", 0),
                  read_int(topology + "core_id", cpu));
  }
  return static_cast<int>(cores.size());
}

// CPUs the cgroup's quota is worth, rounded up; a large number where there is no quota.
int quota_cores() {
  constexpr int kNoQuota = 1 << 20;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (v2 >> quota >> period && period > 0) return static_cast<int>(std::ceil(quota / period));
  quota = read_int("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", -1);
  period = read_int("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
  return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : kNoQuota;
}

}  // namespace

int usable_cores() { return std::max(1, std::min(allowed_cores(), quota_cores())); }

}  // namespace mini_infer
