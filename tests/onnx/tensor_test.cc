// Tensors in every encoding, in the model and in files beside it.
#include <filesystem>
#include <fstream>
#include <numeric>

#include "graph/onnx/tensor_reader.h"
#include "graph/onnx/tensor_store.h"
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

pb::TensorProto tensor_of(int dtype, const std::vector<std::int64_t>& dims) {
  pb::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(dtype);
  for (const std::int64_t dim : dims) tensor.add_dims(dim);
  return tensor;
}

Result<Tensor> read(const pb::TensorProto& proto) {
  TensorStore store(std::span<const std::byte>{});
  return store.read(proto);
}

std::string bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data()), tensor.bytes()};
}

// The same numbers through the typed field and as raw bytes.
TEST(ReadTensor, typed_fields_and_raw_data_agree) {
  struct Case {
    DType dtype;
    const char* field;
  };
  const std::vector<Case> cases = {
      {DType::kFloat32, "float"},     {DType::kComplex64, "float"}, {DType::kFloat64, "double"},
      {DType::kComplex128, "double"}, {DType::kInt64, "int64"},     {DType::kUInt64, "uint64"},
      {DType::kUInt32, "uint64"},     {DType::kInt32, "int32"},     {DType::kInt16, "int32"},
      {DType::kUInt16, "int32"},      {DType::kInt8, "int32"},      {DType::kUInt8, "int32"},
      {DType::kBool, "int32"},        {DType::kFloat16, "int32"},   {DType::kBFloat16, "int32"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(dtype_name(c.dtype));
    const std::string field = c.field;
    const bool complex = c.dtype == DType::kComplex64 || c.dtype == DType::kComplex128;
    pb::TensorProto typed = tensor_of(static_cast<int>(c.dtype), {2, 3});
    for (int i = 0; i < (complex ? 12 : 6); ++i) {
      if (field == "float") typed.add_float_data(static_cast<float>(i) + 0.5f);
      if (field == "double") typed.add_double_data(i + 0.5);
      if (field == "int64") typed.add_int64_data(-i);
      if (field == "uint64") typed.add_uint64_data(static_cast<std::uint64_t>(i));
      if (field == "int32") typed.add_int32_data(c.dtype == DType::kBool ? i % 2 : i);
    }
    const auto from_fields = read(typed);
    ASSERT_TRUE(from_fields.ok()) << from_fields.status().message();
    pb::TensorProto raw = tensor_of(static_cast<int>(c.dtype), {2, 3});
    raw.set_raw_data(bytes_of(*from_fields));
    const auto from_raw = read(raw);
    ASSERT_TRUE(from_raw.ok()) << from_raw.status().message();
    EXPECT_EQ(from_raw->dtype(), c.dtype);
    EXPECT_EQ(from_raw->shape(), (Shape{2, 3}));
    EXPECT_EQ(bytes_of(*from_raw), bytes_of(*from_fields));
  }
}

TEST(ReadTensor, float16_bits_and_bools) {
  pb::TensorProto half = tensor_of(pb::TensorProto::FLOAT16, {1});
  half.add_int32_data(0x3c00);
  EXPECT_EQ(to_float(read(half)->values<Float16>()[0]), 1.f);
  pb::TensorProto flags = tensor_of(pb::TensorProto::BOOL, {3});
  flags.set_raw_data(std::string("\x00\x02\x01", 3));
  EXPECT_THAT(read(flags)->values<bool>(), ElementsAre(false, true, true));
}

TEST(ReadTensor, strings_scalars_and_empty_tensors) {
  pb::TensorProto text = tensor_of(pb::TensorProto::STRING, {2});
  text.add_string_data("a");
  text.add_string_data("bc");
  EXPECT_THAT(read(text)->values<std::string>(), ElementsAre("a", "bc"));
  pb::TensorProto scalar = tensor_of(kInt64, {});
  scalar.add_int64_data(-7);
  EXPECT_EQ(read(scalar)->shape(), Shape{});
  EXPECT_THAT(read(scalar)->values<std::int64_t>(), ElementsAre(-7));
  EXPECT_EQ(read(tensor_of(kFloat, {0, 5}))->elements(), 0);
}

TEST(ReadTensor, refuses_what_does_not_fit) {
  const auto error_of = [](const pb::TensorProto& proto) { return read(proto).status().message(); };
  pb::TensorProto tensor = tensor_of(kFloat, {2, 3});
  tensor.add_float_data(1);
  EXPECT_EQ(error_of(tensor), "float_data holds 1 values; float32[2,3] needs 6");
  tensor.set_raw_data("12345");
  EXPECT_EQ(error_of(tensor), "the data has 5 bytes; float32[2,3] needs 24");
  EXPECT_EQ(error_of(tensor_of(kFloat, {2, -3})), "dims [2,-3] hold a negative extent");
  EXPECT_THAT(error_of(tensor_of(kFloat, {1ll << 40, 1ll << 40})),
              HasSubstr("is larger than any memory"));
  EXPECT_EQ(error_of(tensor_of(kFloat, {1ll << 40})),
            "float_data holds 0 values; float32[1099511627776] needs 1099511627776");
  EXPECT_EQ(error_of(tensor_of(99, {1})), "element type 99 is none of ONNX's");
  EXPECT_EQ(error_of(tensor_of(0, {1})), "element type 0 is none of ONNX's");
  EXPECT_EQ(error_of(tensor_of(21, {1})), "element type uint4 (21) is not implemented");
  EXPECT_EQ(read(tensor_of(17, {1})).status().code(), Code::kNotImplemented);
  pb::TensorProto text = tensor_of(pb::TensorProto::STRING, {1});
  text.set_raw_data("a");
  EXPECT_EQ(error_of(text), "strings cannot be raw data");
}

pb::SparseTensorProto sparse_of(const std::vector<std::int64_t>& dims,
                                const pb::TensorProto& values,
                                const std::vector<std::int64_t>& index_dims,
                                const std::vector<std::int64_t>& indices) {
  pb::SparseTensorProto sparse;
  for (const std::int64_t dim : dims) sparse.add_dims(dim);
  *sparse.mutable_values() = values;
  *sparse.mutable_indices() = tensor_of(kInt64, index_dims);
  for (const std::int64_t index : indices) sparse.mutable_indices()->add_int64_data(index);
  return sparse;
}

TEST(ReadTensor, sparse_tensors_become_dense) {
  TensorStore store(std::span<const std::byte>{});
  const pb::TensorProto values = float_tensor("w", {2}, {5, 6});
  const auto flat = store.read(sparse_of({2, 3}, values, {2}, {1, 5}));
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_THAT(flat->values<float>(), ElementsAre(0, 5, 0, 0, 0, 6));
  const auto coordinates = store.read(sparse_of({2, 3}, values, {2, 2}, {0, 1, 1, 2}));
  ASSERT_TRUE(coordinates.ok()) << coordinates.status().message();
  EXPECT_THAT(coordinates->values<float>(), ElementsAre(0, 5, 0, 0, 0, 6));
  EXPECT_EQ(store.read(sparse_of({2, 3}, values, {2}, {1, 6})).status().message(),
            "sparse tensor: index 1 is outside of [2,3]");
  EXPECT_EQ(store.read(sparse_of({2, 3}, values, {2, 2}, {0, -1, 1, 2})).status().message(),
            "sparse tensor: index 0 is outside of [2,3]");
  EXPECT_THAT(store.read(sparse_of({2, 3}, values, {3}, {1, 2, 3})).status().message(),
              HasSubstr("2 values need int64 [2] or [2,2]"));
  EXPECT_EQ(store.read(sparse_of({1 << 20, 1 << 20}, values, {2}, {1, 2})).status().code(),
            Code::kResourceExhausted);
}

// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "mini_infer_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

// A model with 4096 + 3 floats in initialiser "w", in the way that `fill` puts them there; names of
// different lengths shift the data.
pb::ModelProto big_model(bool raw, const std::string& doc) {
  std::vector<float> values(4099);
  std::iota(values.begin(), values.end(), 0.f);
  pb::ModelProto model = relu_model();
  model.set_domain(doc);
  auto* tensor = model.mutable_graph()->add_initializer();
  *tensor = float_tensor("w", {4099}, raw ? std::vector<float>() : values);
  if (raw) tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return model;
}

TEST(ReadTensor, big_tensors_share_the_file_where_they_are_aligned) {
  const TemporaryFolder folder;
  int shared = 0;
  for (const bool raw : {true, false}) {
    for (const char* doc : {"", "1", "12", "123"}) {
      const pb::ModelProto model = big_model(raw, doc);
      const std::string path = folder.write("m.onnx", model.SerializeAsString());
      const auto from_file = import_file(path);
      ASSERT_TRUE(from_file.ok()) << from_file.status().message();
      const Imported from_memory = import_proto(model);
      ASSERT_TRUE(from_memory.ok()) << from_memory.message();
      const Graph& graph = from_file->graph;
      const Tensor& tensor = graph.value(graph.find_value("w")).constant;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % sizeof(float), 0u);
      EXPECT_EQ(tensor.values<float>()[4098], 4098.f);
      EXPECT_EQ(bytes_of(tensor), bytes_of(from_memory.value("w").constant));
      // Owned memory is 64-byte aligned; a place in the file practically never is.
      if (reinterpret_cast<std::uintptr_t>(tensor.data()) % 64 != 0) ++shared;
    }
  }
  EXPECT_GE(shared, 1);
}

