#include "tools/npy.h"

#include <gmock/gmock.h>

#include <cstring>

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// A version 1 file with this dictionary.
Bytes with_header(const std::string& dictionary, const std::string& data) {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += {static_cast<char>(dictionary.size() & 255), static_cast<char>(dictionary.size() >> 8)};
  return bytes_of(text + dictionary + data);
}

Result<Tensor> there_and_back(const Tensor& tensor) {
  MINI_TRY_ASSIGN(const Bytes file, format_npy(tensor));
  return parse_npy(file);
}

TEST(Npy, KeepsEveryType) {
  for (const DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kInt8, DType::kInt16,
        DType::kInt32, DType::kInt64, DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64,
        DType::kBool, DType::kComplex64, DType::kComplex128}) {
    Tensor tensor(dtype, {2, 3});
    std::memset(tensor.mutable_data(), 1, tensor.bytes());
    const Result<Tensor> back = there_and_back(tensor);
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->dtype(), dtype);
    EXPECT_EQ(back->shape(), tensor.shape());
    EXPECT_EQ(std::memcmp(back->data(), tensor.data(), tensor.bytes()), 0);
  }
}

TEST(Npy, ScalarsVectorsAndNothing) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3, 0, 2}}) {
    const Result<Tensor> back = there_and_back(Tensor(DType::kFloat32, shape));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->shape(), shape);
  }
}

TEST(Npy, HeaderIsAlignedAndEndsWithANewline) {
  const Result<Bytes> file = format_npy(Tensor(DType::kFloat32, {1, 2}));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((file->size() - 8) % 64, 0U);
  EXPECT_EQ((*file)[file->size() - 9], std::byte{'\n'});
}

TEST(Npy, TextAsUnicode) {
  const Tensor words = Tensor::from<std::string>({2}, {"caf\xc3\xa9", "\xf0\x9f\x90\x88"});
  const Result<Tensor> back = there_and_back(words);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->data<std::string>()[0], "caf\xc3\xa9");
  EXPECT_EQ(back->data<std::string>()[1], "\xf0\x9f\x90\x88");
}

TEST(Npy, Bfloat16BecomesFloat) {
  const Result<Tensor> back = there_and_back(Tensor::from<BFloat16>({1}, {to_bfloat16(1.5F)}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->data<float>()[0], 1.5F);
}

TEST(Npy, FortranOrderIsTransposed) {
  const Result<Tensor> tensor =
      parse_npy(with_header("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n",
                            std::string("\0\1\2\3\4\5", 6)));
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  EXPECT_THAT(tensor->values<std::uint8_t>(), testing::ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(Npy, VersionsTwoAndThreeHaveALongerSize) {
  for (const char version : {'\2', '\3'}) {
    const std::string dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
    std::string text = std::string("\x93NUMPY") + version + std::string(1, '\0');
    text += {static_cast<char>(dictionary.size()), '\0', '\0', '\0'};
    const Result<Tensor> tensor = parse_npy(bytes_of(text + dictionary + '\7'));
    ASSERT_TRUE(tensor.ok()) << tensor.status().message();
    EXPECT_EQ(tensor->data<std::uint8_t>()[0], 7);
  }
}

TEST(Npy, BrokenFilesSayWhatIsWrong) {
  const auto expect = [](const Bytes& file, const char* reason) {
    const Result<Tensor> tensor = parse_npy(file);
    ASSERT_FALSE(tensor.ok());
    EXPECT_THAT(tensor.status().message(), HasSubstr(reason));
  };
  expect({}, "does not begin");
  expect(bytes_of("\x93NUMPY"), "cut off");
  expect(bytes_of(std::string("\x93NUMPY\x01\x00\xff\xff{}", 12)), "cut off");
  expect(bytes_of(std::string("\x93NUMPY\x09\x00\x00\x00{}", 12)), "version 9");
  expect(with_header("{}", ""), "structures");
  expect(with_header("{'descr': '<f4'}", ""), "fortran_order");
  expect(with_header("{'descr': '<f4', 'fortran_order': False}", ""), "'shape'");
  expect(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2", ""), "sizes");
  expect(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", ""), "sizes");
  expect(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "1234"),
         "needs 8 bytes of data, the file has 4");
  expect(with_header("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "1234"), "'>f4'");
  expect(with_header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "1234"), "'|O'");
  expect(with_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"),
         "structures");
  expect(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, "
                     "9223372036854775807)}",
                     "1234"),
         "");
  expect(with_header("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1000000000,)}",
                     "1234"),
         "too early");
}

TEST(Npy, EveryTruncationIsRefused) {
  const Result<Bytes> file = format_npy(Tensor(DType::kInt64, {3, 5}));
  ASSERT_TRUE(file.ok());
  for (std::size_t size = 0; size < file->size(); ++size) {
    EXPECT_FALSE(parse_npy(std::span(*file).first(size)).ok()) << size;
  }
}

}  // namespace
}  // namespace mini_infer::tools
