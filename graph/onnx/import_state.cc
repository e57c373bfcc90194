#include "graph/onnx/import_state.h"

#include <algorithm>

#include "graph/ir/text.h"
#include "graph/onnx/wire.h"

namespace mini_infer {

void Problems::add(const Status& status) {
  constexpr std::size_t kMostLines = 50;
  if (code_ == Code::kNotImplemented) code_ = status.code();
  if (count_++ < kMostLines) lines_.push_back(status.message());
}

Status Problems::status() const {
  if (none()) return ok();
  std::string text;
  for (const std::string& line : lines_) text += (text.empty() ? "" : "\n") + line;
  if (count_ > lines_.size()) text += cat("\n... and ", count_ - lines_.size(), " more problems");
  return Status(code_, text);
}

void Notes::add(const std::string& kind, const std::string& note) {
  auto& [first, count] = notes_[kind];
  if (count++ == 0) first = note;
}

void Notes::flush() {
  for (const auto& [kind, note] : notes_) {
    if (!log_) break;
    log_(note.second == 1 ? note.first
                          : cat(note.first, " (and ", note.second - 1, " more like it)"));
  }
  notes_.clear();
}

std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

std::string UsedNames::unique(const std::string& name) {
  std::string candidate = name;
  // Not a reference: adding candidates moves the entries.
  int suffix = last_suffix_.emplace(name, 0).first->second;
  if (suffix > 0) {
    do {
      candidate = cat(name, '_', ++suffix);
    } while (!last_suffix_.emplace(candidate, 1).second);
  }
  last_suffix_[name] = std::max(suffix, 1);
  return candidate;
}

namespace {

std::string first_or_empty(const std::vector<std::string>& texts) {
  return texts.empty() ? std::string() : texts.front();
}

}  // namespace

std::string overload_of(const pb::NodeProto& node) {
  constexpr std::uint32_t kOverload = 8;
  return first_or_empty(unknown_fields(node.unknown_fields(), kOverload));
}

std::string overload_of(const pb::FunctionProto& function) {
  constexpr std::uint32_t kOverload = 13;
  return first_or_empty(unknown_fields(function.unknown_fields(), kOverload));
}

std::vector<pb::AttributeProto> attribute_defaults(const pb::FunctionProto& function) {
  constexpr std::uint32_t kAttributeProto = 11;
  std::vector<pb::AttributeProto> defaults;
  for (const std::string& bytes : unknown_fields(function.unknown_fields(), kAttributeProto)) {
    pb::AttributeProto attribute;
    if (attribute.ParsePartialFromString(bytes)) defaults.push_back(std::move(attribute));
  }
  return defaults;
}

}  // namespace mini_infer
