// Pictures into files.
#pragma once

#include <string>

#include "tools/image/image.h"

namespace mini_infer::tools {

Result<std::vector<std::byte>> to_png(const Image& image);
// Quality 92, colour at full resolution, so that thin coloured lines stay sharp.
Result<std::vector<std::byte>> to_jpeg(const Image& image);

// True when the name of a file ends with .png, .jpg or .jpeg, in any case.
bool is_image_name(const std::string& path);
// The format follows the ending of the name; others are refused with kInvalidArgument.
Status write_image(const std::string& path, const Image& image);

}  // namespace mini_infer::tools