TEST(ReadTensor, a_model_that_is_stored_in_segments_is_refused) {
  pb::ModelProto model = relu_model();
  auto* tensor = model.mutable_graph()->add_initializer();
  *tensor = float_tensor("w", {1}, {1});
  tensor->mutable_segment()->set_begin(0);
  tensor->mutable_segment()->set_end(4);
  EXPECT_EQ(import_proto(model).message(), "a tensor is stored in segments");
}

class ExternalData : public ::testing::Test {
 protected:
  // Writes a model whose initialiser "w": float32[2] lies elsewhere, and imports it.
  Result<ImportedModel> import_with(const std::string& location, const std::string& offset = "",
                                    const std::string& length = "") {
    pb::ModelProto model = relu_model();
    auto* tensor = model.mutable_graph()->add_initializer();
    *tensor = tensor_of(kFloat, {2});
    tensor->set_data_location(pb::TensorProto::EXTERNAL);
    const auto add = [&](const std::string& key, const std::string& value) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    if (!offset.empty()) add("offset", offset);
    if (!length.empty()) add("length", length);
    fs::create_directories(folder_.path() / "model/sub");
    return import_file(folder_.write("model/m.onnx", model.SerializeAsString()));
  }
  std::string error_with(const std::string& location, const std::string& offset = "",
                         const std::string& length = "") {
    return import_with(location, offset, length).status().message();
  }

