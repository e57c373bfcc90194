#include "tools/nearest.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "tools/text.h"

namespace mini_infer::tools {
namespace {

std::string_view tail(std::string_view text) {
  constexpr std::size_t kMost = 200;
  return text.size() > kMost ? text.substr(text.size() - kMost) : text;
}

// Levenshtein's distance: insertions, deletions and replacements.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::size_t unlikeness(std::string_view name, std::string_view other) {
  const bool contained = !name.empty() && (other.find(name) != other.npos ||
                                           (!other.empty() && name.find(other) != name.npos));
  const std::size_t edits = distance(tail(name), tail(other));
  return contained ? std::min<std::size_t>(edits, 2) : edits;
}

}  // namespace

std::vector<std::string> nearest(const std::string& name, const std::vector<std::string>& names,
                                 std::size_t count) {
  std::vector<std::pair<std::size_t, const std::string*>> ranked;
  for (const std::string& each : names) {
    if (!each.empty()) ranked.emplace_back(unlikeness(name, each), &each);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) out.push_back(*ranked[i].second);
  return out;
}

std::string not_found(const std::string& what, const std::string& name,
                      const std::vector<std::string>& names) {
  std::string message = "there is no " + what + " '" + printable(name) + '\'';
  const std::vector<std::string> near = nearest(name, names);
  for (std::size_t i = 0; i < near.size(); ++i) {
    message += (i == 0 ? "; the nearest are '" : ", '") + printable(near[i]) + '\'';
  }
  return message;
}

}  // namespace mini_infer::tools
