// TuneCache: how long kernels took, by CPU, instruction set, threads and layer, kept in a text
// file.
//
//   mini-infer tune cache 1
//   CPU <tab> instruction set <tab> threads <tab> layer <tab> kernel ms <tab> kernel ms ...
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/ir/op_def.h"

namespace mini_infer {

struct KernelTime {
  std::string kernel;
  double ms = 0;
};
using KernelTimes = std::vector<KernelTime>;  // fastest first

class TuneCache {
 public:
  // `machine` is the part of keys before the layer. An empty path: nothing is read or written. What
  // cannot be read is reported to `log` and ignored.
  TuneCache(std::string path, std::string machine, LogFn log);

  // nullptr when there are none.
  const KernelTimes* find(const std::string& layer) const;
  // Remembers the times and adds them to the file, beside what other processes have put there.
  // Where it cannot be written, that is said once.
  void add(const std::string& layer, KernelTimes times);

 private:
  using Entries = std::map<std::string, KernelTimes>;  // by machine <tab> layer

  struct Contents {
    bool foreign = false;  // must not be written over
    std::string problem;   // empty where all could be read
    Entries entries;
  };
  Contents read() const;
  void report(const Contents& contents) const;
  void write();

  std::string path_, machine_;
  LogFn log_;
  Entries entries_;
};

}  // namespace mini_infer
