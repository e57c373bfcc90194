// inspect --memory: what lies where in the arena, step by step.
#pragma once

#include <mini_infer/session.h>

#include <string>

#include "tools/print.h"

namespace mini_infer::tools {

// A row for each step, a column for each part of the arena: '#' values, '+' scratch memory, '.'
// free. Below it the largest blocks.
std::string plot_arena(const PlanInfo& plan);
Json arena_json(const PlanInfo& plan);

}  // namespace mini_infer::tools
