// Operators that move elements, against their definition index by index.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tests/support/indexing.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> ints_of(const Tensor& tensor) {
  const auto* data = tensor.data<std::int64_t>();
  return {data, data + tensor.elements()};
}

TEST(Transpose, MovesEveryElement) {
  struct Case {
    Shape x;
    Ints perm;
  };
  const std::vector<Case> cases = {
      {{7}, {0}},
      {{5, 3}, {1, 0}},
      {{64, 64}, {1, 0}},
      {{67, 131}, {1, 0}},
      {{2, 3, 17, 19}, {0, 2, 3, 1}},
      {{2, 17, 19, 3}, {0, 3, 1, 2}},
      {{2, 5, 3, 7}, {0, 2, 1, 3}},
      {{3, 1, 4, 1, 5}, {4, 1, 0, 3, 2}},
      {{2, 3, 4, 5, 6}, {4, 3, 2, 1, 0}},
      {{0, 3, 4}, {2, 0, 1}},
      {{200, 4, 9}, {1, 2, 0}},
  };
  for (const Case& c : cases) {
    const Tensor x = random_floats(c.x);
    Shape out;
    for (const std::int64_t axis : c.perm) out.push_back(c.x[static_cast<std::size_t>(axis)]);
    const auto expected = tabulate(out, [&](const Index& o) {
      Index i(o.size());
      for (std::size_t a = 0; a < o.size(); ++a) i[static_cast<std::size_t>(c.perm[a])] = o[a];
      return at(x, i);
    });
    expect_op({.type = "Transpose", .inputs = {x}, .attributes = {{"perm", c.perm}}}, out,
              expected);
  }
}

template <class T>
class TransposeOf : public testing::Test {};
using ElementTypes = testing::Types<std::uint8_t, std::int16_t, std::int32_t, std::int64_t, double>;
TYPED_TEST_SUITE(TransposeOf, ElementTypes);

TYPED_TEST(TransposeOf, AnyElementSize) {
  const Shape shape{37, 21};
  std::vector<TypeParam> values;
  for (int i = 0; i < 37 * 21; ++i) values.push_back(static_cast<TypeParam>(i % 251));
  expect_op({.type = "Transpose", .inputs = {Tensor::from<TypeParam>(shape, values)}}, {21, 37},
            tabulate({21, 37}, [&](const Index& o) {
              return static_cast<double>((o[1] * 21 + o[0]) % 251);
            }));
}

TEST(Transpose, MovesStrings) {
  const Tensor x = Tensor::from<std::string>({2, 2}, {"a", "bc", "a long string, on the heap", ""});
  const auto outputs = outputs_of({.type = "Transpose", .inputs = {x}});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_THAT(outputs[0].values<std::string>(),
              ElementsAre("a", "a long string, on the heap", "bc", ""));
}

TEST(Transpose, RefusesAWrongPermutation) {
  EXPECT_THAT(error_of({.type = "Transpose",
                        .inputs = {random_floats({2, 3})},
                        .attributes = {{"perm", Ints{0, 0}}}}),
              HasSubstr("name axis 0 twice"));
}

struct SliceCase {
  Shape x;
  Ints starts, ends, axes, steps;
};

// Numpy's rules, spelt out for one axis.
Index sliced_indices(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  const auto clamp = [&](std::int64_t i, std::int64_t least, std::int64_t most) {
    if (i < 0) i = i < -extent ? -1 : i + extent;
    return std::min(std::max(i, least), most);
  };
  Index out;
  if (step > 0) {
    start = std::max<std::int64_t>(clamp(start, -1, extent), 0);
    end = clamp(end, -1, extent);
    for (std::int64_t i = start; i < end; i += step) out.push_back(i);
  } else {
    start = clamp(start, -1, extent - 1);
    end = clamp(end, -1, extent - 1);
    for (std::int64_t i = start; i > end; i += step) out.push_back(i);
  }
  return out;
}

