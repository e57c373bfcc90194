#include "tests/support/op_test.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/ir/constants.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

// Calls move(plain, lane) for the places of every element in [N,C,...] and
// [N][ceil(C/c)][...][c]; plain is -1 for the lanes past C.
template <class Move>
void for_each_lane(const Shape& shape, int block, Move&& move) {
  const std::int64_t channels = shape[1], inner = shape.elements(2, shape.rank());
  const std::int64_t blocks = (channels + block - 1) / block;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t c = 0; c < blocks * block; ++c) {
      for (std::int64_t i = 0; i < inner; ++i) {
        const std::int64_t lane = ((n * blocks + c / block) * inner + i) * block + c % block;
        move(c < channels ? (n * channels + c) * inner + i : -1, lane);
      }
    }
  }
}

Tensor to_blocked(const Tensor& plain, int block) {
  Tensor out(DType::kFloat32, {blocked_elements(plain.shape(), block)});
  for_each_lane(plain.shape(), block, [&](std::int64_t from, std::int64_t lane) {
    out.mutable_data<float>()[lane] = from < 0 ? std::nanf("") : plain.data<float>()[from];
  });
  return out;
}

Tensor to_plain(const Tensor& blocked, const Shape& shape, int block) {
  Tensor out(DType::kFloat32, shape);
  for_each_lane(shape, block, [&](std::int64_t to, std::int64_t lane) {
    if (to >= 0) out.mutable_data<float>()[to] = blocked.data<float>()[lane];
  });
  return out;
}

bool contains(const std::vector<std::size_t>& list, std::size_t i) {
  return std::find(list.begin(), list.end(), i) != list.end();
}

// The node in a graph of its own, inferred.
struct OneNode {
  Graph graph;
  NodeId id = kNoNode;
  const Node& node() const { return graph.node(id); }
};

Result<OneNode> build(const OpCase& op) {
  OneNode one;
  one.graph.opsets[op.domain] = op.opset;
  Node node{.name = op.type + "_0", .domain = op.domain, .op_type = op.type};
  node.attributes = op.attributes;
  node.opset = op.opset;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const Tensor& in = op.inputs[i];
    const std::string name = "x" + std::to_string(i);
    ValueId value = kNoValue;
    if (contains(op.constants, i)) {
      value = one.graph.add_constant(name, in);
    } else if (!in.empty()) {
      value = one.graph.add_input(name, in.dtype(), SymShape(in.shape()));
    }
    node.inputs.push_back(value);
  }
  for (std::size_t i = 0; i < op.outputs; ++i) {
    node.outputs.push_back(one.graph.add_value("y" + std::to_string(i)));
  }
  one.id = one.graph.add_node(std::move(node));
  MINI_TRY(infer_node(one.graph, one.id, op_registry()));
  return one;
}

LayoutChoice choose_layout(const OpDef& def, const OneNode& one, const OpCase& op, Isa isa) {
  LayoutQuery query{.graph = one.graph, .node = one.node(), .block = isa_lanes(isa)};
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    query.inputs.push_back(contains(op.blocked, i) ? Layout::kBlocked : Layout::kPlain);
  }
  if (def.layout == nullptr || op.blocked.empty()) {
    return {std::vector<Layout>(op.inputs.size()), std::vector<Layout>(op.outputs)};
  }
  return def.layout(query);
}

// The node's inputs and outputs as the kernel sees them.
struct Storage {
  std::vector<PrepareInput> inputs;
  std::vector<PrepareOutput> outputs;
  std::vector<Tensor> read, written;
};

Storage store(const OpCase& op, const OneNode& one, const LayoutChoice& layouts, int block) {
  Storage s{.read = op.inputs, .written = std::vector<Tensor>(op.outputs)};
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const Tensor& in = op.inputs[i];
    s.inputs.push_back({.present = !in.empty(),
                        .dtype = in.dtype(),
                        .shape = in.shape(),
                        .layout = layouts.inputs[i],
                        .constant = contains(op.constants, i) ? &op.inputs[i] : nullptr});
    if (layouts.inputs[i] == Layout::kBlocked) s.read[i] = to_blocked(in, block);
  }
  for (std::size_t i = 0; i < op.outputs; ++i) {
    const Value& value = one.graph.value(one.node().outputs[i]);
    s.outputs.push_back({.present = true, .dtype = value.dtype, .layout = layouts.outputs[i]});
    if (!value.shape || !value.shape->concrete()) continue;
    const Shape shape = *value.shape->concrete();
    s.outputs[i].shape = shape;
    const bool blocked = layouts.outputs[i] == Layout::kBlocked;
    s.written[i] = Tensor(value.dtype, blocked ? Shape{blocked_elements(shape, block)} : shape);
  }
  return s;
}

