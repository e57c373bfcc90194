// What a person wants to know of a model before using it: does it run, what has to be set, what it
// costs, what may go wrong, and how to try it.
#pragma once

#include <mini_infer/session.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/print.h"

namespace mini_infer::tools {

enum class Finding { kFine, kNote, kWarning, kProblem };
const char* finding_name(Finding finding);

struct Observation {
  Finding finding = Finding::kFine;
  std::string topic;  // "operators", "dimensions", ...
  std::string text;   // one line or several
};

// Times of runs on made-up data.
struct Trial {
  double load_ms = 0, first_ms = 0, median_ms = 0;
  int runs = 0, threads = 0;
  double peak_bytes = 0;  // of the process
  PlanInfo plan;
};

struct Diagnosis {
  std::vector<Observation> observations;
  std::optional<Trial> trial;  // no value where the model does not run
  std::string outputs;         // what they look like: "80 classes of objects (yolox)"
  std::string command;         // to try; empty where it does not run
  bool runs() const { return trial.has_value(); }
};

struct DoctorOptions {
  std::string model;
  std::vector<std::string> shapes;  // NAME=1x3x224x224
  SessionOptions session;
  double seconds = 0.5;  // of runs, at least
};

// Never fails: what is wrong is an observation. A shape that does not fit is an error.
Result<Diagnosis> examine(const DoctorOptions& options);

Json to_json(const Diagnosis& diagnosis);

}  // namespace mini_infer::tools