const std::vector<SliceCase> kSlices = {
    {{10}, {2}, {7}, {0}, {1}},
    {{10}, {8}, {1}, {0}, {-3}},
    {{10}, {-1}, {INT64_MIN}, {0}, {-1}},
    {{10}, {-100}, {INT64_MAX}, {0}, {4}},
    {{10}, {7}, {2}, {0}, {1}},
    {{4, 5, 6}, {1, 1}, {3, INT32_MAX}, {-1, 0}, {1, 2}},
    {{4, 5, 6}, {3, 4, 5}, {-10, 0, 0}, {0, 1, 2}, {-1, -2, -3}},
    {{2, 3, 33, 35}, {0, 0}, {33, 35}, {2, 3}, {2, 2}},
    {{2, 3, 33, 35}, {1, 1}, {33, 35}, {2, 3}, {2, 2}},
    {{3, 0, 2}, {0}, {1}, {0}, {1}},
};

TEST(Slice, FollowsNumpy) {
  for (const SliceCase& c : kSlices) {
    const Tensor x = random_floats(c.x);
    std::vector<Index> kept;
    Shape out = c.x;
    for (const std::int64_t extent : c.x) kept.push_back(sliced_indices(extent, 0, extent, 1));
    for (std::size_t i = 0; i < c.axes.size(); ++i) {
      const auto axis = static_cast<std::size_t>(
          c.axes[i] < 0 ? c.axes[i] + static_cast<std::int64_t>(c.x.rank()) : c.axes[i]);
      kept[axis] = sliced_indices(c.x[axis], c.starts[i], c.ends[i], c.steps[i]);
      out[axis] = static_cast<std::int64_t>(kept[axis].size());
    }
    const auto expected = tabulate(out, [&](const Index& o) {
      Index i;
      for (std::size_t a = 0; a < o.size(); ++a) {
        i.push_back(kept[a][static_cast<std::size_t>(o[a])]);
      }
      return at(x, i);
    });
    const auto count = static_cast<std::int64_t>(c.axes.size());
    expect_op({.type = "Slice",
               .inputs = {x, int64s({count}, c.starts), int64s({count}, c.ends),
                          int64s({count}, c.axes), int64s({count}, c.steps)},
               .constants = {1, 2, 3, 4}},
              out, expected);
  }
}

TEST(Slice, TakesAttributesBeforeOpset10) {
  expect_op({.type = "Slice",
             .inputs = {floats({2, 3}, {0, 1, 2, 3, 4, 5})},
             .attributes = {{"starts", Ints{1}}, {"ends", Ints{1000}}, {"axes", Ints{1}}},
             .opset = 1},
            {2, 2}, {1, 2, 4, 5});
}

TEST(Slice, StaysBlockedWhereWholeBlocksStay) {
  const Tensor x = random_floats({2, 64, 3, 5});
  for (const OpSetting& setting : op_settings()) {
    const OpCase op{.type = "Slice",
                    .inputs = {x, int64s({2}, {16, 1}), int64s({2}, {48, 3}), int64s({2}, {1, 3})},
                    .constants = {1, 2, 3},
                    .blocked = {0}};
    const auto run = run_op(op, setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->layouts[0], Layout::kBlocked);
    EXPECT_TRUE(close(run->outputs[0],
                      tabulate({2, 32, 3, 2},
                               [&](const Index& o) {
                                 return at(x, {o[0], o[1] + 16, o[2], o[3] + 1});
                               }),
                      {}))
        << setting;
  }
}

TEST(Concat, PutsInputsSideBySide) {
  for (const std::int64_t axis : {0, 1, 2, -1}) {
    const auto a = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    std::vector<Tensor> inputs;
    Shape out{3, 4, 5};
    out[a] = 0;
    for (const std::int64_t extent : {2, 0, 7, 1}) {
      Shape shape{3, 4, 5};
      shape[a] = extent;
      inputs.push_back(random_floats(shape, -1, 1, static_cast<unsigned>(extent)));
      out[a] += extent;
    }
    const auto expected = tabulate(out, [&](Index o) {
      std::size_t i = 0;
      while (o[a] >= inputs[i].shape()[a]) o[a] -= inputs[i++].shape()[a];
      return at(inputs[i], o);
    });
    expect_op({.type = "Concat", .inputs = inputs, .attributes = {{"axis", axis}}}, out, expected);
  }
}

