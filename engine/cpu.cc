#include "engine/cpu.h"

#include <sched.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

// The lines of /proc/cpuinfo that name the CPU, of all CPUs that differ.
std::string read_cpu_model() {
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"model name", ""},
      {"cpu family", "family "},
      {"model", "model "},
      {"CPU part", "part "},
      {"CPU implementer", "implementer "}};
  std::vector<std::string> parts;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    for (const auto& [name, shown] : kNames) {
      if (key != name) continue;
      const std::string part = shown + line.substr(colon + 2);
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    }
  }
  std::string model;
  for (const std::string& part : parts) model += (model.empty() ? "" : ", ") + part;
  std::replace(model.begin(), model.end(), '\t', ' ');
  return model.empty() ? "unknown CPU" : model;
}

}  // namespace

const std::string& cpu_model() {
  static const std::string model = read_cpu_model();
  return model;
}

void evict_from_caches(const void* data, std::size_t bytes) noexcept {
  constexpr std::size_t kLine = 64;
  const auto* const first = static_cast<const std::byte*>(data);
  const std::byte* const end = first + bytes;
  const std::size_t into_line = reinterpret_cast<std::uintptr_t>(first) % kLine;
  for (const std::byte* line = first - into_line; line < end; line += kLine) {
#if defined(__SSE2__)
    _mm_clflush(line);
#elif defined(__aarch64__)
    asm volatile("dc civac, %0" : : "r"(line) : "memory");
#endif
  }
#if defined(__SSE2__)
  _mm_mfence();
#elif defined(__aarch64__)
  asm volatile("dsb ish" : : : "memory");
#endif
}

int usable_cores() { return std::max(1, std::min(allowed_cores(), quota_cores())); }

}  // namespace mini_infer
