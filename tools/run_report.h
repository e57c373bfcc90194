// What `mini-infer run` says about one run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/print.h"
#include "tools/tasks/task.h"

namespace mini_infer::tools {

struct Picture {
  std::string file;  // empty: there is none
  Image image;
  PictureInput input;
};

struct RunResult {
  std::vector<Tensor> outputs;
  double ms = 0;
  std::optional<Findings> findings = {};  // where the head is known
};

// What is the same for all runs.
struct Reporting {
  const std::vector<ValueInfo>& outputs;
  const std::optional<Head>& head;
  const std::vector<std::string>& labels;
  Task task;
  int top;  // classes to print; 0 for the outputs as they are
};

Json report_json(const Reporting& how, const Picture& picture, const RunResult& result);
// Several lines.
std::string report_text(const Reporting& how, const Picture& picture, const RunResult& result);

}  // namespace mini_infer::tools
