#include "tools/text.h"

#include <gmock/gmock.h>

#include "tools/classify.h"
#include "tools/compare.h"
#include "tools/labels.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Text, PrintableReplacesWhatIsNoText) {
  EXPECT_EQ(printable("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(printable("a\33[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(printable("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Labels, ManyFormats) {
  const auto cats = ElementsAre("cat", "dog");
  EXPECT_THAT(parse_labels("cat\ndog\n"), cats);
  EXPECT_THAT(parse_labels("0,cat\r\n1,dog"), cats);
  EXPECT_THAT(parse_labels("0: cat\n1: dog"), cats);
  EXPECT_THAT(parse_labels("n02123045 cat\nn02123159 dog"), cats);
  EXPECT_THAT(parse_labels("{0: 'cat',\n 1: \"dog\"}"), cats);
  EXPECT_THAT(parse_labels("{1: 'it\\'s', 0: 'a'}"), ElementsAre("a", "it's"));
  EXPECT_THAT(parse_labels("3,cat\n7,dog"), ElementsAre("3,cat", "7,dog"));
  EXPECT_TRUE(parse_labels("").empty());
  EXPECT_THAT(parse_labels("{0: 'cut o"), ElementsAre("cut o"));
  EXPECT_TRUE(parse_labels("{99999999999999999999: 'x'}").empty());
}

TEST(Compare, TolerancesAndSpecialValues) {
  const auto same = [](std::vector<float> a, std::vector<float> b, Tolerance t = {}) {
    const auto n = static_cast<std::int64_t>(a.size());
    return compare(Tensor::from<float>({n}, a), Tensor::from<float>({n}, b), t).problem.empty();
  };
  EXPECT_TRUE(same({1.0005F}, {1}));
  EXPECT_FALSE(same({1.002F}, {1}));
  EXPECT_TRUE(same({0.01F}, {0}, {0, 0.02}));
  EXPECT_TRUE(same({NAN, INFINITY}, {NAN, INFINITY}));
  EXPECT_FALSE(same({1}, {NAN}));
  EXPECT_FALSE(same({NAN}, {1}));
  EXPECT_FALSE(same({INFINITY}, {-INFINITY}));
  EXPECT_FALSE(same({3e38F}, {INFINITY}));
}

TEST(Compare, SaysWhereAndHowFar) {
  const Comparison c = compare(Tensor::from<float>({2, 2}, {0, 0, 5, 1}),
                               Tensor::from<float>({2, 2}, {0, 0, 0, 0}), {});
  EXPECT_THAT(c.problem,
              HasSubstr("2 of 4 values differ; the worst at [1,0]: 5 instead of 0, off by 5"));
  EXPECT_EQ(c.largest_difference, 5);
  EXPECT_THAT(compare(Tensor(DType::kInt32, {2}), Tensor(DType::kInt32, {3}), {}).problem,
              "shape [2] instead of [3]");
  EXPECT_THAT(compare(Tensor(DType::kInt32, {2}), Tensor(DType::kInt64, {2}), {}).problem,
              "type int32 instead of int64");
}

TEST(Compare, TextAndBigIntegersAreExact) {
  const Tensor a = Tensor::from<std::string>({2}, {"x", "y"}),
               b = Tensor::from<std::string>({2}, {"x", "z"});
  EXPECT_TRUE(compare(a, a, {}).problem.empty());
  EXPECT_THAT(compare(a, b, {}).problem, "at [1] 'y' instead of 'z'");
  constexpr std::int64_t kBig = (std::int64_t{1} << 60) + 1;
  const Tensor one = Tensor::from<std::int64_t>({1}, {kBig}),
               two = Tensor::from<std::int64_t>({1}, {kBig + 1});
  EXPECT_FALSE(compare(one, two, {0, 0}).problem.empty());
  EXPECT_TRUE(compare(one, one, {0, 0}).problem.empty());
}

TEST(Classify, KnowsAClassifier) {
  const auto is = [](const Shape& shape, std::size_t labels = 0) {
    return is_classification({Tensor(DType::kFloat32, shape)}, labels);
  };
  EXPECT_TRUE(is({1, 1000}));
  EXPECT_TRUE(is({1, 1000, 1, 1}));
  EXPECT_TRUE(is({10}));
  EXPECT_FALSE(is({1, 512}));
  EXPECT_TRUE(is({1, 512}, 512));
  EXPECT_FALSE(is({1, 3, 224, 224}));
  EXPECT_FALSE(is({2, 10}));
  EXPECT_FALSE(is({1, 1}));
  const Tensor scores(DType::kFloat32, {1, 10});
  EXPECT_FALSE(is_classification({scores, scores}, 0));
}

TEST(Classify, SoftmaxUnlessProbabilities) {
  const auto top = top_classes(Tensor::from<float>({1, 3}, {0.2F, 0.7F, 0.1F}), 2, {"a", "b"});
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].label, "b");
  EXPECT_FLOAT_EQ(static_cast<float>(top[0].probability), 0.7F);
  const auto logits = top_classes(Tensor::from<float>({3}, {1, 3, 1}), 5, {});
  ASSERT_EQ(logits.size(), 3U);
  EXPECT_NEAR(logits[0].probability, 1 / (1 + 2 * std::exp(-2.0)), 1e-9);
  EXPECT_EQ(logits[0].label, "class 1");
  EXPECT_EQ(logits[1].index, 0U);
}

}  // namespace
}  // namespace mini_infer::tools
