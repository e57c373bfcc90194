#include "tools/labels.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "n02123045 tabby" -> "tabby"
std::string_view without_wordnet_id(std::string_view line) {
  constexpr std::size_t kIdSize = 9;
  const bool has_id = line.size() > kIdSize + 1 && line[0] == 'n' && line[kIdSize] == ' ' &&
                      std::all_of(line.begin() + 1, line.begin() + kIdSize, is_digit);
  return has_id ? trim(line.substr(kIdSize)) : line;
}

struct Numbered {
  std::size_t number;
  std::string_view name;
};

// "3,cat", "3: cat"
std::optional<Numbered> numbered(std::string_view line) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  const auto used = static_cast<std::size_t>(end - line.data());
  if (error != std::errc() || used >= line.size() || (line[used] != ',' && line[used] != ':'))
    return {};
  return Numbered{number, trim(line.substr(used + 1))};
}

// The names of {0: 'cat', 1: "a dog's"}, by their numbers.
std::vector<std::string> parse_dictionary(std::string_view text) {
  constexpr std::size_t kMaxClasses = 1 << 20;
  std::vector<std::string> labels;
  std::size_t at = 0;
  while ((at = text.find_first_of("0123456789", at)) != text.npos) {
    std::size_t number = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data() + at, end, number).ec != std::errc()) break;
    at = text.find_first_of("'\"", at);
    if (at == text.npos || number >= kMaxClasses) break;
    const char quote = text[at++];
    std::string name;
    for (; at < text.size() && text[at] != quote; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      name += text[at];
    }
    at = std::min(at + 1, text.size());
    labels.resize(std::max(labels.size(), number + 1));
    labels[number] = std::move(name);
  }
  return labels;
}

}  // namespace

std::vector<std::string> parse_labels(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text = trim(text);
  if (text.starts_with("{")) return parse_dictionary(text);
  std::vector<std::string_view> lines;
  if (!text.empty()) lines = split(text, '\n');
  // Numbers are stripped only when they count the lines.
  bool counted = true;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto entry = numbered(trim(lines[i]));
    counted = counted && entry && entry->number == i;
  }
  std::vector<std::string> labels;
  for (const std::string_view line : lines) {
    const std::string_view name = trim(line);
    labels.emplace_back(counted ? numbered(name)->name : without_wordnet_id(name));
  }
  return labels;
}

Result<std::vector<std::string>> read_labels(const std::string& path) {
  constexpr std::size_t kMaxLabelBytes = 64 << 20;
  MINI_TRY_ASSIGN(const auto bytes, read_bytes(path, kMaxLabelBytes));
  if (std::find(bytes.begin(), bytes.end(), std::byte{0}) != bytes.end()) {
    return Status(Code::kInvalidArgument, "'" + path + "' is no text: it has a zero byte");
  }
  std::vector<std::string> labels =
      parse_labels({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (labels.empty()) return Status(Code::kInvalidArgument, "'" + path + "' holds no labels");
  return labels;
}

std::vector<std::string> labels_of(const std::map<std::string, std::string>& metadata) {
  const auto names = metadata.find("names");
  return names == metadata.end() ? std::vector<std::string>() : parse_labels(names->second);
}

}  // namespace mini_infer::tools
