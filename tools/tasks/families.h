// The functions that families.def names; each family's file says what it recognises.
#pragma once

#include "tools/tasks/task.h"

namespace mini_infer::tools {

#define MINI_FAMILY(name, task, expects, recognise) \
  std::optional<Head> recognise(const Network& network);
#include "tools/tasks/families.def"
#undef MINI_FAMILY

}  // namespace mini_infer::tools
