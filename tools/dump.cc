#include "tools/dump.h"

#include <algorithm>
#include <filesystem>

#include "tools/common.h"
#include "tools/nearest.h"
#include "tools/node_view.h"
#include "tools/npy.h"
#include "tools/print.h"
#include "tools/text.h"

namespace mini_infer::tools {

std::vector<std::string> value_names(const Graph& graph) {
  std::vector<std::string> names;
  for (std::size_t v = 0; v < graph.value_count(); ++v) {
    const auto id = static_cast<ValueId>(v);
    const Value& value = graph.value(id);
    const bool there = value.is_constant() || value.producer != kNoNode || graph.is_input(id);
    if (there) names.push_back(value.name);
  }
  return names;
}

namespace {

// Where a value of a body is computed or comes in: "'r' is a value of then_branch of 'choice':
// ..."; empty where no body has it.
std::string in_a_body(const Graph& graph, const std::string& name) {
  for (const NodePlace& place : all_nodes(graph)) {
    for (const auto& [attribute, value] : place.node().attributes) {
      const auto* body = std::get_if<GraphPtr>(&value);
      if (body == nullptr || (*body)->find_value(name) == kNoValue) continue;
      return '\'' + printable(name) + "' is a value of the " + printable(attribute) + " of " +
             place.node().str() +
             ": values of bodies are not kept, they may be computed often or not at all; make it "
             "an output of the body to dump what the node gives out";
    }
  }
  return "";
}

}  // namespace

Result<Dump> Dump::make(const Graph& graph, const std::vector<std::string>& names,
                        std::string folder) {
  Dump dump(graph, std::move(folder));
  const std::vector<std::string> known = value_names(graph);
  const std::set<std::string> sorted(known.begin(), known.end());
  std::string problems;
  for (const std::string& name : names) {
    if (sorted.contains(name)) {
      dump.names_.insert(name);
    } else if (name == "all") {
      dump.names_of_all_ = sorted;
    } else {
      const std::string body = in_a_body(graph, name);
      problems += (problems.empty() ? "--dump: " : "\n") +
                  (body.empty() ? not_found("value", name, known) : body);
    }
  }
  if (!problems.empty()) return Status(Code::kInvalidArgument, problems);
  return dump;
}

Status Dump::begin(const TensorMap& inputs, const std::string& prefix) {
  prefix_ = prefix;
  index_.clear();
  taken_ = {prefix + kDumpIndex};
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return {Code::kIo, "cannot make folder '" + folder_ + "': " + error.message()};
  // The outputs have their files already; no other value may take their names.
  for (const GraphOutput& output : graph_->outputs()) {
    index_[output.name] = prefix + file_name_for(output.name) + ".npy";
    taken_.insert(index_[output.name]);
  }
  for (const auto& [name, tensor] : inputs) {
    if (wanted(name)) MINI_TRY(write(name, tensor));
  }
  for (const std::string& name : names_) {
    const Tensor* constant = graph_->constant(graph_->find_value(name));
    if (constant != nullptr) MINI_TRY(write(name, constant->unread()));
  }
  return ok();
}

Status Dump::see(const TracedValue& value) {
  return wanted(value.name) ? write(value.name, value.tensor) : ok();
}

Status Dump::write(const std::string& name, const Tensor& tensor) {
  std::string& file = index_[name];
  if (file.empty()) {
    const std::string base = prefix_ + file_name_for(name);
    file = base + ".npy";
    for (int i = 2; !taken_.insert(file).second; ++i) file = format("%s-%d.npy", base.c_str(), i);
  }
  return write_npy((std::filesystem::path(folder_) / file).string(), tensor);
}

Status Dump::end() {
  std::string missing;
  for (const std::string& name : names_) {
    if (!index_.contains(name)) missing += (missing.empty() ? "'" : ", '") + printable(name) + '\'';
  }
  if (!missing.empty()) {
    return {Code::kNotImplemented,
            "--dump: " + missing + " cannot be written: a sequence of tensors is no .npy file"};
  }
  const std::string text = tools::dump(Json(index_)) + '\n';
  return write_bytes((std::filesystem::path(folder_) / (prefix_ + kDumpIndex)).string(),
                     text.data(), text.size());
}

}  // namespace mini_infer::tools
