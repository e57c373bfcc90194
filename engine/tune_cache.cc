#include "engine/tune_cache.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

constexpr std::string_view kTitle = "mini-infer tune cache ";
constexpr std::string_view kVersion = "1";
constexpr int kKeyFields = 4;

// "direct 0.55"
std::optional<KernelTime> parse_time(const std::string& text) {
  std::istringstream in(text);
  KernelTime time;
  std::string ms;
  if (!(in >> time.kernel >> ms) || !(in >> std::ws).eof()) return std::nullopt;
  const auto [end, error] = std::from_chars(ms.data(), ms.data() + ms.size(), time.ms);
  const bool valid = error == std::errc() && end == ms.data() + ms.size() && time.ms > 0;
  return valid ? std::optional(time) : std::nullopt;
}

// Splits a line into its key and its times; no value when it is no such line.
std::optional<std::pair<std::string, KernelTimes>> parse_line(const std::string& line) {
  std::istringstream in(line);
  std::pair<std::string, KernelTimes> entry;
  std::string field;
  for (int i = 0; i < kKeyFields; ++i) {
    if (!std::getline(in, field, '\t') || field.empty()) return std::nullopt;
    entry.first += (i > 0 ? "\t" : "") + field;
  }
  while (std::getline(in, field, '\t')) {
    const auto time = parse_time(field);
    if (!time) return std::nullopt;
    entry.second.push_back(*time);
  }
  if (entry.second.empty()) return std::nullopt;
  return entry;
}

std::string line_of(const std::string& key, const KernelTimes& times) {
  std::string line = key;
  for (const KernelTime& time : times) {
    std::array<char, 32> ms{};  // as many digits as it takes to read the same number back
    const auto [end, error] = std::to_chars(ms.data(), ms.data() + ms.size(), time.ms);
    line += cat('\t', time.kernel, ' ',
                std::string_view(ms.data(), static_cast<std::size_t>(end - ms.data())));
  }
  return line + '\n';
}

}  // namespace

TuneCache::TuneCache(std::string path, std::string machine, LogFn log)
    : path_(std::move(path)), machine_(std::move(machine)), log_(std::move(log)) {
  if (path_.empty()) return;
  Contents contents = read();
  report(contents);
  entries_ = std::move(contents.entries);
}

const KernelTimes* TuneCache::find(const std::string& layer) const {
  const auto found = entries_.find(machine_ + '\t' + layer);
  return found == entries_.end() ? nullptr : &found->second;
}

void TuneCache::add(const std::string& layer, KernelTimes times) {
  entries_[machine_ + '\t' + layer] = std::move(times);
  if (!path_.empty()) write();
}

TuneCache::Contents TuneCache::read() const {
  Contents contents;
  std::ifstream file(path_, std::ios::binary);
  // A file that is none of ours may be long and without lines.
  std::string title(kTitle.size(), '\0');
  file.read(title.data(), static_cast<std::streamsize>(title.size()));
  if (file.gcount() == 0) return contents;  // not there, or empty
  contents.foreign = !file || title != kTitle;
  std::string line;
  if (contents.foreign) {
    contents.problem = "is no tune cache; it is ignored and left as it is";
  } else if (!std::getline(file, line) || line != kVersion) {
    contents.problem = "is of another version and ignored";
  }
  int unreadable = 0;
  while (contents.problem.empty() && std::getline(file, line)) {
    if (auto entry = parse_line(line)) {
      contents.entries.insert_or_assign(std::move(entry->first), std::move(entry->second));
    } else {
      ++unreadable;
    }
  }
  if (unreadable > 0) contents.problem = cat("has ", unreadable, " lines that are ignored");
  return contents;
}

void TuneCache::report(const Contents& contents) const {
  if (!log_) return;
  if (!contents.problem.empty()) log_(cat("tune cache '", path_, "' ", contents.problem));
  const auto ours = [&](const auto& entry) { return entry.first.starts_with(machine_ + '\t'); };
  if (!contents.entries.empty() &&
      std::none_of(contents.entries.begin(), contents.entries.end(), ours)) {
    std::string machine = machine_;
    std::replace(machine.begin(), machine.end(), '\t', '/');
    log_(cat("tune cache '", path_, "' is of other machines; it has nothing for ", machine,
             " threads"));
  }
}

// By rename: who reads the file meanwhile sees the old one or the new one.
void TuneCache::write() {
  Contents now = read();
  if (now.foreign) return;
  entries_.merge(now.entries);
  static std::atomic<int> count{0};
  const std::string temporary = cat(path_, '.', getpid(), '.', count++, ".tmp");
  std::ofstream file(temporary, std::ios::binary);
  file << kTitle << kVersion << '\n';
  for (const auto& [key, times] : entries_) file << line_of(key, times);
  file.close();
  if (file && std::rename(temporary.c_str(), path_.c_str()) == 0) return;
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  if (log_) log_(cat("cannot write tune cache '", path_, "': ", reason));
  path_.clear();  // said once
}

}  // namespace mini_infer
