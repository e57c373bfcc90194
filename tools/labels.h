// Names of classes.
#pragma once

#include <mini_infer/status.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mini_infer::tools {

// One name a line, with or without a number ("3,cat", "3: cat") or a WordNet id ("n02123045 tabby")
// in front; or a Python dictionary {0: 'cat', 1: 'dog'}, as some exporters store it.
std::vector<std::string> parse_labels(std::string_view text);
Result<std::vector<std::string>> read_labels(const std::string& path);
// From a model's metadata ("names"); empty when there are none.
std::vector<std::string> labels_of(const std::map<std::string, std::string>& metadata);

}  // namespace mini_infer::tools
