// Which key points belong together, by how many there are.
#pragma once

#include "tools/tasks/findings.h"

namespace mini_infer::tools {

// 17: COCO's body; 21: a hand; others: none.
Bones bones_for(std::size_t points);

}  // namespace mini_infer::tools
