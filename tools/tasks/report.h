// Findings for people, as JSON, and as a picture.
#pragma once

#include <string>
#include <vector>

#include "tools/print.h"
#include "tools/tasks/findings.h"

namespace mini_infer::tools {

using Labels = std::vector<std::string>;

// "person", or "class 3" where there is no name.
std::string label_of(std::size_t cls, const Labels& labels);

// Lines that are indented by two blanks; what there is nothing to say about is left out.
std::string print_findings(const Findings& findings, const Labels& labels);
// Adds "objects", "classes", "picture" or "vector", whichever there is, to `json`. Boxes are left,
// top, right, bottom in pixels; masks are runs of pixels outside and inside in turn, row after row
// of the mask's own box.
void add_findings(const Findings& findings, const Labels& labels, Json& json);

// `image` with everything drawn in; the output picture itself where that is what was found.
Image draw_findings(const Image& image, const Findings& findings, const Labels& labels);

}  // namespace mini_infer::tools
