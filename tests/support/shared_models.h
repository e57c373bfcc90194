// The models that some tests need, where they are.
#pragma once

#include <filesystem>
#include <vector>

namespace mini_infer {

// The folders of MINI_SHARED/models and MINI_SHARED/cases that have a model.onnx, sorted; empty
// where there are none.
std::vector<std::filesystem::path> shared_models();

}  // namespace mini_infer