TEST(Concat, JoinsBlockedChannels) {
  const Tensor a = random_floats({2, 32, 3, 5}), b = random_floats({2, 13, 3, 5}, -1, 1, 2);
  const auto expected = tabulate({2, 45, 3, 5}, [&](const Index& o) {
    return o[1] < 32 ? at(a, o) : at(b, {o[0], o[1] - 32, o[2], o[3]});
  });
  for (const OpSetting& setting : op_settings()) {
    const auto run = run_op({.type = "Concat",
                             .inputs = {a, b},
                             .attributes = {{"axis", std::int64_t{1}}},
                             .blocked = {0, 1}},
                            setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->layouts[0], Layout::kBlocked);
    EXPECT_TRUE(close(run->outputs[0], expected, {})) << setting;
  }
}

TEST(Concat, RefusesShapesThatDoNotFit) {
  EXPECT_THAT(error_of({.type = "Concat",
                        .inputs = {random_floats({2, 3}), random_floats({3, 3})},
                        .attributes = {{"axis", std::int64_t{1}}}}),
              HasSubstr("input 1 has shape [3,3], input 0 has [2,3]"));
}

TEST(Split, CutsAnAxis) {
  const Tensor x = random_floats({3, 7, 2});
  const OpCase op{.type = "Split",
                  .inputs = {x, int64s({3}, {2, 0, 5})},
                  .attributes = {{"axis", std::int64_t{1}}},
                  .outputs = 3,
                  .constants = {1}};
  const auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].shape(), (Shape{3, 0, 2}));
  EXPECT_TRUE(close(outputs[0], tabulate({3, 2, 2}, [&](const Index& o) { return at(x, o); }), {}));
  EXPECT_TRUE(close(outputs[2],
                    tabulate({3, 5, 2},
                             [&](const Index& o) {
                               return at(x, {o[0], o[1] + 2, o[2]});
                             }),
                    {}));
}

TEST(Split, LastPartMayBeSmallerSinceOpset18) {
  const OpCase op{.type = "Split",
                  .inputs = {random_floats({7})},
                  .attributes = {{"num_outputs", std::int64_t{4}}},
                  .outputs = 4};
  const auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 4u);
  EXPECT_EQ(outputs[0].shape(), (Shape{2}));
  EXPECT_EQ(outputs[3].shape(), (Shape{1}));
}

TEST(Gather, TakesSlices) {
  const Tensor x = random_floats({4, 5, 3});
  expect_op({.type = "Gather",
             .inputs = {x, int64s({2, 2}, {0, -1, 3, 3})},
             .attributes = {{"axis", std::int64_t{1}}}},
            {4, 2, 2, 3}, tabulate({4, 2, 2, 3}, [&](const Index& o) {
              const std::int64_t picked[4] = {0, 4, 3, 3};
              return at(x, {o[0], picked[o[1] * 2 + o[2]], o[3]});
            }));
}

TEST(Gather, ChecksEveryIndex) {
  const Tensor x = random_floats({4, 5});
  EXPECT_THAT(error_of({.type = "Gather", .inputs = {x, int64s({3}, {0, 3, 4})}}),
              HasSubstr("index 4 at position 2 is outside [-4,3] of axis 0"));
  EXPECT_THAT(error_of({.type = "GatherND", .inputs = {x, int64s({1, 2}, {0, -6})}}),
              HasSubstr("index -6 at position 1 is outside [-5,4] of axis 1"));
  EXPECT_THAT(error_of({.type = "ScatterElements",
                        .inputs = {x, int64s({1, 1}, {9}), random_floats({1, 1})}}),
              HasSubstr("index 9 at position 0 is outside [-4,3] of axis 0"));
}

struct PadCase {
  std::string mode;
  Shape x;
  Ints pads;
};

