// The program as its user sees it: what it prints and the exit code.
#include "program.h"

#include <filesystem>

#include "tools/npy.h"

namespace mini_infer::tools {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST_F(Program, HelpEverywhereWithAnExample) {
  for (const char* command : {"", "run", "test", "bench", "compare", "doctor", "edit", "inspect",
                              "simplify", "ops", "demo", "completion", "man"}) {
    EXPECT_EQ(run(std::string(command) + " --help"), 0);
    EXPECT_THAT(out_, HasSubstr("Example")) << command;
    EXPECT_THAT(out_, HasSubstr(std::string("mini-infer ") + command)) << command;
  }
  EXPECT_EQ(run("--version"), 0);
  EXPECT_THAT(out_, MatchesRegex("mini-infer [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(Program, WrongUsageIsTwo) {
  const std::pair<std::string, const char*> wrong[] = {
      {"", "subcommand"},
      {"dance", "dance"},
      {"run", "MODEL"},
      {"run " + kModel + " --bogus", "--bogus"},
      {"bench", "MODEL"},
      {"run " + kModel + " --preset best", "--preset"},
      {"run " + kModel + " --shape 1x3xbig " + kStar, "1x3xbig"},
      {"demo --threads 100000", "--threads"},
      {"test . --atol some", "--atol takes a number or auto"},
      {"run " + kModel + " --threads many", "--threads"},
      {"bench " + kModel + " --streams 0", "--streams"},
      {"bench " + kModel + " --batch -1", "--batch"},
      {"bench " + kModel + " --throughput --profile", "--throughput"},
  };
  for (const auto& [arguments, what] : wrong) {
    EXPECT_EQ(run(arguments), 2) << arguments;
    expect_one_line(what);
  }
}

TEST_F(Program, FailedWorkIsOne) {
  const std::string text = write("text.txt", Bytes(10, std::byte{'x'}));
  const std::pair<std::string, const char*> failing[] = {
      {"run /nowhere/model.onnx", "/nowhere/model.onnx"},
      {"inspect " + text, "text.txt"},
      {"bench /nowhere/model.onnx", "/nowhere/model.onnx"},
      {"bench " + kModel + " --batch 8", "'image' has shape [1,3,64,64]; an input must leave its"},
      {"test /nowhere", "/nowhere"},
      {"test " + folder_.string(), "no model.onnx"},
      {"run " + kModel + " /nowhere/cat.jpg", "/nowhere/cat.jpg"},
      {"run " + kModel + ' ' + text, "neither a JPEG nor a PNG"},
      {"run " + kModel, "input image (float32 [1,3,64,64]) has no value"},
      {"run " + kModel + " --input picture=" + kStar, "no input 'picture'"},
      {"run " + kModel + ' ' + kStar + " --labels /nowhere/labels", "/nowhere/labels"},
      {"run " + kModel + ' ' + kStar + " --input image=" + kStar, "no --input already"},
      {"run " + kModel + ' ' + kStar + " --shape 1x3x32x32", "[1,3,32,32]"},
  };
  for (const auto& [arguments, what] : failing) {
    EXPECT_EQ(run(arguments), 1) << arguments;
    expect_one_line(what);
  }
}

TEST_F(Program, DemoNamesTheShape) {
  EXPECT_EQ(run("demo"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("The picture shows a star."));
  EXPECT_THAT(out_, HasSubstr(" ms "));
  EXPECT_EQ(err_, "");
}

TEST_F(Program, RunClassifiesAPicture) {
  EXPECT_EQ(run("run " + kModel + ' ' + kStar), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("160x160 -> 64x64"));
  EXPECT_THAT(out_, HasSubstr("3  star"));
  const json result = run_json("run " + kModel + ' ' + kStar + " --threads 1 --top 2");
  EXPECT_EQ(result["threads"], 1);
  ASSERT_EQ(result["results"][0]["top"].size(), 2U);
  EXPECT_EQ(result["results"][0]["top"][0]["label"], "star");
  EXPECT_GT(result["results"][0]["top"][0]["probability"], 0.8);
  EXPECT_EQ(result["results"][0]["outputs"][0]["shape"], json({1, 8}));
}

TEST_F(Program, RunGoesOnAfterABrokenPicture) {
  EXPECT_EQ(run("run " + kModel + " /nowhere/cat.jpg " + kStar), 1);
  expect_one_line("/nowhere/cat.jpg");
  EXPECT_THAT(out_, HasSubstr("star"));
}

TEST_F(Program, RunWritesAndReadsNpy) {
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --output " + file("out1")), 0) << err_;
  const Result<Bytes> npy = read_bytes(file("out1/probabilities.npy"));
  ASSERT_TRUE(npy.ok());
  const Result<Tensor> tensor = parse_npy(*npy);
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->shape(), Shape({1, 8}));
  EXPECT_GT(tensor->data<float>()[3], 0.8F);

  ASSERT_TRUE(write_npy(file("in.npy"), Tensor(DType::kFloat32, {1, 3, 64, 64})).ok());
  EXPECT_EQ(run("run " + kModel + " --input image=" + file("in.npy") + " --top 0"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("probabilities  float32 [1,8]  min "));
  EXPECT_EQ(run("run " + kModel + " --input 0.5"), 0) << err_;

  ASSERT_TRUE(write_npy(file("wrong.npy"), Tensor(DType::kFloat32, {1, 3, 64, 63})).ok());
  EXPECT_EQ(run("run " + kModel + " --input image=" + file("wrong.npy")), 1);
  expect_one_line("[1,3,64,63]");
  ASSERT_TRUE(write_npy(file("wrong.npy"), Tensor(DType::kFloat64, {1, 3, 64, 64})).ok());
  EXPECT_EQ(run("run " + kModel + " --input image=" + file("wrong.npy")), 1);
  expect_one_line("float64");
}

TEST_F(Program, InspectSaysWhatAModelIs) {
  EXPECT_EQ(run("inspect " + kModel), 0) << err_;
  for (const char* what : {"opset 13", "input   image (float32 [1,3,64,64])",
                           "output  probabilities", "Conv", "MACs", "passes"}) {
    EXPECT_THAT(out_, HasSubstr(what));
  }
  const json result = run_json("inspect " + kModel);
  EXPECT_EQ(result["operators"]["Conv"], 5);
  EXPECT_EQ(result["metadata"]["mini_infer.preset"], "pm1");
  EXPECT_GT(result["parameters"], 1000);
  EXPECT_FALSE(result["plan"]["steps"].empty());
}

TEST_F(Program, OpsListsOperators) {
  EXPECT_EQ(run("ops"), 0);
  EXPECT_THAT(out_, HasSubstr("Conv"));
  EXPECT_THAT(out_, HasSubstr("operators\n"));
  EXPECT_GT(run_json("ops").size(), 5U);
}

TEST_F(Program, PhotographsAreRecognised) {
  const std::string shared = MINI_SHARED;
  const std::string model = shared + "/models/squeezenet_fp16_winml/model.onnx";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " does not exist";
  const json result =
      run_json("run " + model + ' ' + shared + "/images/tiger_cat.jpg " + shared +
               "/images/dog.jpg " + shared + "/images/wolves.jpg --preset caffe --labels " +
               shared + "/labels/imagenet_1000_synset_words.txt");
  const auto best = [&](std::size_t i) { return result["results"][i]["top"][0]; };
  EXPECT_THAT(best(0)["label"].get<std::string>(),
              testing::AnyOf("tiger cat", "tabby, tabby cat", "Egyptian cat"));
  EXPECT_EQ(best(1)["label"], "golden retriever");
  EXPECT_GE(best(1)["probability"], 0.98);
  EXPECT_THAT(best(2)["label"].get<std::string>(), HasSubstr("white wolf"));
  EXPECT_GE(best(2)["probability"], 0.9);
}

// A backend-test folder with the demo's network: input_0.pb and output_0.pb are written field by
// field.
class BackendTest : public Program {
 protected:
  // A TensorProto of floats with small extents.
  static Bytes tensor_pb(const std::vector<int>& dims, const std::vector<float>& values) {
    std::string pb;
    const auto varint = [&](std::size_t n) {
      for (; n > 127; n >>= 7) pb += static_cast<char>(n | 128);
      pb += static_cast<char>(n);
    };
    for (const int dim : dims) {
      pb += '\x08';
      varint(static_cast<std::size_t>(dim));
    }
    pb += "\x10\x01\x4a";  // data_type float, raw_data
    varint(values.size() * 4);
    pb.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    const auto* begin = reinterpret_cast<const std::byte*>(pb.data());
    return {begin, begin + pb.size()};
  }

  std::string make_test(const std::string& name, float shift) {
    const std::filesystem::path set = folder_ / "tests" / name / "test_data_set_0";
    std::filesystem::create_directories(set);
    std::filesystem::copy_file(kModel, set.parent_path() / "model.onnx");
    write("tests/" + name + "/test_data_set_0/input_0.pb",
          tensor_pb({1, 3, 64, 64}, std::vector<float>(3 * 64 * 64, 0.25F)));
    EXPECT_EQ(run("run " + kModel + " --input 0.25 --output " + file("expected")), 0);
    const Result<Bytes> npy = read_bytes(file("expected/probabilities.npy"));
    EXPECT_TRUE(npy.ok());
    const Result<Tensor> tensor = parse_npy(*npy);
    std::vector<float> values(tensor->data<float>(), tensor->data<float>() + 8);
    values[5] += shift;
    write("tests/" + name + "/test_data_set_0/output_0.pb", tensor_pb({1, 8}, values));
    return file("tests");
  }
};

TEST_F(BackendTest, PassedFailedSkipped) {
  make_test("right", 0);
  make_test("wrong", 0.5F);
  const std::string tests = make_test("broken", 0);
  write("tests/broken/model.onnx", Bytes(100, std::byte{1}));
  std::filesystem::create_directories(folder_ / "tests/empty");
  std::filesystem::copy_file(kModel, folder_ / "tests/empty/model.onnx");

  make_test("sequence", 0);
  // A SequenceProto: the type of its elements, and one tensor.
  write("tests/sequence/test_data_set_0/input_0.pb",
        {std::byte{0x10}, std::byte{1}, std::byte{0x1a}, std::byte{2}, std::byte{0x10},
         std::byte{1}});

  EXPECT_EQ(run("test " + tests), 1);
  EXPECT_THAT(out_, EndsWith("\n1 passed, 2 failed, 2 skipped\n"));
  EXPECT_THAT(out_, HasSubstr("holds a sequence or an optional"));
  EXPECT_THAT(out_, HasSubstr("wrong: test_data_set_0: output 'probabilities': "));
  EXPECT_THAT(out_, HasSubstr("the worst at [0,5]"));
  EXPECT_THAT(out_, HasSubstr("broken: "));
  EXPECT_EQ(run("test " + tests + " --filter right"), 0);
  EXPECT_EQ(out_, "1 passed, 0 failed, 0 skipped\n");
  EXPECT_EQ(run("test " + tests + " --filter right --verbose"), 0);
  EXPECT_THAT(out_, HasSubstr("right: load "));
  EXPECT_EQ(run("test " + tests + " --filter rihgt"), 1);
  expect_one_line("none of the 5 tests has 'rihgt' in its path");
  EXPECT_EQ(run("test " + tests + " --filter right --timeout 1e-6"), 1);
  EXPECT_THAT(out_, HasSubstr("0 passed, 1 failed"));
  EXPECT_EQ(run("test " + tests + " --filter wrong --atol 1"), 0);
  EXPECT_EQ(run("test " + tests + " --filter wrong --rtol 1e6"), 0) << out_;
  EXPECT_EQ(run("test " + tests + " --filter wrong --rtol 1e-3"), 1);
  EXPECT_EQ(run("test " + tests + " --filter right --atol auto --rtol 0 --in-process --threads 1"),
            0)
      << out_;
  EXPECT_EQ(run("test " + tests + " --json"), 1);
  const json result = json::parse(out_, nullptr, false);
  EXPECT_EQ(result["failed"], 2);
  EXPECT_EQ(result["tests"].size(), 5U);
}

}  // namespace
}  // namespace mini_infer::tools
