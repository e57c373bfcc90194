// doctor: what it finds in sound models and in others.
#include <limits>

#include "program.h"
#include "tests/onnx/model_maker.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Doctor : public Program {
 protected:
  // All that was said about a topic, with its level: "note: text\n".
  static std::string said(const json& page, const std::string& topic) {
    std::string text;
    for (const json& o : page["observations"]) {
      if (o["topic"] != topic) continue;
      text += o["finding"].get<std::string>() + ": " + o["text"].get<std::string>() + '\n';
    }
    return text;
  }
  json examine(const std::string& arguments, int exit_code = 0) {
    EXPECT_EQ(run("doctor --seconds 0 --json " + arguments), exit_code) << err_;
    return json::parse(out_, nullptr, false);
  }
};

TEST_F(Doctor, FindsTheDemoModelWell) {
  const json page = examine(kModel);
  EXPECT_EQ(page["runs"], true);
  EXPECT_THAT(said(page, "operators"), HasSubstr("ok: all are supported"));
  EXPECT_THAT(said(page, "precision"), HasSubstr("ok: "));
  EXPECT_GT(page["median_ms"], 0.0);
  EXPECT_GT(page["weight_bytes"], 1000);
  EXPECT_GT(page["gflop"], 0.0);
  EXPECT_THAT(page["outputs"].get<std::string>(), HasSubstr("a classifier of "));
  EXPECT_THAT(page["command"].get<std::string>(),
              AllOf(HasSubstr("mini-infer run " + kModel), HasSubstr("PICTURE.jpg")));
  EXPECT_EQ(run("doctor " + kModel + " --threads 1 --seconds 0"), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr(kModel + " runs\n"), HasSubstr("median of 1, "),
                          HasSubstr("1 thread)")));
}

TEST_F(Doctor, NamesWhatIsMissing) {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("NoSuchOp", {"x"}, {"a"}, "first");
  *model.mutable_graph()->add_node() = make_node("Relu", {"a"}, {"y"}, "second");
  const json page = examine(save(model), 1);
  EXPECT_EQ(page["runs"], false);
  EXPECT_THAT(said(page, "operators"), HasSubstr("problem: operators not implemented: NoSuchOp"));
  EXPECT_FALSE(page.contains("command"));
  EXPECT_EQ(run("doctor " + save(model)), 1);
  EXPECT_THAT(out_, HasSubstr("does not run\n"));
}

TEST_F(Doctor, SaysHowToCloseOpenDimensions) {
  const std::string file = save(relu_model());
  const json open = examine(file);
  EXPECT_THAT(said(open, "dimensions"),
              AllOf(HasSubstr("note: "), HasSubstr("leaves N1 open"), HasSubstr("--shape x=1x2")));
  EXPECT_THAT(open["command"].get<std::string>(), HasSubstr("--input x=DATA.npy"));
  const json given = examine(file + " --shape x=3x2");
  EXPECT_THAT(said(given, "dimensions"), HasSubstr("ok: "));
  EXPECT_THAT(given["command"].get<std::string>(), HasSubstr("--shape x=3x2"));
}

TEST_F(Doctor, FindsTrapsOfPrecision) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 2, 4, 4});
  for (const char* name : {"scale", "bias", "mean"})
    *graph->add_initializer() = float_tensor(name, {2}, {1, 1e6F});
  *graph->add_initializer() =
      float_tensor("var", {2}, {1, std::numeric_limits<float>::quiet_NaN()});
  pb::NodeProto norm =
      make_node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, {"y"}, "norm");
  add_attribute(norm, "epsilon", pb::AttributeProto::FLOAT)->set_f(1e-12F);
  *graph->add_node() = norm;
  const std::string text = said(examine(save(model)), "precision");
  EXPECT_THAT(text,
              HasSubstr("warning: 1 tiny epsilons 'norm' (BatchNormalization, epsilon 1e-12)"));
  EXPECT_THAT(text, HasSubstr("warning: 1 tensors of weights with NaN or infinity 'var'"));
  EXPECT_THAT(text, HasSubstr("3 constants over 65504, the first 'scale' (up to 1e+06)"));
}

TEST_F(Doctor, NamesGlueThatIsLeft) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  *graph->add_node() = make_node("NonZero", {"x"}, {"places"}, "find");
  *graph->add_node() = make_node("Shape", {"places"}, {"y"}, "measure");
  const std::string text = said(examine(save(model)), "glue");
  EXPECT_THAT(text, HasSubstr("1 Shape nodes could not be folded, the first 'measure'"));
  EXPECT_THAT(text, HasSubstr("wait for data before their shapes are known, the first 'find'"));
}

TEST_F(Doctor, RefusesWrongUseInOneLine) {
  EXPECT_EQ(run("doctor"), 2);
  expect_one_line("MODEL");
  EXPECT_EQ(run("doctor " + kModel + " --shape nothing=1x2"), 2);
  expect_one_line("nothing");
  EXPECT_EQ(run("doctor " + kModel + " --seconds -1"), 2);
  expect_one_line("--seconds");
  EXPECT_EQ(run("doctor " + file("absent.onnx")), 1);
  EXPECT_THAT(out_, HasSubstr("problem"));
}

}  // namespace
}  // namespace mini_infer::tools
