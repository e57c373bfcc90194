// The pictures that a command works on, and the files it writes for them.
#pragma once

#include <mini_infer/status.h>

#include <string>
#include <vector>

namespace mini_infer::tools {

// Each folder in `paths` becomes the pictures that lie in it (.png, .jpg, .jpeg), by name; other
// paths stay. A folder without pictures is an error.
Result<std::vector<std::string>> expand_folders(const std::vector<std::string>& paths);

// A file for each of `pictures`: `out` itself for one picture that does not come from a folder,
// unless `out` is a folder or ends like one; else in the folder `out`, under the picture's own
// name. `paths` are what the user named. kInvalidArgument when a name is no picture's, or when two
// pictures would go into one file.
Result<std::vector<std::string>> files_for(const std::string& out,
                                           const std::vector<std::string>& paths,
                                           const std::vector<std::string>& pictures);

}  // namespace mini_infer::tools