// The input index that output index o shows, or -1 for the constant.
std::int64_t pad_source(const std::string& mode, std::int64_t o, std::int64_t begin,
                        std::int64_t extent) {
  std::int64_t i = o - begin;
  if (i >= 0 && i < extent) return i;
  if (mode == "constant") return -1;
  if (mode == "edge" || extent == 1) return i < 0 ? 0 : extent - 1;
  if (mode == "wrap") return (i % extent + extent) % extent;
  const std::int64_t period = 2 * (extent - 1);
  i = (i % period + period) % period;
  return i < extent ? i : period - i;
}

TEST(Pad, FollowsNumpy) {
  const std::vector<PadCase> cases = {
      {"constant", {3, 4}, {1, 2, 0, 3}},
      {"edge", {3, 4}, {1, 2, 0, 3}},
      {"reflect", {3, 4}, {2, 3, 1, 0}},
      {"wrap", {3, 4}, {2, 3, 1, 4}},
      {"reflect", {1, 3}, {0, 7, 2, 9}},
      {"wrap", {2, 3}, {5, 0, 0, 8}},
      {"constant", {2, 3, 5, 7}, {0, 0, 1, 1, 0, 0, 1, 1}},
      {"reflect", {2, 3, 5, 7}, {0, 0, 2, 3, 0, 0, 4, 1}},
      {"constant", {0, 3}, {1, 0, 1, 0}},
      {"constant", {5}, {0, 0}},
  };
  for (const PadCase& c : cases) {
    const Tensor x = random_floats(c.x);
    const std::size_t rank = c.x.rank();
    Shape out = c.x;
    for (std::size_t a = 0; a < rank; ++a) out[a] += c.pads[a] + c.pads[a + rank];
    const auto expected = tabulate(out, [&](const Index& o) {
      Index i;
      for (std::size_t a = 0; a < rank; ++a) {
        i.push_back(pad_source(c.mode, o[a], c.pads[a], c.x[a]));
        if (i.back() < 0) return 7.0;
      }
      return at(x, i);
    });
    expect_op(
        {.type = "Pad",
         .inputs = {x, int64s({static_cast<std::int64_t>(2 * rank)}, c.pads), Tensor::scalar(7.f)},
         .attributes = {{"mode", c.mode}},
         .opset = 19,
         .constants = {1}},
        out, expected);
  }
}

TEST(Pad, CropsByNegativePads) {
  expect_op({.type = "Pad",
             .inputs = {floats({5}, {0, 1, 2, 3, 4})},
             .attributes = {{"mode", "reflect"}, {"pads", Ints{-1, 2}}},
             .opset = 2},
            {6}, {1, 2, 3, 4, 3, 2});
}

TEST(Pad, StaysBlockedForSpatialPads) {
  const Tensor x = random_floats({1, 19, 3, 5});
  for (const OpSetting& setting : op_settings()) {
    const auto run = run_op({.type = "Pad",
                             .inputs = {x, int64s({8}, {0, 0, 1, 2, 0, 0, 0, 1})},
                             .constants = {1},
                             .blocked = {0}},
                            setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->layouts[0], Layout::kBlocked);
    EXPECT_TRUE(close(run->outputs[0],
                      tabulate({1, 19, 4, 8},
                               [&](const Index& o) {
                                 const bool inside = o[2] >= 1 && o[3] >= 2 && o[3] < 7;
                                 return inside ? at(x, {o[0], o[1], o[2] - 1, o[3] - 2}) : 0.0;
                               }),
                      {}));
  }
}

TEST(DepthToSpace, BothModes) {
  const Tensor x = random_floats({2, 12, 5, 7});
  for (const std::string mode : {"DCR", "CRD"}) {
    const auto expected = tabulate({2, 3, 10, 14}, [&](const Index& o) {
      const std::int64_t dy = o[2] % 2, dx = o[3] % 2;
      const std::int64_t c = mode == "DCR" ? (dy * 2 + dx) * 3 + o[1] : o[1] * 4 + dy * 2 + dx;
      return at(x, {o[0], c, o[2] / 2, o[3] / 2});
    });
    expect_op({.type = "DepthToSpace",
               .inputs = {x},
               .attributes = {{"mode", mode}, {"blocksize", std::int64_t{2}}}},
              {2, 3, 10, 14}, expected);
  }
}