  TemporaryFolder folder_;
  const std::vector<float> values_ = {1, 2, 3, 4};
  const std::string data_{reinterpret_cast<const char*>(values_.data()), 16};
};

TEST_F(ExternalData, lies_in_the_folder_of_the_model) {
  fs::create_directories(folder_.path() / "model/sub");
  folder_.write("model/sub/w.bin", data_);
  for (const char* offset : {"4", "0"}) {
    const auto model = import_with("sub/w.bin", offset, "8");
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Tensor& tensor = model->graph.value(model->graph.find_value("w")).constant;
    EXPECT_EQ(tensor.values<float>()[0], offset[0] == '4' ? 2.f : 1.f);
    EXPECT_GT(model->info.file_bytes, 16u);
  }
  EXPECT_TRUE(import_with("./sub/w.bin").ok());
}

TEST_F(ExternalData, may_not_lie_anywhere_else) {
  fs::create_directories(folder_.path() / "model");
  const std::string outside = folder_.write("w.bin", data_);
  fs::create_symlink(outside, folder_.path() / "model/link.bin");
  fs::create_directory_symlink(folder_.path(), folder_.path() / "model/up");
  EXPECT_THAT(error_with(outside),
              EndsWith("' is an absolute path; it must lie in the model's folder"));
  EXPECT_THAT(error_with("../w.bin"), HasSubstr("leads upwards"));
  EXPECT_THAT(error_with("sub/../../w.bin"), HasSubstr("leads upwards"));
  EXPECT_THAT(error_with("link.bin"), HasSubstr("is a link to another folder"));
  EXPECT_THAT(error_with("up/w.bin"), HasSubstr("is a link to another folder"));
  EXPECT_THAT(error_with(std::string("w\0.bin", 6)), HasSubstr("holds a zero byte"));
  EXPECT_THAT(error_with(""), HasSubstr("without a location"));
}

