#include "tools/version.h"

namespace mini_infer::tools {

const char kVersion[] = MINI_VERSION;

}  // namespace mini_infer::tools
