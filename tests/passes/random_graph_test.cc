// Graphs drawn at random compute the same with all passes and with none.
#include <algorithm>
#include <cmath>
#include <random>

#include "engine/graph_runner.h"
#include "engine/node_runner.h"
#include "graph/ir/constants.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

constexpr int kGraphs = 60;
constexpr int kNodes = 25;

// Draws operators on maps [N,C,H,W] that the passes have patterns for, and what breaks the
// patterns.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    maps_.push_back({b_.input({Dim("N"), 3, 12, 12}), 3, 12});
    for (int i = 0; i < kNodes; ++i) add();
    b_.output(maps_.back().id);
    b_.output(maps_[maps_.size() / 2].id);
    if (chance(2)) b_.output(maps_[pick(maps_.size())].id);
  }
  const Graph& graph() { return b_.graph(); }

 private:
  struct Map {
    ValueId id;
    std::int64_t channels, size;
  };

  std::size_t pick(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }
  bool chance(std::size_t one_in) { return pick(one_in) == 0; }
  std::int64_t one_of(std::initializer_list<std::int64_t> values) {
    return *(values.begin() + pick(values.size()));
  }
  // Mostly one of the last, so that chains come about.
  Map operand() {
    const std::size_t back =
        chance(4) ? pick(maps_.size()) : pick(std::min<std::size_t>(maps_.size(), 2));
    return maps_[maps_.size() - 1 - back];
  }
  ValueId constant(Shape shape, float scale = 1, float shift = 0) {
    Tensor tensor = random_tensor(std::move(shape), static_cast<unsigned>(random_()));
    float* data = tensor.mutable_data<float>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) data[i] = data[i] * scale + shift;
    return b_.constant(std::move(tensor));
  }
  ValueId scalar(float value) { return b_.scalar(value); }
  void keep(ValueId id, std::int64_t channels, std::int64_t size) {
    maps_.push_back({id, channels, size});
  }

  void add() {
    const Map x = operand();
    switch (pick(15)) {
      case 0:
      case 1:
      case 2:
        return convolution(x);
      case 3:
        return batch_norm(x);
      case 4:
      case 5:
        return activation(x);
      case 6:
        return sum(x);
      case 7:
        return affine(x);
      case 8:
        return concat(x);
      case 9:
        return slice(x);
      case 10:
        return pool(x);
      case 11:
        return gate(x);
      case 12:
        return detour(x);
      case 13:
        return reshape_by_shape(x);
      default:
        return normalise(x);
    }
  }

  void convolution(const Map& x) {
    if (chance(4) && x.size <= 12) {
      const std::int64_t channels = one_of({4, 16});
      const ValueId w = constant({x.channels, channels, 2, 2}, 0.3f);
      return keep(b_.node("ConvTranspose", {x.id, w}, {{"strides", Ints{2, 2}}}), channels,
                  2 * x.size);
    }
    const bool depthwise = chance(3);
    const std::int64_t k = one_of({1, 3}),
                       channels = depthwise ? x.channels : one_of({4, 8, 16, 24, 32});
    const ValueId w = constant({channels, depthwise ? 1 : x.channels, k, k}, 0.3f);
    Attributes attributes = {{"pads", Ints(4, k / 2)}};
    if (depthwise) attributes["group"] = channels;
    std::vector<ValueId> inputs = {x.id, w};
    if (chance(2)) inputs.push_back(constant({channels}));
    keep(b_.node("Conv", inputs, attributes), channels, x.size);
  }
  void batch_norm(const Map& x) {
    const Shape c = {x.channels};
    keep(b_.node("BatchNormalization",
                 {x.id, constant(c), constant(c), constant(c), constant(c, 0.4f, 1)}),
         x.channels, x.size);
  }
  void activation(const Map& x) {
    ValueId y = kNoValue;
    switch (pick(7)) {
      case 0:
        y = b_.node("Relu", {x.id});
        break;
      case 1:
        y = b_.node("Clip", {x.id, scalar(-0.5f), scalar(0.5f)});
        break;
      case 2:
        y = b_.node("Mul", {x.id, b_.node("Sigmoid", {x.id})});
        break;
      case 3: {
        const ValueId clip =
            b_.node("Clip", {b_.node("Add", {x.id, scalar(3)}), scalar(0), scalar(6)});
        y = b_.node("Div", {b_.node("Mul", {x.id, clip}), scalar(6)});
        break;
      }
      case 4:
        y = b_.node("PRelu", {x.id, constant({x.channels, 1, 1})});
        break;
      case 5: {
        const ValueId erf = b_.node("Erf", {b_.node("Div", {x.id, scalar(std::sqrt(2.f))})});
        y = b_.node("Mul",
                    {b_.node("Mul", {x.id, b_.node("Add", {erf, scalar(1)})}), scalar(0.5f)});
        break;
      }
      default:
        y = b_.node("LeakyRelu", {x.id}, {{"alpha", 0.1f}});
    }
    keep(y, x.channels, x.size);
  }
  void sum(const Map& x) {
    for (const Map& other : maps_) {
      if (other.channels != x.channels || other.size != x.size || !chance(2)) continue;
      return keep(b_.node("Add", {x.id, other.id}), x.channels, x.size);
    }
  }
  void affine(const Map& x) {
    const char* types[] = {"Mul", "Add", "Sub"};
    const Shape shapes[] = {{}, {x.channels, 1, 1}, {1, x.channels, 1, 1}, {x.size}};
    const ValueId c = constant(shapes[pick(4)]);
    const bool swapped = chance(3);
    keep(b_.node(types[pick(3)], {swapped ? c : x.id, swapped ? x.id : c}), x.channels, x.size);
  }
  void concat(const Map& x) {
    for (const Map& other : maps_) {
      if (other.size != x.size || x.channels + other.channels > 64 || !chance(2)) continue;
      return keep(b_.node("Concat", {x.id, other.id}, {{"axis", std::int64_t{1}}}),
                  x.channels + other.channels, x.size);
    }
  }
  void slice(const Map& x) {
    if (x.channels < 2) return;
    const std::int64_t half = x.channels / 2;
    keep(b_.node("Slice", {x.id, b_.ints({0}), b_.ints({half}), b_.ints({1})}), half, x.size);
  }
  void pool(const Map& x) {
    const Attributes window = {{"kernel_shape", Ints{3, 3}}};
    const ValueId padded = b_.node("Pad", {x.id, b_.ints({0, 0, 1, 1, 0, 0, 1, 1}), scalar(0)});
    keep(b_.node(chance(2) ? "MaxPool" : "AveragePool", {padded}, window), x.channels, x.size);
  }
  void gate(const Map& x) {
    const ValueId mean = b_.node("GlobalAveragePool", {x.id});
    const ValueId w = constant({x.channels, x.channels, 1, 1}, 0.3f);
    const ValueId weight = b_.node("Sigmoid", {b_.node("Conv", {mean, w})});
    keep(b_.node("Mul", {weight, x.id}), x.channels, x.size);
  }
  void detour(const Map& x) {
    const ValueId there = b_.node("Transpose", {x.id}, {{"perm", Ints{0, 2, 3, 1}}});
    const ValueId same = b_.node("Dropout", {b_.node("Identity", {there})});
    keep(b_.node("Transpose", {same}, {{"perm", Ints{0, 3, 1, 2}}}), x.channels, x.size);
  }
  // Flattens and comes back, with the batch read from Shape.
  void reshape_by_shape(const Map& x) {
    const ValueId shape = b_.node("Shape", {x.id}, {}, {}, DType::kInt64);
    const ValueId first =
        b_.node("Slice", {shape, b_.ints({0}), b_.ints({1})}, {}, {}, DType::kInt64);
    const auto with = [&](Ints rest) {
      const auto count = static_cast<std::int64_t>(rest.size());
      return b_.node("Concat", {first, b_.constant(Tensor::from<std::int64_t>({count}, rest))},
                     {{"axis", std::int64_t{0}}}, {}, DType::kInt64);
    };
    const ValueId flat = b_.node("Reshape", {x.id, with({-1})});
    const ValueId gemm = b_.node("Mul", {flat, scalar(0.5f)});
    keep(b_.node("Reshape", {gemm, with({x.channels, x.size, x.size})}), x.channels, x.size);
  }
  void normalise(const Map& x) {
    const Attributes axes = {{"axes", Ints{-1}}};
    const ValueId d = b_.node("Sub", {x.id, b_.node("ReduceMean", {x.id}, axes)});
    const ValueId variance = b_.node("ReduceMean", {b_.node("Mul", {d, d})}, axes);
    const ValueId root = b_.node("Sqrt", {b_.node("Add", {variance, scalar(0.1f)})});
    const ValueId y = b_.node("Mul", {b_.node("Div", {d, root}), constant({x.size})});
    keep(b_.node("Add", {y, constant({x.size})}), x.channels, x.size);
  }

  std::mt19937 random_;
  GraphBuilder b_;
  std::vector<Map> maps_;
};