TEST(Focus, PutsQuartersInTheirOrder) {
  const Tensor x = random_floats({1, 3, 6, 70});
  const Ints order = {0, 2, 1, 3};
  expect_op({.type = "Focus",
             .inputs = {x},
             .attributes = {{"block", std::int64_t{2}}, {"order", order}},
             .opset = 1,
             .domain = std::string(kInternalDomain)},
            {1, 12, 3, 35}, tabulate({1, 12, 3, 35}, [&](const Index& o) {
              const std::int64_t quarter = order[static_cast<std::size_t>(o[1] / 3)];
              return at(x, {o[0], o[1] % 3, o[2] * 2 + quarter / 2, o[3] * 2 + quarter % 2});
            }));
}

TEST(ScatterElements, ReducesInOrder) {
  const OpCase base{.type = "ScatterElements",
                    .inputs = {floats({3}, {1, 2, 3}), int64s({4}, {0, 0, -1, 0}),
                               floats({4}, {10, 20, 30, 40})}};
  const std::map<std::string, std::vector<double>> expected = {{"none", {40, 2, 30}},
                                                               {"add", {71, 2, 33}},
                                                               {"mul", {8000, 2, 90}},
                                                               {"min", {1, 2, 3}},
                                                               {"max", {40, 2, 30}}};
  for (const auto& [reduction, values] : expected) {
    OpCase op = base;
    op.attributes["reduction"] = reduction;
    expect_op(op, {3}, values);
  }
}

TEST(ScatterND, ConstantTuplesAreSegments) {
  const Tensor x = random_floats({3, 4}), updates = random_floats({5}, -1, 1, 2);
  OpCase op{.type = "ScatterND",
            .inputs = {x, int64s({5, 2}, {0, 1, 0, 2, 2, 3, 1, 0, 0, 2}), updates}};
  std::vector<double> expected = doubles(x);
  const std::vector<double> u = doubles(updates);
  expected[1] = u[0];
  expected[11] = u[2];
  expected[4] = u[3];
  expected[2] = u[4];  // the later of two
  expect_op(op, {3, 4}, expected);
  op.constants = {1};
  expect_op(op, {3, 4}, expected);
}

TEST(TopK, BreaksTiesByIndex) {
  const OpCase op{.type = "TopK",
                  .inputs = {floats({2, 5}, {1, 3, 3, 2, 3, 0, 0, 0, 0, 0}), int64s({1}, {3})},
                  .outputs = 2,
                  .constants = {1}};
  const auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_TRUE(close(outputs[0], {3, 3, 3, 0, 0, 0}, {}));
  EXPECT_THAT(ints_of(outputs[1]), ElementsAre(1, 2, 4, 0, 1, 2));
}

TEST(TopK, OfManyElements) {
  constexpr std::int64_t kExtent = 700;
  std::vector<float> x;
  for (std::size_t i = 0; i < 2 * kExtent; ++i) {
    const std::size_t hash = i * 2654435761u >> 9;
    x.push_back(hash % 97 == 0 ? std::nanf("") : static_cast<float>(hash % 101));
  }
  for (const bool largest : {true, false}) {
    // NaN counts as larger than all numbers.
    const auto larger = [](float a, float b) { return std::isnan(a) ? !std::isnan(b) : a > b; };
    const auto precedes = [&](float a, float b) { return largest ? larger(a, b) : larger(b, a); };
    for (const std::int64_t k : {1, 2, 9, 40, 300, 700}) {
      std::vector<std::int64_t> expected;
      for (std::int64_t row = 0; row < 2; ++row) {
        std::vector<std::int64_t> order(kExtent);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
          return precedes(x[static_cast<std::size_t>(row * kExtent + i)],
                          x[static_cast<std::size_t>(row * kExtent + j)]);
        });
        expected.insert(expected.end(), order.begin(), order.begin() + k);
      }
      const auto outputs = outputs_of({.type = "TopK",
                                       .inputs = {floats({2, kExtent}, x), int64s({1}, {k})},
                                       .attributes = {{"largest", std::int64_t{largest}}},
                                       .outputs = 2,
                                       .constants = {1}});
      ASSERT_EQ(outputs.size(), 2u);
      EXPECT_EQ(ints_of(outputs[1]), expected) << "k " << k << ", largest " << largest;
    }
  }
}

