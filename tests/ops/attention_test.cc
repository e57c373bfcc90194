// Attention against its definition in double precision.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/support/indexing.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

struct Case {
  std::int64_t batches, heads, kv_heads, rows, keys, size, value_size;
  bool causal = false;
  float softcap = 0;
};

// softmax over the keys that take part of scale q.k + mask, times v.
std::vector<double> expected_of(const Case& c, const Tensor& q, const Tensor& k, const Tensor& v,
                                const Tensor* mask) {
  const double scale = 1 / std::sqrt(static_cast<double>(c.size));
  return tabulate({c.batches, c.heads, c.rows, c.value_size}, [&](const Index& o) {
    const std::int64_t kv_head = o[1] / (c.heads / c.kv_heads);
    std::vector<double> scores;
    for (std::int64_t j = 0; j < c.keys; ++j) {
      double score = 0;
      for (std::int64_t d = 0; d < c.size; ++d) {
        score += scale * at(q, {o[0], o[1], o[2], d}) * at(k, {o[0], kv_head, j, d});
      }
      if (c.softcap > 0) score = c.softcap * std::tanh(score / c.softcap);
      if (mask != nullptr) score += at(*mask, {o[2], j});
      if (c.causal && j > o[2]) score = -INFINITY;
      scores.push_back(score);
    }
    const double most = *std::max_element(scores.begin(), scores.end());
    double sum = 0, weighted = 0;
    for (std::int64_t j = 0; j < c.keys; ++j) {
      const double p = std::exp(scores[static_cast<std::size_t>(j)] - most);
      sum += p;
      weighted += p * at(v, {o[0], kv_head, j, o[3]});
    }
    return weighted / sum;
  });
}

TEST(Attention, AgreesWithItsDefinition) {
  const std::vector<Case> cases = {
      {1, 1, 1, 1, 1, 1, 1},
      {2, 3, 3, 5, 7, 11, 13},
      {1, 4, 2, 67, 67, 8, 3, true},
      {2, 6, 1, 9, 130, 16, 3},
      {1, 2, 2, 70, 3, 8, 5, false, 2.f},
      {1, 1, 1, 65, 2100, 2, 2},
  };
  for (const Case& c : cases) {
    const Tensor q = random_floats({c.batches, c.heads, c.rows, c.size}, -2, 2, 1);
    const Tensor k = random_floats({c.batches, c.kv_heads, c.keys, c.size}, -2, 2, 2);
    const Tensor v = random_floats({c.batches, c.kv_heads, c.keys, c.value_size}, -2, 2, 3);
    const Tensor mask = random_floats({c.rows, c.keys}, -3, 0, 4);
    OpCase op{.type = "Attention", .inputs = {q, k, v}, .opset = 23};
    if (c.causal) op.attributes["is_causal"] = std::int64_t{1};
    if (c.softcap > 0) op.attributes["softcap"] = c.softcap;
    const Shape out{c.batches, c.heads, c.rows, c.value_size};
    expect_op(op, out, expected_of(c, q, k, v, nullptr), {.absolute = 2e-5});
    op.inputs.push_back(mask);
    expect_op(op, out, expected_of(c, q, k, v, &mask), {.absolute = 2e-5});
  }
}

TEST(Attention, ARowWithoutKeysIsZero) {
  const Tensor q = random_floats({1, 1, 2, 4});
  const Tensor mask = Tensor::from<bool>({2, 2}, {false, false, true, true});
  const auto outputs = outputs_of({.type = "Attention", .inputs = {q, q, q, mask}, .opset = 23});
  ASSERT_EQ(outputs.size(), 1u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(outputs[0].data<float>()[i], 0.f);
}

TEST(Attention, RefusesShapesThatDoNotFit) {
  EXPECT_THAT(error_of({.type = "Attention",
                        .inputs = {random_floats({1, 3, 2, 4}), random_floats({1, 2, 2, 4}),
                                   random_floats({1, 2, 2, 4})},
                        .opset = 23}),
              HasSubstr("do not fit each other"));
}

TEST(RotaryEmbedding, TurnsPairs) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 0, 0, 1});
  const Tensor cosines = floats({2, 1}, {1, 0}), sines = floats({2, 1}, {0, 1});
  expect_op({.type = "RotaryEmbedding",
             .inputs = {x, cosines, sines, int64s({1, 2}, {0, 1})},
             .opset = 23},
            {1, 1, 2, 2}, {1, 0, -1, 0});
  EXPECT_THAT(error_of({.type = "RotaryEmbedding",
                        .inputs = {x, cosines, sines, int64s({1, 2}, {0, 2})},
                        .opset = 23}),
              HasSubstr("outside the cache of 2 rows"));
}

}  // namespace
}  // namespace mini_infer
