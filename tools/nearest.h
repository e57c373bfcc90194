// Names like one that does not exist.
#pragma once

#include <string>
#include <vector>

namespace mini_infer::tools {

// Up to `count` of `names`, those that differ from `name` in the fewest characters first; a name
// that contains the other counts as near. Of long names the last 200 characters are looked at.
std::vector<std::string> nearest(const std::string& name, const std::vector<std::string>& names,
                                 std::size_t count = 3);
// "there is no value 'conv'; the nearest are 'conv1', 'conv2'"
std::string not_found(const std::string& what, const std::string& name,
                      const std::vector<std::string>& names);

}  // namespace mini_infer::tools
