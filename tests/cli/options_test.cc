// Options of the program one by one: what each changes, and which wrong uses are refused.
#include "program.h"
#include "tools/npy.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ProgramOptions : public Program {
 protected:
  // A network that gives out what it gets: pixels [1,3,2,2] as the options made them.
  std::string copying(const std::map<std::string, std::string>& metadata = {}) {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {1, 3, 2, 2});
    *graph->add_node() = make_node("Abs", {"x"}, {"positive"}, "abs");
    *graph->add_node() = make_node("Sign", {"x"}, {"sign"}, "sign");
    *graph->add_node() = make_node("Mul", {"positive", "sign"}, {"y"}, "mul");
    for (const auto& [key, value] : metadata) {
      auto* entry = model.add_metadata_props();
      entry->set_key(key);
      entry->set_value(value);
    }
    return save(model, "copying.onnx");
  }
  // The first of each channel's pixels for a picture of red 255, green 51, blue 0.
  std::vector<float> pixels(const std::string& options, const std::string& model) {
    Image image(2, 2);
    for (int i = 0; i < 4; ++i) std::copy_n("\xff\x33", 3, image.at(i % 2, i / 2));
    write("red.png", encode_png(image));
    EXPECT_EQ(run("run " + model + ' ' + file("red.png") + " --top 0 --output " +
                  file("out_values") + ' ' + options),
              0)
        << err_;
    const Result<Bytes> npy = read_bytes(file("out_values/y.npy"));
    if (!npy.ok()) return {};
    const Result<Tensor> tensor = parse_npy(*npy);
    if (!tensor.ok()) return {};
    const float* values = tensor->data<float>();
    return {values[0], values[4], values[8]};
  }
  static auto near(float r, float g, float b) {
    return testing::Pointwise(testing::FloatNear(1e-4F), std::vector<float>{r, g, b});
  }
  void refused(const std::string& arguments, const std::string& what) {
    EXPECT_EQ(run(arguments), 2) << arguments;
    expect_one_line(what);
  }
};

TEST_F(ProgramOptions, PixelsBecomeNumbersAsAsked) {
  const std::string model = copying();
  EXPECT_THAT(pixels("", model), near(1, 0.2F, 0));
  EXPECT_THAT(pixels("--preset raw", model), near(255, 51, 0));
  EXPECT_THAT(pixels("--preset pm1", model), near(1, -0.6F, -1));
  EXPECT_THAT(pixels("--preset caffe", model), near(-104, -66, 132)) << "BGR";
  EXPECT_THAT(pixels("--scale 1", model), near(255, 51, 0));
  EXPECT_THAT(pixels("--scale 1 --mean 1,2,3", model), near(254, 49, -3));
  EXPECT_THAT(pixels("--scale 1 --std 2,1,5", model), near(127.5F, 51, 0));
  EXPECT_THAT(pixels("--color bgr", model), near(0, 0.2F, 1));
  const std::vector<float> gray = pixels("--color gray", model);
  EXPECT_EQ(gray[0], gray[2]);
  EXPECT_THAT(pixels("--layout nchw", model), near(1, 0.2F, 0));
  EXPECT_EQ(run("run " + model + ' ' + file("red.png") + " --layout nhwc"), 1);
  expect_one_line("no input of the model takes a picture");
}

TEST_F(ProgramOptions, MetadataSayWhatPixelsAre) {
  const auto with = [&](const char* range, const char* format) {
    return copying({{"Image.NominalPixelRange", range}, {"Image.BitmapPixelFormat", format}});
  };
  EXPECT_THAT(pixels("", with("NominalRange_0_255", "Bgr8")), near(0, 51, 255));
  EXPECT_THAT(pixels("", with("Normalized_1_1", "Rgb8")), near(1, -0.6F, -1));
  EXPECT_THAT(pixels("", with("Normalized_0_1", "Rgb8")), near(1, 0.2F, 0));
  EXPECT_THAT(pixels("", with("NominalRange_16_235", "Rgb8")), near(235, 59.8F, 16));
  EXPECT_THAT(pixels("", with("Nonsense", "Nonsense")), near(1, 0.2F, 0));
  EXPECT_THAT(pixels("", copying({{"mini_infer.preset", "raw"}})), near(255, 51, 0));
  const std::string bgr = with("NominalRange_0_255", "Bgr8");
  EXPECT_THAT(pixels("--preset unit", bgr), near(1, 0.2F, 0)) << "the command line decides";
  EXPECT_THAT(pixels("--color rgb", bgr), near(255, 51, 0));
  EXPECT_THAT(pixels("--scale 2", bgr), near(0, 102, 510));
}