TEST_F(ExternalData, must_hold_the_tensor) {
  fs::create_directories(folder_.path() / "model/sub");
  folder_.write("model/w.bin", data_);
  EXPECT_THAT(error_with("nothing.bin"), HasSubstr("No such file or directory"));
  EXPECT_THAT(error_with("sub"), HasSubstr("it is a folder"));
  EXPECT_THAT(error_with("w.bin", "12"),
              EndsWith("external data 'w.bin' has 16 bytes; the tensor wants 8 from offset 12"));
  EXPECT_THAT(error_with("w.bin", "18446744073709551615"), HasSubstr("has 16 bytes"));
  EXPECT_THAT(error_with("w.bin", "0", "12"),
              EndsWith("the data has 12 bytes; float32[2] needs 8"));
  EXPECT_THAT(error_with("w.bin", "-1"), HasSubstr("offset is '-1', which is no size"));
  EXPECT_THAT(error_with("w.bin", "1x"), HasSubstr("offset is '1x', which is no size"));
}

TEST_F(ExternalData, cannot_be_found_from_memory) {
  pb::ModelProto model = relu_model();
  auto* tensor = model.mutable_graph()->add_initializer();
  *tensor = tensor_of(kFloat, {2});
  tensor->set_data_location(pb::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value("w.bin");
  EXPECT_EQ(import_proto(model).message(),
            "initialiser 'w': external data 'w.bin' cannot be found for a model in memory; load "
            "the model from its file");
}

TEST(ReadTensorFile, reads_tensors_and_tells_them_from_sequences) {
  const TemporaryFolder folder;
  const pb::TensorProto tensor = float_tensor("in", {2}, {1, 2});
  const auto read_back = read_tensor_file(folder.write("t.pb", tensor.SerializeAsString()));
  ASSERT_TRUE(read_back.ok()) << read_back.status().message();
  EXPECT_EQ(read_back->name, "in");
  EXPECT_THAT(read_back->tensor.values<float>(), ElementsAre(1, 2));
  // SequenceProto: name = 1, elem_type = 2, tensor_values = 3.
  const std::string element = tensor.SerializeAsString();
  const std::string sequence =
      std::string("\x0a\x01s\x10\x01\x1a", 6) + static_cast<char>(element.size()) + element;
  const auto refused = read_tensor_file(folder.write("s.pb", sequence));
  EXPECT_EQ(refused.status().code(), Code::kNotImplemented);
  const auto empty = read_tensor_file(folder.write("e.pb", std::string("\x10\x01", 2)));
  EXPECT_EQ(empty.status().code(), Code::kNotImplemented);
  const auto broken =
      read_tensor_file(folder.write("b.pb", tensor.SerializeAsString().substr(0, 9)));
  EXPECT_EQ(broken.status().code(), Code::kInvalidModel);
}

}  // namespace
}  // namespace mini_infer
