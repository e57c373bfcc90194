// Files of more than 2 GB, which protobuf's own parser does not read. They are holes for the most
// part, so that they take no room on the disk.
#include "program.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kSide = 24000;
constexpr std::uint64_t kWeightBytes = kSide * kSide * 4;  // 2.3e9

std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number > 127; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
// The start of a field of `size` bytes.
std::string start(int field, std::uint64_t size) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(size);
}

class LargeFile : public Program {
 protected:
  // y = x w with w [24000,24000], zeros in the file itself; false where there is no such file.
  bool write_model(const std::string& path) const {
    pb::ModelProto model = make_model();
    pb::GraphProto graph;
    graph.Swap(model.mutable_graph());
    graph.set_name("large");
    set_type(graph.mutable_input(0), "x", pb::TensorProto::FLOAT, {1, static_cast<int>(kSide)});
    *graph.add_node() = make_node("MatMul", {"x", "w"}, {"y"}, "product");
    model.clear_graph();
    pb::TensorProto weights;
    weights.set_name("w");
    weights.set_data_type(pb::TensorProto::FLOAT);
    for (int i = 0; i < 2; ++i) weights.add_dims(static_cast<std::int64_t>(kSide));
    constexpr int kGraph = 7, kInitializer = 5, kRawData = 9;
    const std::string tensor = weights.SerializeAsString() + start(kRawData, kWeightBytes);
    const std::uint64_t tensor_size = tensor.size() + kWeightBytes;
    const std::string before = graph.SerializeAsString() + start(kInitializer, tensor_size);
    const std::string head =
        model.SerializeAsString() + start(kGraph, before.size() + tensor_size) + before + tensor;
    std::ofstream(path, std::ios::binary) << head;
    std::error_code error;
    std::filesystem::resize_file(path, head.size() + kWeightBytes, error);
    return !error;
  }
};

TEST_F(LargeFile, IsRead) {
  const std::string model = file("large.onnx");
  if (!write_model(model)) GTEST_SKIP() << "no file of 2.3 GB can be made in " << folder_;
  EXPECT_EQ(run("inspect " + model + " --op Conv"), 1);
  expect_one_line("there is no node of type 'Conv'; the nearest are 'MatMul'");
  std::filesystem::resize_file(model, kWeightBytes);
  EXPECT_EQ(run("inspect " + model + " --op Conv"), 1);
  expect_one_line("large.onnx: the file is truncated: a field at byte ");
}

TEST_F(LargeFile, IsNotWrittenInOnePiece) {
  const std::string model = file("large.onnx");
  if (!write_model(model)) GTEST_SKIP() << "no file of 2.3 GB can be made in " << folder_;
  EXPECT_EQ(run("edit " + model + ' ' + file("out.onnx") + " --from-external"), 1);
  expect_one_line("at most 2147483647 are possible: write external data");
  EXPECT_FALSE(std::filesystem::exists(file("out.onnx")));
}

}  // namespace
}  // namespace mini_infer::tools