TEST(NonZero, FindsCoordinates) {
  const auto outputs =
      outputs_of({.type = "NonZero", .inputs = {floats({2, 2}, {1, 0, -1, 0.5f})}});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].shape(), (Shape{2, 3}));
  EXPECT_THAT(ints_of(outputs[0]), ElementsAre(0, 1, 1, 0, 0, 1));
}

TEST(NonMaxSuppression, DropsWhatOverlaps) {
  const Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 10, 1, 11});
  const auto outputs = outputs_of({.type = "NonMaxSuppression",
                                   .inputs = {boxes, floats({1, 1, 3}, {0.9f, 0.95f, 0.5f}),
                                              int64s({}, {10}), floats({}, {0.5f})},
                                   .constants = {}});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_THAT(ints_of(outputs[0]), ElementsAre(0, 0, 1, 0, 0, 2));
}

struct EinsumCase {
  std::string equation;
  std::vector<Shape> inputs;
  Shape out;
  // Letters in the order of the output, then the summed ones, with their extents.
  std::string letters;
  Index extents;
  std::vector<std::string> terms;
};

TEST(Einsum, SumsProducts) {
  const std::vector<EinsumCase> cases = {
      {"ij,jk->ik", {{3, 5}, {5, 4}}, {3, 4}, "ikj", {3, 4, 5}, {"ij", "jk"}},
      {"bij,bjk->bik", {{2, 3, 5}, {2, 5, 4}}, {2, 3, 4}, "bikj", {2, 3, 4, 5}, {"bij", "bjk"}},
      {"bhid,bhjd->bhij",
       {{2, 3, 5, 7}, {2, 3, 4, 7}},
       {2, 3, 5, 4},
       "bhijd",
       {2, 3, 5, 4, 7},
       {"bhid", "bhjd"}},
      {"ii->i", {{4, 4}}, {4}, "i", {4}, {"ii"}},
      {"ij->", {{3, 4}}, {}, "ij", {3, 4}, {"ij"}},
      {"ij->ji", {{3, 4}}, {4, 3}, "ji", {4, 3}, {"ij"}},
      {"i,j->ij", {{3}, {4}}, {3, 4}, "ij", {3, 4}, {"i", "j"}},
      {"ab,bc,cd->ad", {{2, 3}, {3, 4}, {4, 5}}, {2, 5}, "adbc", {2, 5, 3, 4}, {"ab", "bc", "cd"}},
      {"ij,kj->k", {{3, 5}, {4, 5}}, {4}, "kij", {4, 3, 5}, {"ij", "kj"}},
  };
  for (const EinsumCase& c : cases) {
    std::vector<Tensor> inputs;
    for (const Shape& shape : c.inputs) {
      inputs.push_back(random_floats(shape, -1, 1, static_cast<unsigned>(inputs.size() + 1)));
    }
    const std::size_t outer = c.out.rank();
    const Shape summed(
        Index(c.extents.begin() + static_cast<std::ptrdiff_t>(outer), c.extents.end()));
    const auto expected = tabulate(c.out, [&](const Index& o) {
      double sum = 0;
      for (const double term : tabulate(summed, [&](const Index& s) {
             double product = 1;
             for (std::size_t t = 0; t < c.terms.size(); ++t) {
               Index i;
               for (const char letter : c.terms[t]) {
                 const std::size_t place = c.letters.find(letter);
                 i.push_back(place < outer ? o[place] : s[place - outer]);
               }
               product *= at(inputs[t], i);
             }
             return product;
           })) {
        sum += term;
      }
      return sum;
    });
    expect_op({.type = "Einsum", .inputs = inputs, .attributes = {{"equation", c.equation}}}, c.out,
              expected, {.absolute = 1e-5});
  }
}

}  // namespace
}  // namespace mini_infer