TEST_F(ProgramOptions, PixelsAreOfPictures) {
  const std::string model = copying();
  for (const char* option : {"--preset raw", "--scale 1", "--mean 1", "--std 2", "--color bgr",
                             "--layout nchw", "--resize crop"}) {
    const std::string name = std::string(option).substr(0, std::string(option).find(' '));
    refused("run " + model + " --input 1 " + option, name + " is for pictures; none was named");
    refused("compare " + model + ' ' + option, name + " is for pictures; --input names none");
  }
  EXPECT_EQ(run("compare " + kModel + " --preset raw --input image=" + kStar), 0) << err_;
  EXPECT_EQ(run("run " + kModel + " --preset raw --input " + kStar), 0) << err_;
  refused("run " + kModel + ' ' + kStar + " --color pink", "--color");
  refused("run " + kModel + ' ' + kStar + " --layout chw", "--layout");
  refused("run " + kModel + ' ' + kStar + " --mean much", "--mean");
  refused("compare " + kModel + " --input image=" + kStar + " --resize odd", "--resize");
}

TEST_F(ProgramOptions, NumbersOutOfRangeAreRefusedInShortWords) {
  refused("run " + kModel + ' ' + kStar + " --top -1", "--top: '-1' is not a number from 0 up");
  refused("bench " + kModel + " --seconds -1", "--seconds: '-1' is not a number from 0 up");
  refused("doctor " + kModel + " --seconds nan", "--seconds: 'nan' is not a number from 0 up");
  refused("compare " + kModel + " --rtol -1", "--rtol: '-1' is not a number from 0 up");
  refused("test . --timeout 0", "--timeout: '0' is not a number above 0");
  refused("test . --threads -1", "--threads");
  refused("test . --filter", "--filter");
  refused("compare " + kModel + " --seed -1", "--seed");
  refused("compare " + kModel + " --threads 1x", "--threads");
  refused("inspect " + kModel + " --threads 5000", "--threads");
  refused("doctor " + kModel + " --threads -1", "--threads");
  refused("ops more", "more");
  refused("demo --save", "--save");
}

TEST_F(ProgramOptions, RulesForAllOptions) {
  const std::string run_star = "run " + kModel + ' ' + kStar;
  refused(run_star + " --json=5", "--json takes no value");
  refused("simplify " + kModel + ' ' + file("x.onnx") + " --keep-unused-input=3",
          "--keep-unused-input takes no value");
  for (const std::string option : {"--labels", "--out", "--output", "--tune-cache"}) {
    refused(run_star + ' ' + option + " ''", option + ": the name is empty");
  }
  refused("inspect " + kModel + " --html ''", "--html: the name is empty");
  for (const std::string option : {"--score", "--iou"}) {
    refused(run_star + ' ' + option + " nan", option + ": 'nan' is not a number from 0 to 1");
  }
  for (const std::string option : {"--mean", "--std", "--scale"}) {
    refused(run_star + ' ' + option + " 1,inf,1", option + ": 'inf' is not a finite number");
  }
  refused("bench " + kModel + " --seconds inf", "--seconds: 'inf' is not a number from 0 up");
  EXPECT_EQ(run("edit " + kModel + ' ' + file("x.onnx") + " --to-external=1024"), 0) << err_;
}

TEST_F(ProgramOptions, NothingIsGivenOrWrittenTwice) {
  EXPECT_EQ(run("run " + kModel + " --input image=1 --input 2"), 1);
  expect_one_line("--input gives input 'image' twice, the second time as '2'");
  EXPECT_EQ(run("bench " + save(relu_model()) + " --shape x=1x2 --shape x=2x2"), 1);
  expect_one_line("--shape gives input 'x' twice, the second time as '2x2'");
  std::filesystem::create_directories(file("in"));
  std::filesystem::copy_file(kStar, file("in/star.png"));
  const std::string two = "run " + kModel + ' ' + kStar + ' ' + file("in");
  EXPECT_EQ(run(two + " --output " + file("values")), 1);
  expect_one_line("would both be written to star.*.npy");
  EXPECT_EQ(run(two), 0) << err_;
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --output " + kStar + "/values"), 1);
  expect_one_line("cannot make folder");
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --labels " + kStar), 1);
  expect_one_line("is no text: it has a zero byte");
}

TEST_F(ProgramOptions, TuningMeasuresAndRemembers) {
  const std::string cache = file("cache");
  EXPECT_EQ(run("bench " + kModel + " --seconds 0 --threads 1 --tune --tune-cache " + cache), 0);
  const std::string measured = contents(cache);
  EXPECT_GT(measured.size(), 50U);
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --threads 1 --tune-cache " + cache), 0);
  EXPECT_THAT(out_, HasSubstr("3  star"));
  EXPECT_EQ(contents(cache), measured);
  EXPECT_EQ(run("inspect " + kModel + " --threads 1 --tune-cache " + cache), 0);
  EXPECT_THAT(out_, HasSubstr("tuned"));
  EXPECT_EQ(run("inspect " + kModel + " --threads 1"), 0);
  EXPECT_THAT(out_, Not(HasSubstr("tuned")));
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --tune-cache " + kStar), 0);
  expect_one_line("is no tune cache; it is ignored and left as it is");
  EXPECT_EQ(run("run " + kModel + ' ' + kStar + " --tune --tune-cache /nowhere/cache"), 0);
  expect_one_line("cannot write tune cache '/nowhere/cache'");
}

