// TfIdfVectorizer: how often n-grams of a pool occur in a sequence.
//                                              onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
#include <algorithm>
#include <map>
#include <memory>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const Ints indexes = c.ints("ngram_indexes");
  std::int64_t features = 0;
  for (const std::int64_t index : indexes) {
    if (index < 0 || index > INT32_MAX) return invalid_model("ngram_indexes has ", index);
    features = std::max(features, index + 1);
  }
  c.set_output(0, DType::kFloat32);
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (x->rank() > 2) return invalid_model("input has shape ", *x, "; it must be [C] or [N,C]");
  c.set_output(0, DType::kFloat32,
               x->rank() == 2 ? SymShape{(*x)[0], features} : SymShape{features});
  return ok();
}

// N-grams as lists of words, and which feature they count for.
template <class Word>
using Pool = std::map<std::vector<Word>, std::size_t>;

template <class Word>
Result<Pool<Word>> make_pool(const AttributeReader& c, const std::vector<Word>& words) {
  const Ints counts = c.ints("ngram_counts");
  const std::size_t total = c.ints("ngram_indexes").size();
  Pool<Word> pool;
  for (std::size_t n = 1; n <= counts.size(); ++n) {
    const std::int64_t first = counts[n - 1];
    const std::int64_t last =
        n < counts.size() ? counts[n] : static_cast<std::int64_t>(words.size());
    if (first < 0 || last < first || last > static_cast<std::int64_t>(words.size()) ||
        (last - first) % static_cast<std::int64_t>(n) != 0) {
      return invalid_model("ngram_counts ", counts, " do not fit a pool of ", words.size());
    }
    for (auto at = words.begin() + first; at != words.begin() + last;
         at += static_cast<std::ptrdiff_t>(n)) {
      pool.emplace(std::vector<Word>(at, at + static_cast<std::ptrdiff_t>(n)), pool.size());
    }
  }
  if (pool.size() > total) return invalid_model("ngram_indexes has fewer numbers than n-grams");
  return pool;
}

// x: [rows][length], y: [rows][features]
struct Problem {
  std::int64_t rows, length, features, least, most, skips;
  std::string mode;
  Ints indexes;
  Floats weights;
};

template <class Word>
struct WordOf {
  template <class T>
  static Word get(const T* x, std::int64_t i) {
    return static_cast<Word>(x[i]);
  }
};

// Adds up the occurrences in one row; words of an n-gram may be up to `skips` words apart.
template <class Word, class T>
void count_row(const Problem& p, const Pool<Word>& pool, const T* x, std::vector<float>& counts) {
  for (std::int64_t skip = 1; skip <= std::min(p.skips, p.length) + 1; ++skip) {
    for (std::int64_t n = p.least; n <= p.most; ++n) {
      if (n == 1 && skip > 1) continue;
      for (std::int64_t start = 0; start + skip * (n - 1) < p.length; ++start) {
        std::vector<Word> gram;
        for (std::int64_t i = 0; i < n; ++i) {
          gram.push_back(WordOf<Word>::get(x, start + i * skip));
        }
        const auto found = pool.find(gram);
        if (found != pool.end()) counts[found->second] += 1.f;
      }
    }
  }
}

template <class Word, class T>
PreparedKernel count_kernel(Problem problem, Pool<Word> pool) {
  PreparedKernel kernel;
  kernel.name = "tf_idf";
  kernel.run = [p = std::move(problem), pool = std::move(pool)](const KernelContext& k) {
    float* y = k.output<float>(0);
    std::fill_n(y, p.rows * p.features, 0.f);
    for (std::int64_t row = 0; row < p.rows; ++row) {
      std::vector<float> counts(p.indexes.size(), 0.f);
      count_row(p, pool, k.input<T>(0) + row * p.length, counts);
      for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) continue;
        const float weight = p.weights.empty() ? 1.f : p.weights[i];
        const float value = p.mode == "TF"    ? counts[i]
                            : p.mode == "IDF" ? weight
                                              : counts[i] * weight;
        y[row * p.features + p.indexes[i]] = value;
      }
    }
    return ok();
  };
  return kernel;
}

Result<Problem> problem_of(const PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  Problem p{.rows = x.rank() == 2 ? x[0] : 1,
            .length = x.rank() == 0 ? 1 : x[x.rank() - 1],
            .features = out[out.rank() - 1],
            .least = c.integer("min_gram_length", 1),
            .most = c.integer("max_gram_length", 1),
            .skips = c.integer("max_skip_count", 0),
            .mode = c.string("mode", "TF"),
            .indexes = c.ints("ngram_indexes"),
            .weights = c.floats("weights")};
  if (p.least < 1 || p.most < p.least || p.most > 1024 || p.skips < 0 || p.skips > INT32_MAX ||
      (!p.weights.empty() && p.weights.size() != p.indexes.size()) ||
      (p.mode != "TF" && p.mode != "IDF" && p.mode != "TFIDF")) {
    return invalid_model("mode '", p.mode, "' with n-grams of ", p.least, " to ", p.most,
                         " words, ", p.skips, " skips, ", p.weights.size(), " weights");
  }
  return p;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(Problem p, problem_of(c));
  if (c.dtype(0) == DType::kString) {
    MINI_TRY_ASSIGN(auto pool, make_pool<std::string>(c, c.strings("pool_strings")));
    return count_kernel<std::string, std::string>(std::move(p), std::move(pool));
  }
  MINI_TRY_ASSIGN(auto pool, make_pool<std::int64_t>(c, c.ints("pool_int64s")));
  if (c.dtype(0) == DType::kInt32) {
    return count_kernel<std::int64_t, std::int32_t>(std::move(p), std::move(pool));
  }
  if (c.dtype(0) == DType::kInt64) {
    return count_kernel<std::int64_t, std::int64_t>(std::move(p), std::move(pool));
  }
  return not_implemented("TfIdfVectorizer of ", dtype_name(c.dtype(0)));
}

}  // namespace

MINI_DEFINE_OP(TfIdfVectorizer,
               {.type = "TfIdfVectorizer", .since = {9}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
