// Steps on what a model says of itself, and on where its tensors lie.
#include <set>

#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/ir/text.h"
#include "graph/passes/lower_opset.h"
#include "graph/passes/raise_opset.h"

namespace mini_infer {

Result<std::string> set_meta(Edit& edit, const std::string& text) {
  const std::size_t at = text.find('=');
  const std::string key = text.substr(0, at), value = text.substr(at + 1);
  auto& metadata = edit.model.info.metadata;
  const auto there = metadata.find(key);
  const std::string before = there == metadata.end() ? "new" : cat("was '", there->second, "'");
  metadata[key] = value;
  return cat("'", key, "' is '", value, "', ", before);
}

Result<std::string> strip_doc(Edit& edit, const std::string&) {
  ModelHeader& header = edit.model.header;
  std::size_t count = header.node_docs.size();
  header.node_docs.clear();
  for (std::string* doc : {&header.doc, &header.graph_doc}) {
    count += doc->empty() ? 0 : 1;
    doc->clear();
  }
  return cat(counted(count, "doc string"), " removed");
}

Result<std::string> to_external(Edit& edit, const std::string& text) {
  edit.output.external_data = ExportOptions::ExternalData::kAlways;
  if (!text.empty()) edit.output.external_threshold = static_cast<std::size_t>(*parse_count(text));
  std::size_t count = 0;
  const Graph& graph = edit.model.graph;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Tensor* tensor = graph.constant(id);
    if (tensor != nullptr && !graph.value(id).users.empty() &&
        tensor->bytes() >= edit.output.external_threshold) {
      ++count;
    }
  }
  return cat(counted(count, "tensor"), " of ", edit.output.external_threshold,
             " bytes and more go to OUT.data");
}

Result<std::string> from_external(Edit& edit, const std::string&) {
  edit.output.external_data = ExportOptions::ExternalData::kNever;
  return std::string(edit.model.header.external_data ? "all tensors in the one file"
                                                     : "they are in the one file already");
}

Result<std::string> opset(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  const std::int64_t wanted = *parse_count(text);
  const int before = newest_opset(graph), after = static_cast<int>(wanted);
  if (wanted < kOldestLowered || wanted > kNewestRaised) {
    return error(Code::kInvalidArgument, "opsets from ", kOldestLowered, " to ", kNewestRaised,
                 " can be written; ", wanted, " is too ", wanted < kOldestLowered ? "old" : "new");
  }
  if (after >= before) {
    MINI_TRY(raise_opset(graph, after));
  } else {
    MINI_TRY(lower_opset(graph, after, edit.ops));
    edit.model.info.ir_version = 0;  // the oldest that fits
  }
  graph.opsets[""] = after;
  edit.model.info.opsets[""] = wanted;
  return cat("opset ", wanted, ", was ", before);
}

}  // namespace mini_infer