// All passes but shape inference.
std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const Pass& pass : all_passes()) {
    if (pass.name != "infer_shapes") names.emplace_back(pass.name);
  }
  return names;
}

Result<std::vector<Tensor>> run(Graph graph, const Tensor& input, std::vector<std::string> disabled,
                                std::string& text) {
  Engine engine({.threads = 2, .disabled_passes = disabled});
  NodeEvaluator evaluator(engine.ops(), engine.environment(), engine.memory_limit({}));
  PassContext context = engine.pass_context(evaluator);
  MINI_TRY_ASSIGN(const auto reports,
                  run_passes(graph, PassStage::kLoad, context, {.disabled = disabled}));
  text = graph.print();
  GraphRunner runner(std::make_shared<const Graph>(std::move(graph)), engine);
  const std::vector<Tensor> inputs = {input};
  MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, runner.executor(inputs));
  return executor->run(inputs);
}

// Relative to the largest element: what the rounding of intermediate sums is relative to.
void expect_near(const Tensor& expected, const Tensor& actual, const std::string& where) {
  ASSERT_EQ(expected.shape(), actual.shape()) << where;
  const auto want = *numbers(expected), got = *numbers(actual);
  double largest = 1e-3;
  for (const double value : want) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(want[i], got[i], 2e-4 * largest) << "element " << i << "\n" << where;
  }
}

TEST(RandomGraphs, ComputeTheSameWithAndWithoutPasses) {
  std::ptrdiff_t lines_before = 0, lines_after = 0;
  for (unsigned seed = 1; seed <= kGraphs; ++seed) {
    const Graph graph = RandomGraph(seed).graph();
    const Tensor input = random_tensor({1 + seed % 2, 3, 12, 12}, seed);
    std::string before, after;
    const auto expected = run(graph, input, all_names(), before);
    const auto actual = run(graph, input, {}, after);
    const std::string where = "seed " + std::to_string(seed) + "\n" + before + after;
    ASSERT_TRUE(expected.ok()) << expected.status().message() << where;
    ASSERT_TRUE(actual.ok()) << actual.status().message() << where;
    ASSERT_EQ(expected->size(), actual->size());
    lines_before += std::count(before.begin(), before.end(), '\n');
    lines_after += std::count(after.begin(), after.end(), '\n');
    for (std::size_t i = 0; i < expected->size(); ++i) {
      expect_near((*expected)[i], (*actual)[i], where);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_LT(lines_after, lines_before / 2) << "the passes find hardly anything";
  std::cout << lines_before << " lines became " << lines_after << "\n";
}

}  // namespace
}  // namespace mini_infer
