// edit --opset: up and down again gives the same results, and what the old opset cannot say is
// named.
#include "editing.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Opsets : public Editing {
 protected:
  // Up to the newest, down to `opset`; true where the old one can say it.
  bool there_and_back(const std::string& in, int opset) {
    EXPECT_EQ(run("edit " + in + ' ' + file("up.onnx") + " --opset 23"), 0) << err_;
    return run("edit " + file("up.onnx") + ' ' + out() + " --opset " + std::to_string(opset)) == 0;
  }
};

TEST_F(Opsets, DownAndUpKeepTheResults) {
  const std::string in = save(vision());
  const Tensor x = picture({2, 3, 6, 5});
  for (const int opset : {7, 9, 11, 13, 17}) {
    ASSERT_TRUE(there_and_back(in, opset)) << err_;
    EXPECT_EQ(import(out()).graph.opset(), opset);
    expect_near(run_model(in, x), run_model(out(), x));
  }
}

TEST_F(Opsets, TheIrVersionFollows) {
  const std::string in = save(vision());
  const auto version = [&](const std::string& path) {
    return run_json("inspect " + path)["ir_version"].get<int>();
  };
  ASSERT_TRUE(there_and_back(in, 11)) << err_;
  EXPECT_EQ(version(file("up.onnx")), 11);
  EXPECT_EQ(version(out()), 6);
}

TEST_F(Opsets, WhatTheOldOpsetCannotSayIsNamedNodeByNode) {
  pb::ModelProto model = make_model(18);
  auto* graph = model.mutable_graph();
  pb::NodeProto first = make_node("Einsum", {"x"}, {"a"}, "first");
  add_attribute(first, "equation", pb::AttributeProto::STRING)->set_s("ij->ji");
  pb::NodeProto second = make_node("ReduceMean", {"a", "axes"}, {"y"}, "second");
  set_type(graph->add_input(), "axes", kInt64, {1});
  *graph->add_node() = first;
  *graph->add_node() = second;
  const std::string in = save(model);
  EXPECT_EQ(run("edit " + in + ' ' + out() + " --opset 11"), 1);
  EXPECT_EQ(err_,
            "mini-infer: --opset 11: node 'first' (Einsum, opset 18): cannot be said in opset 11: "
            "the operator came with opset 12\n"
            "mini-infer: --opset 11: node 'second' (ReduceMean, opset 18): cannot be said in opset "
            "11: its axes must be constant; simplify folds what can be\n");
  EXPECT_FALSE(std::filesystem::exists(out()));
  expect_refused(in, "--opset 6", "opsets from 7 to 23 can be written; 6 is too old");
  expect_refused(in, "--opset 24", "opsets from 7 to 23 can be written; 24 is too new");
}

TEST_F(Opsets, BranchesOfDifferentShapesNeedOpset11) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 2});
  set_type(graph->add_input(), "yes", pb::TensorProto::BOOL, {});
  pb::NodeProto branch = make_node("If", {"yes"}, {"y"}, "branch");
  for (const char* name : {"then_branch", "else_branch"}) {
    pb::GraphProto inner;
    inner.set_name(name);
    const char* type = name[0] == 't' ? "Neg" : "Squeeze";
    *inner.add_node() = make_node(type, {"x"}, {std::string(name) + "_y"});
    inner.add_output()->set_name(std::string(name) + "_y");
    *add_attribute(branch, name, pb::AttributeProto::GRAPH)->mutable_g() = inner;
  }
  *graph->add_node() = branch;
  edit(save(model), "--opset 11");
  expect_refused(save(model), "--opset 10", "its branches give ranks 2 and 1");
}

// Models as exporters write them.
TEST_F(Opsets, SharedModelsKeepTheirResults) {
  const std::string shared = MINI_SHARED;
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no models in " << shared;
  struct Case {
    const char* folder;
    int oldest;
  };
  for (const auto& [folder, oldest] :
       {Case{"models/yolo_fastestv2_coco", 7}, Case{"models/license_plate_rec", 7},
        Case{"models/super_resolution_pt_depthtospace", 11}, Case{"models/qlstm_scan", 10},
        Case{"cases/transformer_block_opset17", 9}, Case{"cases/focus_silu_opset13", 9},
        Case{"cases/loop_scripted", 11}, Case{"cases/squeeze_if_dynamic", 11}}) {
    const std::string in = shared + '/' + folder + "/model.onnx";
    SCOPED_TRACE(in);
    for (const int opset : {oldest, 13}) {
      ASSERT_TRUE(there_and_back(in, opset)) << err_;
      EXPECT_EQ(run("compare " + in + ' ' + out()), 0) << out_ << err_;
    }
  }
}

}  // namespace
}  // namespace mini_infer::tools
