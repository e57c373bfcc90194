#pragma once

namespace mini_infer::tools {

extern const char kVersion[];  // "0.1.0"

}  // namespace mini_infer::tools
