// run --dump: values inside a model as .npy files.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "tools/trace.h"

namespace mini_infer::tools {

// The file in a folder of dumps that says which file holds which value: {"value": "file.npy", ...}.
inline constexpr const char* kDumpIndex = "index.json";

// Names of all values of a graph: inputs, constants, and what nodes compute.
std::vector<std::string> value_names(const Graph& graph);

class Dump {
 public:
  // "all" stands for the inputs and whatever nodes compute, but not for constants, which are
  // written when they are named. An error names the values that do not exist, each with the
  // nearest names.
  static Result<Dump> make(const Graph& graph, const std::vector<std::string>& names,
                           std::string folder);

  // Starts with a run: its inputs and the constants. Names of files begin with `prefix`.
  Status begin(const TensorMap& inputs, const std::string& prefix);
  Status see(const TracedValue& value);
  // Writes the index; an error names values that the run did not compute (sequences).
  Status end();
  std::size_t files() const { return index_.size(); }
  const std::string& folder() const { return folder_; }

 private:
  Dump(const Graph& graph, std::string folder) : graph_(&graph), folder_(std::move(folder)) {}
  bool wanted(const std::string& name) const {
    return names_.contains(name) || names_of_all_.contains(name);
  }
  Status write(const std::string& name, const Tensor& tensor);

  const Graph* graph_;
  std::string folder_, prefix_;
  std::set<std::string> names_;
  std::set<std::string> names_of_all_;        // the file's values, where all are wanted
  std::map<std::string, std::string> index_;  // of this run: value, file
  std::set<std::string> taken_;               // names of files
};

}  // namespace mini_infer::tools
