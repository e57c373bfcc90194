// Folders of ONNX's backend tests: model.onnx and test_data_set_N/{input,output}_K.pb.
#pragma once

#include <mini_infer/session.h>

#include <string>
#include <vector>

#include "tools/tolerance.h"

namespace mini_infer::tools {

// The folders with a model.onnx at `path` or anywhere below, sorted; an error when there are none.
Result<std::vector<std::string>> find_tests(const std::string& path);

enum class Verdict { kPassed, kFailed, kSkipped };

struct TestOptions {
  ToleranceOptions tolerance;
  int threads = 0;
};

struct TestOutcome {
  Verdict verdict = Verdict::kPassed;
  std::vector<std::string>
      problems;  // why it failed or was skipped, each with its data set and output
  std::vector<std::string> notes;  // what the library said about the model
  double load_ms = 0;
  double run_ms = 0;
  double largest_difference = 0;
};

// Loads the model and runs all its data sets; never fails itself.
TestOutcome run_test(const std::string& folder, const TestOptions& options);

}  // namespace mini_infer::tools
