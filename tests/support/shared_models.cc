#include "tests/support/shared_models.h"

#include <algorithm>

namespace mini_infer {

namespace fs = std::filesystem;

std::vector<fs::path> shared_models() {
  std::vector<fs::path> models;
  for (const char* folder : {"models", "cases"}) {
    const fs::path root = fs::path(MINI_SHARED) / folder;
    if (!fs::exists(root)) continue;
    for (const auto& entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "model.onnx")) models.push_back(entry.path());
    }
  }
  std::sort(models.begin(), models.end());
  return models;
}

}  // namespace mini_infer
