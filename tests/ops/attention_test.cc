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

// The result of ONNX's Attention, as doubles.
std::vector<double> plain_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    std::int64_t heads, const Tensor& mask, bool causal) {
  const auto outputs = outputs_of({.type = "Attention",
                                   .inputs = {q, k, v, mask},
                                   .attributes = {{"q_num_heads", heads},
                                                  {"kv_num_heads", heads},
                                                  {"is_causal", std::int64_t{causal}}},
                                   .opset = 23});
  return outputs.empty() ? std::vector<double>{} : doubles(outputs[0]);
}

Tensor plus_bias(const Tensor& x, const Tensor& bias, std::int64_t first) {
  const auto values =
      tabulate(x.shape(), [&](const Index& i) { return at(x, i) + at(bias, {first + i[2]}); });
  return floats(x.shape(), std::vector<float>(values.begin(), values.end()));
}

TEST(MultiHeadAttention, AddsBiasAndMasksPadding) {
  const Tensor q = random_floats({2, 5, 12}), k = random_floats({2, 7, 12}, -1, 1, 2);
  const Tensor v = random_floats({2, 7, 6}, -1, 1, 3), bias = random_floats({30}, -1, 1, 4);
  const Tensor score_bias = random_floats({1, 3, 5, 7}, -1, 1, 5);
  std::vector<std::int32_t> padding(14, 1);
  padding[5] = padding[6] = padding[7] = 0;
  // The same mask as numbers for every head and row.
  const auto mask = tabulate({2, 3, 5, 7}, [&](const Index& i) {
    const bool counts = padding[static_cast<std::size_t>(i[0] * 7 + i[3])] != 0;
    return at(score_bias, {0, i[1], i[2], i[3]}) + (counts ? 0 : -10000);
  });
  const auto expected =
      plain_attention(plus_bias(q, bias, 0), plus_bias(k, bias, 12), plus_bias(v, bias, 24), 3,
                      floats({2, 3, 5, 7}, std::vector<float>(mask.begin(), mask.end())), false);
  expect_op({.type = "MultiHeadAttention",
             .inputs = {q, k, v, bias, Tensor::from<std::int32_t>({2, 7}, padding), score_bias},
             .attributes = {{"num_heads", std::int64_t{3}}},
             .opset = 1,
             .domain = "com.microsoft"},
            {2, 5, 6}, expected, {.absolute = 2e-5});
}

TEST(MultiHeadAttention, AppendsToThePast) {
  const Tensor q = random_floats({1, 2, 8}), k = random_floats({1, 2, 8}, -1, 1, 2);
  const Tensor past = random_floats({1, 2, 3, 4}, -1, 1, 3);
  const auto run = outputs_of(
      {.type = "MultiHeadAttention",
       .inputs = {q, k, k, Tensor(), Tensor(), Tensor(), past, past},
       .attributes = {{"num_heads", std::int64_t{2}}, {"unidirectional", std::int64_t{1}}},
       .opset = 1,
       .domain = "com.microsoft",
       .outputs = 3});
  const auto plain = outputs_of({.type = "Attention",
                                 .inputs = {q, k, k, Tensor(), past, past},
                                 .attributes = {{"q_num_heads", std::int64_t{2}},
                                                {"kv_num_heads", std::int64_t{2}},
                                                {"is_causal", std::int64_t{1}}},
                                 .opset = 23,
                                 .outputs = 3});
  ASSERT_EQ(run.size(), 3u);
  ASSERT_EQ(plain.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(run[i].shape(), plain[i].shape());
    EXPECT_TRUE(close(run[i], doubles(plain[i]), {.absolute = 1e-6}));
  }
}

TEST(PackedAttention, ProjectsThenAttends) {
  const Tensor x = random_floats({2, 5, 6}), weights = random_floats({6, 24}, -1, 1, 2);
  const Tensor bias = random_floats({24}, -1, 1, 3);
  const auto project = [&](std::int64_t first) {
    const auto values = tabulate({2, 5, 8}, [&](const Index& o) {
      double sum = at(bias, {first + o[2]});
      for (std::int64_t i = 0; i < 6; ++i) {
        sum += at(x, {o[0], o[1], i}) * at(weights, {i, first + o[2]});
      }
      return sum;
    });
    return floats({2, 5, 8}, std::vector<float>(values.begin(), values.end()));
  };
  // Two keys count in batch 0, all five in batch 1.
  const auto mask = tabulate(
      {2, 1, 1, 5}, [](const Index& i) { return i[0] == 0 && i[3] >= 2 ? -10000.0 : 0.0; });
  const auto expected =
      plain_attention(project(0), project(8), project(16), 2,
                      floats({2, 1, 1, 5}, std::vector<float>(mask.begin(), mask.end())), false);
  OpCase op{.type = "Attention",
            .inputs = {x, weights, bias, Tensor::from<std::int32_t>({2}, {2, 5})},
            .attributes = {{"num_heads", std::int64_t{2}}},
            .opset = 1,
            .domain = "com.microsoft"};
  expect_op(op, {2, 5, 8}, expected, {.absolute = 2e-5});
  op.constants = {1};
  expect_op(op, {2, 5, 8}, expected, {.absolute = 2e-5});
}

TEST(EmbedLayerNormalization, NormalisesTheSumOfEmbeddings) {
  const Tensor ids = Tensor::from<std::int32_t>({1, 2}, {1, 0});
  const Tensor words = floats({2, 2}, {1, 3, 5, 1}), positions = floats({2, 2}, {0, 0, 1, 1});
  const Tensor gamma = floats({2}, {2, 3}), beta = floats({2}, {0, 1});
  OpCase op{.type = "EmbedLayerNormalization",
            .inputs = {ids, Tensor(), words, positions, Tensor(), gamma, beta},
            .opset = 1,
            .domain = "com.microsoft",
            .outputs = 2};
  // Sums [5,1] and [2,4]: two numbers always become +-1.
  expect_op(op, {1, 2, 2}, {2, -2, -2, 4}, {.absolute = 1e-5});
  op.inputs[0] = Tensor::from<std::int32_t>({1, 2}, {1, 2});
  EXPECT_THAT(error_of(op), HasSubstr("row 2 at position 1 is outside the 2 rows of input 2"));
}

}  // namespace
}  // namespace mini_infer
