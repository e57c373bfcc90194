#include "tools/probe.h"

#include "graph/onnx/importer.h"
#include "tools/common.h"

namespace mini_infer::tools {

void add_probe_options(CLI::App& command, ProbeOptions& options) {
  command
      .add_option("--dump", options.dump,
                  "also write this value of the file's graph into the folder of --output, as .npy; "
                  "all: every input and whatever nodes compute")
      ->type_name("VALUE|all")
      ->allow_extra_args(false);
  command.add_flag("--check-finite", options.check_finite,
                   "name the first node that makes NaN or infinity of finite inputs");
}

Result<std::unique_ptr<Probe>> Probe::make(const std::string& model, const SessionOptions& session,
                                           const ProbeOptions& options, const std::string& folder) {
  MINI_TRY_ASSIGN(ImportedModel imported, import_file(model));
  SessionOptions plain = unoptimised(session);
  plain.log = nullptr;  // has said all of it already
  MINI_TRY_ASSIGN(Session loaded, Session::load(model, plain));
  std::unique_ptr<Probe> probe(
      new Probe(std::move(imported.graph), std::move(loaded), options.check_finite));
  if (!options.dump.empty()) {
    MINI_TRY_ASSIGN(Dump dump, Dump::make(probe->graph_, options.dump, folder));
    probe->dump_.emplace(std::move(dump));
  }
  return probe;
}

Result<ProbeReport> Probe::run(const TensorMap& inputs, const std::string& prefix) {
  std::optional<FiniteCheck> check;
  if (check_finite_) check.emplace(graph_, inputs);
  if (dump_) MINI_TRY(dump_->begin(inputs, prefix));
  const auto see = [&](const TracedValue& value) -> Status {
    if (check) check->see(value);
    return dump_ ? dump_->see(value) : ok();
  };
  MINI_TRY(trace_values(session_, inputs, see).status());
  ProbeReport report;
  if (dump_) {
    MINI_TRY(dump_->end());
    report.text += format("  %zu values in %s\n", dump_->files(), dump_->folder().c_str());
    report.json["dumped"] = dump_->files();
  }
  if (check) {
    report.text += check->text();
    report.json["finite"] = check->json();
    report.verdict = check->verdict();
  }
  return report;
}

}  // namespace mini_infer::tools
