// run --task and its options as a user sees them, on small models made here.
#include "../cli/program.h"

#include "tests/onnx/model_maker.h"
#include "tools/preprocess.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

// A model with the input images [1,3,64,64] whose outputs are constants.
struct Constant {
  std::string name;
  std::vector<int> dims;
  std::vector<float> values;
};

class TaskProgram : public Program {
 protected:
  std::string write_model(const std::string& name, const std::vector<Constant>& outputs) {
    pb::ModelProto model = make_model();
    pb::GraphProto& graph = *model.mutable_graph();
    set_type(graph.mutable_input(0), "images", kFloat, {1, 3, 64, 64});
    graph.clear_output();
    for (const Constant& output : outputs) {
      *graph.add_initializer() = float_tensor(output.name + "_value", output.dims, output.values);
      *graph.add_node() = make_node("Identity", {output.name + "_value"}, {output.name});
      set_type(graph.add_output(), output.name, kFloat, output.dims);
    }
    const std::string bytes = model.SerializeAsString();
    EXPECT_TRUE(write_bytes(file(name), bytes.data(), bytes.size()).ok());
    return file(name);
  }

  // Two boxes of class 1, which overlap by 0.6, and one of class 0.
  std::string detector() {
    Constant output{"output0", {1, 6, 84}, std::vector<float>(6 * 84)};
    const float boxes[3][6] = {
        {20, 20, 16, 16, 0, 0.9F}, {24, 20, 16, 16, 0, 0.6F}, {50, 50, 10, 20, 0.3F, 0}};
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t c = 0; c < 6; ++c) output.values[c * 84 + i] = boxes[i][c];
    }
    return write_model("detector.onnx", {output});
  }

  std::string copying() {
    pb::ModelProto model = make_model();
    set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, 3, 64, 64});
    set_type(model.mutable_graph()->mutable_output(0), "y", kFloat, {1, 3, 64, 64});
    *model.mutable_graph()->add_node() = make_node("Identity", {"x"}, {"y"});
    const std::string bytes = model.SerializeAsString();
    EXPECT_TRUE(write_bytes(file("copy.onnx"), bytes.data(), bytes.size()).ok());
    return file("copy.onnx");
  }

  std::size_t objects(const std::string& options) {
    return run_json("run " + detector() + ' ' + square() + ' ' + options)["results"][0]["objects"]
        .size();
  }
  std::string square() { return write("square.png", encode_png(gradient(64, 64))); }
};

TEST_F(TaskProgram, ScoreAndIouChangeWhatIsFound) {
  EXPECT_EQ(objects(""), 2U);
  EXPECT_EQ(objects("--score 0.5"), 1U);
  EXPECT_EQ(objects("--iou 0.7"), 3U);
  EXPECT_EQ(objects("--score 0.95"), 0U);
}

TEST_F(TaskProgram, TheReportNamesWhatWasFound) {
  EXPECT_EQ(run("run " + detector() + ' ' + square()), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("detect (yolov8)"));
  EXPECT_THAT(out_, HasSubstr("0.900  class 1  12.0  12.0   28.0    28.0"));
  const std::string text = "bird\nfish\n";
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  const std::string labels = write("labels", Bytes(bytes, bytes + text.size()));
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --labels " + labels), 0);
  EXPECT_THAT(out_, HasSubstr("fish"));
  EXPECT_EQ(err_, "");
  const std::string one = write("one", Bytes(3, std::byte{'x'}));
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --labels " + one), 0);
  EXPECT_THAT(err_, HasSubstr("there are 1 labels, but output 'output0' has 2 classes"));
}

TEST_F(TaskProgram, TaskNoneAndTopZeroGiveTheOutputs) {
  for (const char* option : {"--task none", "--top 0"}) {
    EXPECT_EQ(run("run " + detector() + ' ' + square() + ' ' + option), 0) << err_;
    EXPECT_THAT(out_, HasSubstr("output0  float32 [1,6,84]")) << option;
    EXPECT_THAT(out_, Not(HasSubstr("detect"))) << option;
  }
}

