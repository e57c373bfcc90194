#include "tools/test_folder.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "graph/onnx/tensor_reader.h"
#include "tools/common.h"
#include "tools/compare.h"
#include "tools/model_inputs.h"

namespace mini_infer::tools {
namespace {

namespace fs = std::filesystem;

// K of "input_K.pb" when `file` is called so.
std::optional<std::size_t> number_of(const std::string& file, std::string_view prefix) {
  std::string_view name = file;
  constexpr std::string_view kSuffix = ".pb";
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return {};
  name.remove_prefix(prefix.size());
  name.remove_suffix(kSuffix.size());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  return number;
}

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> sets;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("test_data_set_") && entry.is_directory(error))
      sets.push_back(entry.path());
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

// The tensors of one data set's inputs or outputs by name. A tensor's own name says which value it
// is, when the model has one of that name; otherwise its number does.
Result<TensorMap> read_tensors(const fs::path& set, std::string_view prefix,
                               const std::vector<ValueInfo>& values) {
  std::map<std::size_t, fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(set, error)) {
    if (const auto number = number_of(entry.path().filename().string(), prefix)) {
      files[*number] = entry.path();
    }
  }
  std::set<std::string> names;
  for (const ValueInfo& value : values) names.insert(value.name);
  TensorMap tensors;
  for (const auto& [number, path] : files) {
    Result<NamedTensor> read = read_tensor_file(path.string());
    if (!read.ok()) return read.status();
    const bool named = names.contains(read->name);
    if (!named && number >= values.size()) {
      return Status(Code::kInvalidModel, format("%s: the model has only %zu such values",
                                                path.filename().c_str(), values.size()));
    }
    tensors[named ? read->name : values[number].name] = std::move(read->tensor);
  }
  return tensors;
}

// Why the test cannot be run whatever the engine can do; empty when it can. Only tensors go in and
// out of a model here.
std::string reason_to_skip(const std::string& folder) {
  const std::vector<fs::path> sets = data_sets(folder);
  if (sets.empty()) return "it has no test_data_set_N folder";
  std::error_code error;
  for (const fs::path& set : sets) {
    for (const auto& entry : fs::directory_iterator(set, error)) {
      if (entry.path().extension() != ".pb") continue;
      const Status status = read_tensor_file(entry.path().string()).status();
      const bool container = status.message().find("sequence or an optional") != std::string::npos;
      if (status.code() == Code::kNotImplemented && container) return status.message();
    }
  }
  return "";
}

// One line, in which files are named from the test's folder on.
std::string on_one_line(std::string text, const std::string& folder) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos;) text.replace(at, 1, "; ");
  const std::string prefix = folder + '/';
  for (std::size_t at = 0; (at = text.find(prefix, at)) != text.npos;)
    text.erase(at, prefix.size());
  return text;
}

void fail_test(TestOutcome& outcome, std::string problem) {
  outcome.verdict = Verdict::kFailed;
  outcome.problems.push_back(std::move(problem));
}

void compare_outputs(const TensorMap& got, const TensorMap& want, const std::string& set,
                     const Session& session, const TestOptions& options, TestOutcome& outcome) {
  for (const auto& [name, expected] : want) {
    const Tolerance tolerance = tolerance_for(options.tolerance, session.model(), expected);
    const auto found = got.find(name);
    if (found == got.end()) {
      fail_test(outcome, set + ": output '" + name + "' is missing");
      continue;
    }
    const Comparison comparison = compare(found->second, expected, tolerance);
    outcome.largest_difference =
        std::max(outcome.largest_difference, comparison.largest_difference);
    if (!comparison.problem.empty()) {
      fail_test(outcome, set + ": output '" + name + "': " + comparison.problem);
    }
  }
}

void take_scalars(const Session& session, TensorMap& inputs, TestOutcome& outcome) {
  for (auto& [name, tensor] : inputs) {
    const Shape before = tensor.shape();
    tensor = as_declared(std::move(tensor), *find_value(session.inputs(), name));
    if (tensor.shape() != before) {
      outcome.notes.push_back("input '" + name + "': data of shape [1] read as a scalar");
    }
  }
}

void run_data_set(const Session& session, const fs::path& set, const TestOptions& options,
                  TestOutcome& outcome) {
  const std::string name = set.filename().string();
  Result<TensorMap> inputs = read_tensors(set, "input_", session.inputs());
  const Result<TensorMap> want = read_tensors(set, "output_", session.outputs());
  for (const Status& status : {inputs.status(), want.status()}) {
    if (!status.ok()) return fail_test(outcome, name + ": " + status.message());
  }
  take_scalars(session, *inputs, outcome);
  const double start = now_seconds();
  const Result<TensorMap> got = session.run(*inputs);
  outcome.run_ms += (now_seconds() - start) * 1e3;
  if (!got.ok()) return fail_test(outcome, name + ": " + got.status().message());
  compare_outputs(*got, *want, name, session, options, outcome);
}

Status run_all(const std::string& folder, const TestOptions& options, TestOutcome& outcome) {
  SessionOptions session_options;
  session_options.threads = options.threads;
  session_options.log = [&](const std::string& line) { outcome.notes.push_back(line); };
  const double start = now_seconds();
  MINI_TRY_ASSIGN(const Session session, Session::load(folder + "/model.onnx", session_options));
  outcome.load_ms = (now_seconds() - start) * 1e3;
  for (const fs::path& set : data_sets(folder)) run_data_set(session, set, options, outcome);
  return ok();
}

}  // namespace

Result<std::vector<std::string>> find_tests(const std::string& path) {
  std::vector<std::string> tests;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return Status(Code::kIo,
                  "'" + path + "' is no folder; give folders with a model.onnx in or below them");
  }
  if (fs::exists(fs::path(path) / "model.onnx", error)) return std::vector<std::string>{path};
  fs::recursive_directory_iterator walk(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->path().filename() == "model.onnx")
      tests.push_back(walk->path().parent_path().string());
  }
  if (tests.empty()) return Status(Code::kIo, "no model.onnx in or below '" + path + "'");
  std::sort(tests.begin(), tests.end());
  return tests;
}

TestOutcome run_test(const std::string& folder, const TestOptions& options) {
  TestOutcome outcome;
  const Status status = guarded([&] {
    const std::string reason = reason_to_skip(folder);
    if (reason.empty()) return run_all(folder, options, outcome);
    outcome.verdict = Verdict::kSkipped;
    outcome.problems.push_back(reason);
    return ok();
  });
  if (!status.ok()) fail_test(outcome, status.message());
  for (auto* texts : {&outcome.problems, &outcome.notes}) {
    for (std::string& text : *texts) text = on_one_line(std::move(text), folder);
  }
  return outcome;
}

}  // namespace mini_infer::tools
