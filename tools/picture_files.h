// The pictures that a command works on, and the files it writes for them.
#pragma once

#include <mini_infer/status.h>

#include <string>
#include <vector>

namespace mini_infer::tools {

// Each folder in `paths` becomes the pictures that lie in it (.png, .jpg, .jpeg), by name; other
// paths stay. A folder without pictures is an error.
Result<std::vector<std::string>> expand_folders(const std::vector<std::string>& paths);

// Whether `out` is a folder for pictures rather than the file for one: it is one, or ends like one,
// or what the user named (`paths`) is more than one picture.
bool is_folder_for(const std::string& out, const std::vector<std::string>& paths);
// A file for each of `pictures`, to which `paths` expanded: `out` itself, or in the folder `out`,
// which is made, under the picture's own name. kInvalidArgument when two pictures would go into one
// file, or one into itself.
Result<std::vector<std::string>> files_for(const std::string& out,
                                           const std::vector<std::string>& paths,
                                           const std::vector<std::string>& pictures);

}  // namespace mini_infer::tools
