// What the parts of the importer share while one model is read.
#pragma once

#include <mini_infer/session.h>

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"
#include "graph/onnx/importer.h"
#include "graph/onnx/proto.h"
#include "graph/onnx/tensor_store.h"

namespace mini_infer {

// Everything that is wrong with a model, for one Status.
class Problems {
 public:
  void add(const Status& status);
  void add(Code code, std::string line) { add(Status(code, std::move(line))); }
  bool none() const { return count_ == 0; }
  // kNotImplemented if that is all that is wrong, otherwise the first other code.
  Status status() const;

 private:
  std::vector<std::string> lines_;
  std::size_t count_ = 0;
  Code code_ = Code::kNotImplemented;
};

// Notes to the log; of each kind the first, with how many more there were.
class Notes {
 public:
  explicit Notes(const LogFn& log) : log_(log) {}
  void add(const std::string& kind, const std::string& note);
  void flush();

 private:
  const LogFn& log_;
  std::map<std::string, std::pair<std::string, int>> notes_;
};

// Names that are taken.
class UsedNames {
 public:
  // `name`, or with the first of _2, _3, ... that makes it new; taken from now on.
  std::string unique(const std::string& name);

 private:
  std::unordered_map<std::string, int> last_suffix_;
};

using OpsetVersions = std::map<std::string, int>;  // by domain

// A function that the model defines.
struct Function {
  const pb::FunctionProto* proto = nullptr;
  OpsetVersions opsets;
  std::vector<pb::AttributeProto> defaults;  // of its attributes
};
// domain, name, overload
struct FunctionKey {
  std::string domain, name, overload;
  friend auto operator<=>(const FunctionKey&, const FunctionKey&) = default;
};

struct ImportState {
  TensorStore& tensors;
  Notes notes;
  Problems problems;
  ModelInfo info;
  ModelHeader header;
  std::map<FunctionKey, Function> functions;
  std::vector<FunctionKey> calls;  // that are being inlined, the outermost first
  std::size_t inlined_nodes = 0;
  UsedNames node_names;  // of the whole model
};

// "" for "ai.onnx".
std::string canonical_domain(const std::string& domain);

// The fields that Debian's onnx.proto does not have yet.
std::string overload_of(const pb::NodeProto& node);
std::string overload_of(const pb::FunctionProto& function);
std::vector<pb::AttributeProto> attribute_defaults(const pb::FunctionProto& function);

}  // namespace mini_infer