TEST_F(TaskProgram, TasksThatDoNotFitAreRefused) {
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --task depth"), 1);
  EXPECT_THAT(err_, HasSubstr("no known depth head"));
  EXPECT_THAT(err_, HasSubstr("output0 (float32 [1,6,84])"));
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --task detect"), 1);
  EXPECT_THAT(err_, HasSubstr("no known detect head"));
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --head yolox"), 1);
  EXPECT_THAT(err_, HasSubstr("no known yolox head"));
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --task classify"), 1);
  expect_one_line("--task classify: the output is float32 [1,6,84]; scores of classes are");
}

TEST_F(TaskProgram, ClassifyAndEmbed) {
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --task classify"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("3  star"));
  const json result = run_json("run " + kModel + ' ' + kStar + " --task embed");
  EXPECT_EQ(result["results"][0]["vector"].size(), 8U);
  EXPECT_EQ(result["results"][0]["task"], "embed");
}

TEST_F(TaskProgram, HeadDecidesWhatIsAmbiguous) {
  Constant output{"output", {1, 84, 7}, std::vector<float>(84 * 7)};
  const std::string model = write_model("yolo.onnx", {output});
  EXPECT_EQ(run_json("run " + model + ' ' + square())["results"][0]["head"], "yolox");
  EXPECT_EQ(run_json("run " + model + ' ' + square() + " --head yolov6")["results"][0]["head"],
            "yolov6");
  EXPECT_EQ(run_json("run " + model + ' ' + square() + " --head yolov8")["results"][0]["head"],
            "yolov8");
}

TEST_F(TaskProgram, WrongUsageIsTwo) {
  const std::string base = "run " + detector() + ' ' + square() + ' ';
  const std::pair<std::string, const char*> wrong[] = {
      {base + "--task dance", "--task"},
      {base + "--head yolov99", "--head"},
      {base + "--resize middle", "--resize"},
      {base + "--score 1.5", "--score"},
      {base + "--iou -1", "--iou"},
      {base + "--task none --score 0.5", "--score means nothing with --task none"},
      {base + "--task classify --iou 0.5", "--iou means nothing with --task classify"},
      {base + "--task none --out " + file("a.png"), "--out means nothing with --task none"},
      {base + "--task none --head yolox", "--head means nothing with --task none"},
      {base + "--out " + file("a.gif"), "written as .png, .jpg or .jpeg"},
      {base + square() + " --out " + file("a.png"), "names one file for several pictures"},
      {"run " + detector() + " --input images=0 --out a.png", "--out is for pictures"},
      {"run " + detector() + " --input images=0 --task detect", "--task detect is for pictures"}};
  for (const auto& [arguments, what] : wrong) {
    EXPECT_EQ(run(arguments), 2) << arguments;
    expect_one_line(what);
  }
}

TEST_F(TaskProgram, OutDrawsIntoAFile) {
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --out " + file("drawn.png")), 0) << err_;
  const Image before = gradient(64, 64);
  const Result<Image> after = read_image(file("drawn.png"));
  ASSERT_TRUE(after.ok());
  EXPECT_NE(0, std::memcmp(before.at(28, 25), after->at(28, 25), 3)) << "the edge of a box";
  EXPECT_EQ(0, std::memcmp(before.at(5, 60), after->at(5, 60), 3));
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --out " + file("none.png")), 1);
  EXPECT_THAT(err_, HasSubstr("--out " + file("none.png") + ": no known head:"));
  EXPECT_FALSE(std::filesystem::exists(file("none.png")));
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --out " + square()), 1);
  expect_one_line("would be overwritten");
  EXPECT_EQ(run("run " + detector() + ' ' + square() + " --out /nowhere/a.png"), 1);
  expect_one_line("/nowhere/a.png");
}

TEST_F(TaskProgram, PicturesPassThroughUnchanged) {
  EXPECT_EQ(run("run " + copying() + ' ' + square() + " --out " + file("copy.png")), 0) << err_;
  EXPECT_EQ(read_image(file("copy.png"))->pixels, gradient(64, 64).pixels);
  // Whatever the numbers between, they lead back.
  EXPECT_EQ(run("run " + copying() + ' ' + square() + " --preset imagenet --color bgr --out " +
                file("copy.png")),
            0);
  EXPECT_EQ(read_image(file("copy.png"))->pixels, gradient(64, 64).pixels);
}

