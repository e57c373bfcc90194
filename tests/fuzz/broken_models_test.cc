// Broken model files: whatever the bytes, load and run give an error or a valid result, in bounded
// time and memory.
#include <gtest/gtest.h>
#include <mini_infer/session.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace mini_infer {
namespace {

namespace fs = std::filesystem;
constexpr int kMutations = 500;
constexpr std::size_t kLargestModel = 1 << 20;
constexpr std::size_t kMemoryLimit = std::size_t{256} << 20;

std::vector<std::string> read_models() {
  std::vector<fs::path> paths = {fs::path(MINI_SOURCE_DIR) / "tools/demo/shapes.onnx"};
  for (const char* set : {"cases", "models"}) {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(fs::path(MINI_SHARED) / set, missing)) {
      // A flipped bit in a loop's trip count is a valid model that runs for years.
      if (entry.path().filename().string().find("loop") == std::string::npos)
        paths.push_back(entry.path() / "model.onnx");
    }
  }
  std::vector<std::string> models;
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (!bytes.empty() && bytes.size() <= kLargestModel) models.push_back(std::move(bytes));
  }
  return models;
}

// Truncated, with flipped bits, with a piece overwritten, or empty.
std::string broken(std::string bytes, std::mt19937& random) {
  const auto at = [&] { return random() % std::max<std::size_t>(bytes.size(), 1); };
  switch (random() % 4) {
    case 0:
      bytes.resize(at());
      break;
    case 1:
      for (int i = 0; i < 8; ++i) bytes[at()] ^= static_cast<char>(1 << random() % 8);
      break;
    case 2:  // the structure is at the front of most files
      for (int i = 0; i < 3; ++i)
        bytes[at() % std::min<std::size_t>(bytes.size(), 2000)] ^=
            static_cast<char>(1 << random() % 8);
      break;
    default:
      for (std::size_t i = at(), n = 0; i < bytes.size() && n < 64; ++i, ++n)
        bytes[i] = static_cast<char>(random());
  }
  return bytes;
}

// Zeros of the declared shape, open dimensions taken as 1.
std::optional<std::vector<Tensor>> some_inputs(const Session& session) {
  std::vector<Tensor> inputs;
  for (const ValueInfo& info : session.inputs()) {
    Shape shape;
    if (info.dims) {
      for (const DimInfo& dim : *info.dims) shape.push_back(dim.value >= 0 ? dim.value : 1);
    }
    const auto bytes = checked_bytes(info.dtype, shape);
    if (!bytes.ok() || *bytes > kMemoryLimit || dtype_size(info.dtype) == 0) return std::nullopt;
    inputs.emplace_back(info.dtype, shape);
  }
  return inputs;
}

TEST(BrokenModels, give_an_error_or_a_result) {
  const std::vector<std::string> models = read_models();
  ASSERT_FALSE(models.empty());
  if (models.size() == 1)
    std::printf("only the demo model: MINI_SHARED (%s) has no others\n", MINI_SHARED);
  std::mt19937 random(2024);
  int loaded = 0, ran = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string bytes =
        i == 0 ? std::string() : broken(models[random() % models.size()], random);
    auto session = Session::load(std::as_bytes(std::span(bytes)),
                                 {.threads = 1, .memory_limit = kMemoryLimit});
    if (!session.ok()) {
      EXPECT_FALSE(session.status().message().empty());
      continue;
    }
    ++loaded;
    const auto inputs = some_inputs(*session);
    if (!inputs) continue;
    const auto outputs = session->run(*inputs);
    ran += outputs.ok() ? 1 : 0;
    if (!outputs.ok()) {
      EXPECT_FALSE(outputs.status().message().empty());
    }
  }
  std::printf("%d of %d loaded, %d ran\n", loaded, kMutations, ran);
  EXPECT_LT(loaded, kMutations);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "peak memory in KiB";
#endif
}

}  // namespace
}  // namespace mini_infer
