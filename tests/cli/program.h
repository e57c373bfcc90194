// Runs the program and keeps what it printed.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "encode.h"
#include "tests/onnx/model_maker.h"
#include "tools/common.h"

namespace mini_infer::tools {

using nlohmann::json;

inline const std::string kModel = MINI_SOURCE_DIR "/tools/demo/shapes.onnx";
inline const std::string kStar = MINI_SOURCE_DIR "/tools/demo/star.png";

// y = c ? |-x| : x + x, with x [1,2] and a choice c; 3 nodes in the bodies.
inline pb::ModelProto if_model() {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", pb::TensorProto::FLOAT, {1, 2});
  set_type(graph->add_input(), "c", pb::TensorProto::BOOL, {});
  pb::NodeProto node = make_node("If", {"c"}, {"y"}, "choice");
  auto* then_branch = add_attribute(node, "then_branch", pb::AttributeProto::GRAPH)->mutable_g();
  *then_branch->add_node() = make_node("Neg", {"x"}, {"negated"}, "negate");
  *then_branch->add_node() = make_node("Abs", {"negated"}, {"size"}, "measure");
  then_branch->add_output()->set_name("size");
  auto* else_branch = add_attribute(node, "else_branch", pb::AttributeProto::GRAPH)->mutable_g();
  *else_branch->add_node() = make_node("Add", {"x", "x"}, {"twice"}, "double");
  else_branch->add_output()->set_name("twice");
  *graph->add_node() = node;
  return model;
}

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Program : public testing::Test {
 protected:
  Program()
      : folder_(std::filesystem::temp_directory_path() /
                ("mini-infer-test-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Program() override { std::filesystem::remove_all(folder_); }

  // Runs the program with these arguments; out_ and err_ are what it printed.
  int run(const std::string& arguments) {
    const std::string command =
        std::string(MINI_PROGRAM) + ' ' + arguments + " >" + file("out") + " 2>" + file("err");
    const int state = std::system(command.c_str());
    out_ = contents(file("out"));
    err_ = contents(file("err"));
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  }
  json run_json(const std::string& arguments) {
    EXPECT_EQ(run(arguments + " --json"), 0) << err_;
    return json::parse(out_, nullptr, false);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const Bytes& bytes) const {
    EXPECT_TRUE(write_bytes(file(name), bytes.data(), bytes.size()).ok());
    return file(name);
  }
  std::string save(const pb::ModelProto& model, const std::string& name = "model.onnx") const {
    const std::string bytes = model.SerializeAsString();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    return write(name, {begin, begin + bytes.size()});
  }
  // One line that begins with the program's name.
  void expect_one_line(const std::string& what) const {
    EXPECT_THAT(err_, testing::HasSubstr(what));
    EXPECT_TRUE(err_.starts_with("mini-infer: ")) << err_;
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
  }

  std::filesystem::path folder_;
  std::string out_, err_;
};

}  // namespace mini_infer::tools