TEST_F(TaskProgram, FoldersInAndOut) {
  std::filesystem::create_directories(file("in"));
  write("in/b.png", encode_png(gradient(64, 64)));
  write("in/a.JPG", encode_jpeg(gradient(80, 64)));
  write("in/notes.txt", Bytes(4, std::byte{'x'}));
  EXPECT_EQ(run("run " + detector() + ' ' + file("in") + " --out " + file("out_pictures")), 0)
      << err_;
  EXPECT_LT(out_.find("a.JPG"), out_.find("b.png"));
  EXPECT_THAT(out_, HasSubstr("2 pictures, "));
  EXPECT_THAT(out_, HasSubstr(" images/s"));
  EXPECT_EQ(read_image(file("out_pictures/a.JPG"))->width, 80);
  EXPECT_EQ(read_image(file("out_pictures/b.png"))->width, 64);
  const json result = run_json("run " + detector() + ' ' + file("in"));
  EXPECT_EQ(result["results"].size(), 2U);
  EXPECT_GT(result["images_per_second"], 0);

  std::filesystem::create_directories(file("empty"));
  EXPECT_EQ(run("run " + detector() + ' ' + file("empty")), 1);
  expect_one_line("holds no .png, .jpg or .jpeg");
  EXPECT_EQ(run("run " + detector() + ' ' + file("in") + " --out " + file("in")), 1);
  expect_one_line("would be overwritten");
  std::filesystem::create_directories(file("other"));
  write("other/b.png", encode_png(gradient(64, 64)));
  EXPECT_EQ(run("run " + detector() + ' ' + file("in/b.png") + ' ' + file("other/b.png") +
                " --out " + file("both")),
            1);
  expect_one_line("would both be written to");
}

TEST_F(TaskProgram, ResizeCornerIsAnOption) {
  const std::string wide = write("wide.png", encode_png(gradient(64, 32)));
  EXPECT_EQ(run("run " + copying() + ' ' + wide + " --resize corner --out " + file("c.png")), 0);
  const Result<Image> copy = read_image(file("c.png"));
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->height, 32) << "the grey part is cut off";
  EXPECT_EQ(copy->pixels, gradient(64, 32).pixels);
}

TEST(PixelDefaults, WhoSaysAnythingAboutNumbersSaysAll) {
  const PixelOptions family{.scale = {1},
                            .mean = {127},
                            .std = {128},
                            .color = Color::kBgr,
                            .fit = Fit::kCorner,
                            .open_side = 96,
                            .most_side = 500};
  const PixelOptions all = with_defaults({}, family);
  EXPECT_EQ(all.mean, std::vector<double>{127});
  EXPECT_EQ(all.color, Color::kBgr);
  EXPECT_EQ(all.fit, Fit::kCorner);
  const PixelOptions mean = with_defaults({.mean = {5}}, family);
  EXPECT_EQ(mean.mean, std::vector<double>{5});
  EXPECT_TRUE(mean.std.empty());
  EXPECT_EQ(mean.color, Color::kBgr);
  const PixelOptions preset = with_defaults({.preset = "imagenet", .fit = Fit::kCrop}, family);
  EXPECT_TRUE(preset.mean.empty());
  EXPECT_FALSE(preset.color) << "the preset's own";
  EXPECT_EQ(preset.fit, Fit::kCrop);
  EXPECT_EQ(with_defaults({.color = Color::kRgb}, family).color, Color::kRgb);
}

TEST(PixelDefaults, SizesOfOpenInputs) {
  ValueInfo input{.name = "x", .dtype = DType::kFloat32, .dims = std::vector<DimInfo>()};
  for (const std::int64_t dim : {1, 3, -1, -1}) input.dims->push_back({dim, ""});
  const auto planned = [&](const PixelOptions& options) {
    return plan_picture(input, {}, options, Image(1000, 500))->shape();
  };
  EXPECT_EQ(planned({}), Shape({1, 3, 480, 992}));
  EXPECT_EQ(planned({.open_side = 320}), Shape({1, 3, 320, 320}));
  EXPECT_EQ(planned({.most_side = 640}), Shape({1, 3, 320, 640}));
  EXPECT_EQ(planned({.most_side = 2000}), Shape({1, 3, 480, 992}));
}

}  // namespace
}  // namespace mini_infer::tools
