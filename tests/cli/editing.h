// What tests of edit share: the program run on a small model, and what came out.
#pragma once

#include <mini_infer/session.h>

#include <cmath>

#include "program.h"
#include "tests/onnx/model_maker.h"

namespace mini_infer::tools {

class Editing : public Program {
 protected:
  std::string out() const { return file("out.onnx"); }
  // Edits `in` to out(); the line for the last step is what_.
  void edit(const std::string& in, const std::string& steps) {
    const json done = run_json("edit " + in + ' ' + out() + ' ' + steps);
    ASSERT_FALSE(done.is_discarded()) << err_;
    what_ = done["steps"].back()["what"];
  }
  void expect_refused(const std::string& in, const std::string& steps, const std::string& why,
                      int code = 1) {
    std::filesystem::remove(file("never.onnx"));
    EXPECT_EQ(run("edit " + in + ' ' + file("never.onnx") + ' ' + steps), code) << steps;
    expect_one_line(why);
    EXPECT_FALSE(std::filesystem::exists(file("never.onnx"))) << steps;
  }
  static ImportedModel import(const std::string& path) { return std::move(*import_file(path)); }
  static Tensor picture(const Shape& shape) {
    Tensor tensor(DType::kFloat32, shape);
    for (std::int64_t i = 0; i < tensor.elements(); ++i)
      tensor.mutable_data<float>()[i] = 3 * std::sin(0.7F * static_cast<float>(i));
    return tensor;
  }
  // The first output.
  static std::vector<float> run_model(const std::string& path, const Tensor& input) {
    const auto session = Session::load(path);
    EXPECT_TRUE(session.ok()) << session.status().message();
    const auto outputs = session->run(std::vector<Tensor>{input});
    EXPECT_TRUE(outputs.ok()) << outputs.status().message();
    const auto values = (*outputs)[0].values<float>();
    return {values.begin(), values.end()};
  }
  static void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5F) << "element " << i;
  }

  // x [2,3,6,5] -> (x - m) / s for each channel -> Conv with pads -> "features" -> Reshape to
  // [2,48] -> y
  pb::ModelProto vision(bool same_mean = false) {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {2, 3, 6, 5});
    *graph->add_initializer() = float_tensor(
        "m", {3, 1, 1}, same_mean ? std::vector<float>{2, 2, 2} : std::vector<float>{1, 2, 4});
    *graph->add_initializer() = float_tensor("s", {1, 3, 1, 1}, {2, 4, 8});
    std::vector<float> weights;
    for (int i = 0; i < 2 * 3 * 9; ++i) weights.push_back(std::cos(static_cast<float>(i)));
    *graph->add_initializer() = float_tensor("w", {2, 3, 3, 3}, weights);
    pb::TensorProto shape;
    shape.set_name("shape");
    shape.set_data_type(kInt64);
    shape.add_dims(2);
    for (const int dim : {2, 60}) shape.add_int64_data(dim);
    *graph->add_initializer() = shape;
    *graph->add_node() = make_node("Sub", {"x", "m"}, {"centred"}, "sub");
    *graph->add_node() = make_node("Div", {"centred", "s"}, {"scaled"}, "div");
    pb::NodeProto conv = make_node("Conv", {"scaled", "w"}, {"features"}, "conv");
    auto* pads = add_attribute(conv, "pads", pb::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads->add_ints(1);
    conv.set_doc_string("what it is for");
    *graph->add_node() = conv;
    *graph->add_node() = make_node("Reshape", {"features", "shape"}, {"y"}, "flat");
    return model;
  }

  std::string what_;
};

}  // namespace mini_infer::tools
