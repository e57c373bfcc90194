// Every real model there is must import; damaged ones must not crash the importer.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "graph/onnx/importer.h"
#include "graph/onnx/tensor_reader.h"
#include "tests/support/shared_models.h"

namespace mini_infer {
namespace {

namespace fs = std::filesystem;

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ImportModels, every_shared_model_imports) {
  const std::vector<fs::path> models = shared_models();
  if (models.empty()) GTEST_SKIP() << "no models in " << MINI_SHARED;
  for (const fs::path& folder : models) {
    std::string notes;
    const auto model = import_file((folder / "model.onnx").string(),
                                   [&](const std::string& note) { notes += note + "\n"; });
    ASSERT_TRUE(model.ok()) << folder << ": " << model.status().message();
    EXPECT_GT(model->graph.node_count(), 0u) << folder;
    EXPECT_FALSE(model->graph.inputs.empty()) << folder;
    EXPECT_TRUE(model->graph.verify().ok()) << folder;
    if (!notes.empty()) std::printf("%s: %s", folder.filename().c_str(), notes.c_str());
    for (const auto& entry : fs::directory_iterator(folder / "test_data_set_0")) {
      const auto tensor = read_tensor_file(entry.path().string());
      EXPECT_TRUE(tensor.ok()) << entry.path() << ": " << tensor.status().message();
    }
  }
}

TEST(ImportModels, models_without_an_opset_import_get_a_note) {
  const fs::path model = fs::path(MINI_SHARED) / "models/mnist_cntk_no_opset/model.onnx";
  if (!fs::exists(model)) GTEST_SKIP() << "no " << model;
  std::vector<std::string> notes;
  const auto imported = import_file(model, [&](const std::string& note) { notes.push_back(note); });
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0], "the model has no opset_import; taken as opset 1");
  EXPECT_EQ(imported->graph.opset(), 1);
}

// Damages a copy of the model in one of three ways.
std::string damaged(const std::string& bytes, std::mt19937& random) {
  std::string copy = bytes;
  const auto any = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
  };
  switch (any(3)) {
    case 0:
      copy.resize(any(copy.size()));
      break;
    case 1:
      for (std::size_t i = 0; i < 1 + any(8); ++i) {
        copy[any(copy.size())] ^= static_cast<char>(1u << any(8));
      }
      break;
    default:
      copy.erase(any(copy.size()), 1 + any(64));
      break;
  }
  return copy;
}

TEST(ImportModels, damaged_models_give_an_error_or_a_graph) {
  const fs::path root = fs::path(MINI_SHARED) / "models";
  if (!fs::exists(root)) GTEST_SKIP() << "no " << root;
  std::mt19937 random(1);
  int refused = 0;
  for (const char* name : {"hand_keypoint_classifier", "qlstm_scan", "lgbm_as_tensor_ops",
                           "mnist_cntk_opset8", "sci_lowlight_480x640"}) {
    const std::string bytes = read_bytes(root / name / "model.onnx");
    for (int i = 0; i < 100; ++i) {
      const std::string copy = damaged(bytes, random);
      const auto model = import_bytes(std::as_bytes(std::span(copy)));
      if (!model.ok()) {
        ++refused;
        EXPECT_FALSE(model.status().message().empty());
        EXPECT_NE(model.status().code(), Code::kInternal) << model.status().message();
      } else {
        EXPECT_TRUE(model->graph.verify().ok());
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace mini_infer