TEST_F(ProgramOptions, InspectShowsThePlanAsAsked) {
  const json all = run_json("inspect " + kModel);
  const json without = run_json("inspect " + kModel + " --disable fuse_conv_activation");
  EXPECT_GT(without["plan"]["steps"].size(), all["plan"]["steps"].size());
  EXPECT_EQ(run("inspect " + kModel + " --disable fuse_conv_activation"), 0);
  EXPECT_THAT(out_, HasSubstr("disabled"));
  refused("inspect " + kModel + " --disable fuse_conv_activatio",
          "--disable: there is no pass 'fuse_conv_activatio'; the nearest are "
          "'fuse_conv_activation'");
  EXPECT_FALSE(all.contains("graph"));
  EXPECT_THAT(run_json("inspect " + kModel + " --graph")["graph"].get<std::string>(),
              HasSubstr("FusedConv"));
  const std::string open = save(relu_model(), "open.onnx");
  EXPECT_EQ(run_json("inspect " + open)["plan"]["steps"][0]["output_shape"], "[1,2]");
  EXPECT_EQ(run_json("inspect " + open + " --shape x=5x2")["plan"]["steps"][0]["output_shape"],
            "[5,2]");
  refused("inspect " + open + " --shape z=5x2", "the model has no input 'z'");
  EXPECT_EQ(run("inspect " + open + " --shape x=5x3"), 1);
  expect_one_line("x");
}

TEST_F(ProgramOptions, InspectOfNodesNeedsNoPlan) {
  const std::string node = "inspect " + kModel + " --op Conv ";
  for (const std::string option :
       {"--memory", "--graph", "--tune", "--shape image=1x3x64x64", "--disable fold_constants",
        "--html page.html", "--tune-cache cache"}) {
    refused(node + option, "leave out " + option.substr(0, option.find(' ')));
  }
}

TEST_F(ProgramOptions, ShapesPixelsAndSecondsReachTheRun) {
  const std::string open = save(relu_model(), "open.onnx");
  EXPECT_EQ(run("run " + open + " --input 3 --shape x=5x2 --top 0"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("y  float32 [5,2]"));
  EXPECT_EQ(run("run " + open + " --input 3 --top 0"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("y  float32 [1,2]"));
  const std::string star = "compare " + kModel + " --input image=" + kStar;
  EXPECT_NE(run_json(star + " --preset raw")["rows"], run_json(star)["rows"]);
  EXPECT_EQ(run_json(star + " --preset pm1")["rows"], run_json(star)["rows"]) << "the model's own";
  EXPECT_EQ(run("doctor " + kModel + " --seconds 0"), 0);
  EXPECT_THAT(out_, HasSubstr("(median of 1, "));
  EXPECT_EQ(run("doctor " + kModel + " --seconds 0.3"), 0);
  EXPECT_THAT(out_, Not(HasSubstr("(median of 1, ")));
}

TEST_F(ProgramOptions, DemoSavesWhatItShows) {
  EXPECT_EQ(run("demo --save " + folder_.string()), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("wrote " + file("shapes.onnx")));
  EXPECT_EQ(contents(file("shapes.onnx")), contents(kModel));
  EXPECT_EQ(contents(file("star.png")), contents(kStar));
  EXPECT_EQ(run("demo --save /nowhere"), 1);
  expect_one_line("cannot write '/nowhere/shapes.onnx'");
  EXPECT_EQ(run("demo --threads 1"), 0);
  EXPECT_THAT(out_, HasSubstr(", 1 thread, "));
}

TEST_F(ProgramOptions, DoctorSaysWhichPixelsItTakes) {
  EXPECT_EQ(run("doctor " + kModel + " --seconds 0"), 0);
  EXPECT_THAT(out_, HasSubstr("pixels     as the metadata say: mini_infer.preset pm1"));
  pb::ModelProto silent;
  ASSERT_TRUE(silent.ParseFromString(contents(kModel)));
  auto& entries = *silent.mutable_metadata_props();
  for (int i = entries.size(); i-- > 0;) {
    if (entries[i].key() == "mini_infer.preset") entries.DeleteSubrange(i, 1);
  }
  EXPECT_EQ(run("doctor " + save(silent, "silent.onnx") + " --seconds 0"), 0);
  EXPECT_THAT(out_, HasSubstr("note      pixels     the file does not say which numbers"));
}

}  // namespace
}  // namespace mini_infer::tools
