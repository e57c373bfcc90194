// run --dump and --check-finite: a second run, on the plan without optimisation, in view of both.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/dump.h"
#include "tools/finite.h"

namespace mini_infer::tools {

struct ProbeOptions {
  std::vector<std::string> dump;
  bool check_finite = false;

  bool any() const { return check_finite || !dump.empty(); }
};
// --dump and --check-finite
void add_probe_options(CLI::App& command, ProbeOptions& options);

struct ProbeReport {
  std::string text;
  Json json = Json::object();
  Status verdict;  // of --check-finite
};

class Probe {
 public:
  // Loads the model once more. `folder` is where dumps go.
  static Result<std::unique_ptr<Probe>> make(const std::string& model,
                                             const SessionOptions& session,
                                             const ProbeOptions& options,
                                             const std::string& folder);
  // Runs the model on all its inputs; names of files begin with `prefix`.
  Result<ProbeReport> run(const TensorMap& inputs, const std::string& prefix);

 private:
  Probe(Graph graph, Session session, bool check_finite)
      : graph_(std::move(graph)), session_(std::move(session)), check_finite_(check_finite) {}

  Graph graph_;  // the file's
  Session session_;
  bool check_finite_;
  std::optional<Dump> dump_;
};

}  // namespace mini_infer::tools
