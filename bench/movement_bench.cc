// Operators that move float32 data, on one thread.
#include <string>
#include <vector>

#include "bench/measure.h"
#include "kernels/op.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

struct Case {
  std::string name;
  std::string type;
  Shape x, y;
  Attributes attributes;
  std::vector<Tensor> parameters;  // further inputs, constant; an empty one is left out
  std::string domain;
  Layout layout = Layout::kPlain, to = Layout::kPlain;  // of x and y
};

constexpr std::int64_t kMostLanes = 16;

Tensor ints(const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

std::vector<Case> cases() {
  const Attributes nearest = {{"mode", "nearest"},
                              {"coordinate_transformation_mode", "asymmetric"},
                              {"nearest_mode", "floor"}};
  const Shape map{1, 64, 80, 80}, twice{1, 64, 160, 160};
  return {
      {"transpose_nchw_nhwc", "Transpose", map, {1, 80, 80, 64}, {{"perm", Ints{0, 2, 3, 1}}}},
      {"transpose_nhwc_nchw", "Transpose", {1, 80, 80, 64}, map, {{"perm", Ints{0, 3, 1, 2}}}},
      {"transpose_boxes",
       "Transpose",
       {1, 3, 85, 40, 40},
       {1, 3, 40, 40, 85},
       {{"perm", Ints{0, 1, 3, 4, 2}}}},
      {"channels_last_boxes",
       "ChannelsLast",
       {1, 255, 40, 40},
       {1, 3, 40, 40, 85},
       {{"groups", std::int64_t{3}}},
       {},
       std::string(kInternalDomain),
       Layout::kBlocked},
      {"channels_first",
       "ChannelsFirst",
       {1, 80, 80, 64},
       map,
       {{"pixels", Ints{80, 80}}},
       {},
       std::string(kInternalDomain),
       Layout::kPlain,
       Layout::kBlocked},
      {"transpose_heads",
       "Transpose",
       {1, 128, 12, 64},
       {1, 12, 128, 64},
       {{"perm", Ints{0, 2, 1, 3}}}},
      {"transpose_rgb",
       "Transpose",
       {1, 640, 640, 3},
       {1, 3, 640, 640},
       {{"perm", Ints{0, 3, 1, 2}}}},
      {"transpose_shuffle",
       "Transpose",
       {1, 2, 58, 28, 28},
       {1, 58, 2, 28, 28},
       {{"perm", Ints{0, 2, 1, 3, 4}}}},
      {"depth_to_space",
       "DepthToSpace",
       {1, 256, 40, 40},
       {1, 64, 80, 80},
       {{"blocksize", std::int64_t{2}}, {"mode", "CRD"}}},
      {"focus",
       "Focus",
       {1, 3, 640, 640},
       {1, 12, 320, 320},
       {{"block", std::int64_t{2}}, {"order", Ints{0, 2, 1, 3}}},
       {},
       std::string(kInternalDomain)},
      {"resize_nearest_x2",
       "Resize",
       map,
       twice,
       nearest,
       {Tensor(), Tensor(), ints(twice.dims())}},
      {"resize_linear_x2",
       "Resize",
       map,
       twice,
       {{"mode", "linear"}},
       {Tensor(), Tensor(), ints(twice.dims())}},
      {"resize_linear_odd",
       "Resize",
       map,
       {1, 64, 111, 97},
       {{"mode", "linear"}},
       {Tensor(), Tensor(), ints({1, 64, 111, 97})}},
      {"resize_cubic_x2",
       "Resize",
       map,
       twice,
       {{"mode", "cubic"}},
       {Tensor(), Tensor(), ints(twice.dims())}},
      {"pad_constant", "Pad", map, {1, 64, 82, 82}, {}, {ints({0, 0, 1, 1, 0, 0, 1, 1})}},
      {"pad_reflect",
       "Pad",
       map,
       {1, 64, 82, 82},
       {{"mode", "reflect"}},
       {ints({0, 0, 1, 1, 0, 0, 1, 1})}},
      {"slice_step2",
       "Slice",
       twice,
       map,
       {},
       {ints({0, 0}), ints({INT32_MAX, INT32_MAX}), ints({2, 3}), ints({2, 2})}},
      {"slice_rows", "Slice", twice, {1, 64, 160, 80}, {}, {ints({40}), ints({120}), ints({3})}},
      {"expand", "Expand", {1, 64, 1, 1}, map, {}, {ints(map.dims())}},
  };
}

Result<PreparedKernel> prepare(const Case& c, Isa isa, Node& node) {
  node.name = c.name;
  node.domain = c.domain;
  node.op_type = c.type;
  node.attributes = c.attributes;
  node.opset = c.domain.empty() ? 18 : 1;
  std::vector<PrepareInput> inputs = {
      {.present = true, .dtype = DType::kFloat32, .shape = c.x, .layout = c.layout}};
  for (const Tensor& parameter : c.parameters) {
    inputs.push_back({.present = !parameter.empty(),
                      .dtype = parameter.dtype(),
                      .shape = parameter.shape(),
                      .constant = parameter.empty() ? nullptr : &parameter});
  }
  const OpDef* op = op_registry().find(node.domain, node.op_type, node.opset);
  if (op == nullptr) return Status(Code::kInternal, "no such operator");
  PrepareContext::Environment environment;
  environment.isa = isa;
  PrepareContext context(
      node, std::move(inputs),
      {{.present = true, .dtype = DType::kFloat32, .shape = c.y, .layout = c.to}}, environment);
  return op->prepare(context);
}

void run_case(benchmark::State& state, const Case& c, Isa isa) {
  Node node;
  const auto kernel = prepare(c, isa, node);
  if (!kernel.ok()) {
    state.SkipWithError(kernel.status().message().c_str());
    return;
  }
  Shape stored = c.x;
  if (c.layout == Layout::kBlocked)
    stored[1] = (stored[1] + kMostLanes - 1) / kMostLanes * kMostLanes;
  Tensor x(DType::kFloat32, stored), y(DType::kFloat32, c.y);
  Tensor scratch(DType::kUInt8, {static_cast<std::int64_t>(kernel->scratch_bytes)});
  const void* inputs[5] = {x.data()};
  for (std::size_t i = 0; i < c.parameters.size(); ++i) inputs[i + 1] = c.parameters[i].data();
  void* outputs[1] = {y.mutable_data()};
  KernelContext context;
  context.inputs = {inputs, c.parameters.size() + 1};
  context.outputs = outputs;
  context.scratch = static_cast<std::byte*>(scratch.mutable_data());
  measure_bytes(state, static_cast<double>(x.bytes() + y.bytes()), [&] {
    const Status status = kernel->run(context);
    if (!status.ok()) state.SkipWithError(status.message().c_str());
  });
  state.SetLabel(kernel->name);
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  return mini_infer::run_benchmarks(argc, argv, [](mini_infer::Isa isa) {
    for (const auto& c : mini_infer::cases()) {
      mini_infer::add_benchmark(
          isa, c.name, [=](benchmark::State& state) { mini_infer::run_case(state, c, isa); });
    }
  });
}