Status run_kernel(const PreparedKernel& kernel, Storage& s, int threads) {
  std::vector<const void*> inputs;
  for (const Tensor& tensor : s.read) inputs.push_back(tensor.data());
  std::vector<void*> outputs;
  for (Tensor& tensor : s.written) outputs.push_back(tensor.mutable_data());
  Tensor scratch(DType::kUInt8, {static_cast<std::int64_t>(kernel.scratch_bytes)});
  std::vector<Tensor> dynamic(s.written.size());
  KernelContext run;
  run.inputs = inputs;
  run.outputs = outputs;
  run.scratch = static_cast<std::byte*>(scratch.mutable_data());
  run.threads = threads;
  run.dynamic_outputs = dynamic;
  MINI_TRY(kernel.run(run));
  for (std::size_t i = 0; i < dynamic.size(); ++i) {
    if (s.written[i].empty()) s.written[i] = dynamic[i];
  }
  return ok();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const OpSetting& setting) {
  return out << isa_name(setting.isa) << ", " << setting.threads << " threads";
}

std::vector<OpSetting> op_settings() {
  std::vector<OpSetting> settings;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const auto isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    settings.push_back({.isa = isa, .threads = 1});
    settings.push_back({.isa = isa, .threads = 3});
  }
  return settings;
}

Result<OpRun> run_op(const OpCase& op, const OpSetting& setting) {
  const OpDef* def = op_registry().find(op.domain, op.type, op.opset);
  if (def == nullptr) return not_implemented("no operator ", op.type);
  MINI_TRY_ASSIGN(OneNode one, build(op));
  const LayoutChoice layouts = choose_layout(*def, one, op, setting.isa);
  const int block = isa_lanes(setting.isa);
  Storage storage = store(op, one, layouts, block);
  OpRun result{.layouts = layouts.outputs};
  const PrepareContext::Environment environment{
      .isa = setting.isa, .threads = setting.threads, .log = [&](const std::string& message) {
        result.warnings.push_back(message);
      }};
  PrepareContext context(one.node(), storage.inputs, storage.outputs, environment);
  auto kernel = def->prepare(context);
  if (!kernel.ok()) return kernel.status().at(one.node().str());
  MINI_TRY(run_kernel(*kernel, storage, setting.threads).at(one.node().str()));
  result.kernel = kernel->name;
  for (std::size_t i = 0; i < op.outputs; ++i) {
    const bool blocked = layouts.outputs[i] == Layout::kBlocked;
    result.outputs.push_back(blocked
                                 ? to_plain(storage.written[i], *storage.outputs[i].shape, block)
                                 : storage.written[i]);
  }
  return result;
}

std::vector<Tensor> outputs_of(const OpCase& op, const OpSetting& setting) {
  auto run = run_op(op, setting);
  EXPECT_TRUE(run.ok()) << run.status().message();
  return run.ok() ? run->outputs : std::vector<Tensor>{};
}

std::string error_of(const OpCase& op) {
  const auto run = run_op(op);
  EXPECT_FALSE(run.ok()) << op.type << " succeeds";
  return run.status().message();
}

std::vector<double> doubles(const Tensor& tensor) {
  return numbers(tensor).value_or(std::vector<double>{});
}

testing::AssertionResult close(const Tensor& actual, const std::vector<double>& expected,
                               Tolerance tolerance) {
  const std::vector<double> values = doubles(actual);
  if (values.size() != expected.size()) {
    return testing::AssertionFailure()
           << values.size() << " numbers instead of " << expected.size();
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(values[i] - expected[i]);
    const bool same =
        values[i] == expected[i] || (std::isnan(values[i]) && std::isnan(expected[i]));
    if (!same && !(difference <= tolerance.absolute + tolerance.relative * std::abs(expected[i]))) {
      return testing::AssertionFailure()
             << "element " << i << " is " << values[i] << " instead of " << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

void expect_op(const OpCase& op, const Shape& shape, const std::vector<double>& expected,
               Tolerance tolerance) {
  for (const OpSetting& setting : op_settings()) {
    const std::vector<Tensor> outputs = outputs_of(op, setting);
    ASSERT_FALSE(outputs.empty()) << op.type << ", " << setting;
    EXPECT_EQ(outputs[0].shape(), shape) << outputs[0].shape().str() << ", " << setting;
    EXPECT_TRUE(close(outputs[0], expected, tolerance)) << op.type << ", " << setting;
  }
}

Tensor random_floats(const Shape& shape, float low, float high, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  Tensor tensor(DType::kFloat32, shape);
  std::generate_n(tensor.mutable_data<float>(), tensor.elements(), [&] { return uniform(engine); });
  return tensor;
}

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}

Tensor int64s(const Shape& shape, const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>(shape, values);
}

std::vector<double> broadcast_values(const std::vector<double>& values, const Shape& from,
                                     const Shape& to) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < to.elements(); ++i) {
    std::int64_t rest = i, offset = 0, stride = 1;
    for (std::size_t back = 0; back < to.rank(); ++back) {
      const std::int64_t extent = to[to.rank() - 1 - back];
      const std::int64_t own = back < from.rank() ? from[from.rank() - 1 - back] : 1;
      if (own != 1) offset += rest % extent * stride;
      stride *= own;
      rest /= extent;
    }
    out.push_back(values[static_cast<std::size_t>(offset)]);
  }
  return out;
}

}  // namespace mini_infer
