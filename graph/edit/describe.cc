// Steps that change what a file says of itself and how it is stored, not what it computes.
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/ir/text.h"

namespace mini_infer {

Result<std::string> set_meta(Edit& edit, const std::string& text) {
  const std::size_t at = text.find('=');
  const std::string key = text.substr(0, at), value = text.substr(at + 1);
  auto& metadata = edit.model.info.metadata;
  const auto there = metadata.find(key);
  const std::string before = there == metadata.end() ? "added" : cat("was '", there->second, "'");
  metadata[key] = value;
  return cat("'", key, "' is '", value, "', ", before);
}

Result<std::string> strip_doc(Edit& edit, const std::string&) {
  ModelHeader& header = edit.model.header;
  const std::size_t count =
      header.node_docs.size() + (header.doc.empty() ? 0 : 1) + (header.graph_doc.empty() ? 0 : 1);
  header.node_docs.clear();
  header.doc.clear();
  header.graph_doc.clear();
  return counted(count, "doc string");
}

Result<std::string> to_external(Edit& edit, const std::string& text) {
  edit.output.external_data = ExportOptions::ExternalData::kAlways;
  if (!text.empty()) edit.output.external_threshold = static_cast<std::size_t>(*parse_count(text));
  return cat("tensors of ", edit.output.external_threshold, " bytes and more");
}

Result<std::string> from_external(Edit& edit, const std::string&) {
  edit.output.external_data = ExportOptions::ExternalData::kNever;
  return std::string("all tensors in one file");
}

}  // namespace mini_infer
