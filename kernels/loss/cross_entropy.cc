// NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss.
//                                              onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html
//
// loss = -weight[t] log p[n, t, ...] with t = target[n, ...]; targets equal to ignore_index count
// nothing. Reductions: none, sum, mean (over the weights of what counts).
#include <algorithm>
#include <cmath>

#include "kernels/movement/params.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

enum class LossReduction { kNone, kSum, kMean };

Result<LossReduction> loss_reduction(const AttributeReader& c) {
  const std::string name = c.string("reduction", "mean");
  if (name == "none") return LossReduction::kNone;
  if (name == "sum") return LossReduction::kSum;
  if (name == "mean") return LossReduction::kMean;
  return invalid_model("reduction '", name, "'");
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  MINI_TRY_ASSIGN(const LossReduction reduction, loss_reduction(c));
  c.set_output(0, c.dtype(0));
  c.set_output(1, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x != nullptr && x->rank() < 2) return invalid_model("scores of shape ", *x);
  if (x != nullptr) c.set_output(1, c.dtype(0), *x);
  if (reduction != LossReduction::kNone) {
    c.set_output(0, c.dtype(0), SymShape{});
  } else if (x != nullptr) {
    std::vector<Dim> out = x->dims();
    out.erase(out.begin() + 1);
    c.set_output(0, c.dtype(0), SymShape(std::move(out)));
  }
  return ok();
}

// scores: [batches][classes][inner], targets: [batches][inner]
struct Problem {
  std::int64_t batches, classes, inner;
  LossReduction reduction;
  DType target_dtype;
  bool has_ignored, softmax;
  std::int64_t ignored;
};

// log of the softmax over the classes at one place; `column` is classes apart by p.inner.
template <class T>
double log_sum(const T* column, const Problem& p) {
  double most = real(column[0]), sum = 0;
  for (std::int64_t c = 1; c < p.classes; ++c) most = std::max(most, real(column[c * p.inner]));
  for (std::int64_t c = 0; c < p.classes; ++c) sum += std::exp(real(column[c * p.inner]) - most);
  return most + std::log(sum);
}

template <class T>
Status run(const KernelContext& k, const Problem& p) {
  const T *scores = k.input<T>(0), *weights = k.input<T>(2);
  T *loss = k.output<T>(0), *logs = k.output<T>(1);
  double total = 0, total_weight = 0;
  for (std::int64_t i = 0; i < p.batches * p.inner; ++i) {
    const std::int64_t base = i / p.inner * p.classes * p.inner + i % p.inner;
    const double shift = p.softmax ? log_sum(scores + base, p) : 0;
    for (std::int64_t c = 0; c < p.classes && logs != nullptr; ++c) {
      const std::int64_t at = base + c * p.inner;
      logs[at] = from_real<T>(real(scores[at]) - shift);
    }
    const std::int64_t target = index_at(k.inputs[1], p.target_dtype, i);
    const bool counts = !p.has_ignored || target != p.ignored;
    if (counts && (target < 0 || target >= p.classes)) {
      return error(Code::kInvalidArgument, "target ", target, " at position ", i, " is outside [0,",
                   p.classes - 1, "]");
    }
    const double weight = !counts ? 0 : weights != nullptr ? real(weights[target]) : 1;
    const double value = counts ? -weight * (real(scores[base + target * p.inner]) - shift) : 0;
    if (p.reduction == LossReduction::kNone) loss[i] = from_real<T>(value);
    total += value;
    total_weight += weight;
  }
  if (p.reduction == LossReduction::kSum) *loss = from_real<T>(total);
  if (p.reduction == LossReduction::kMean) *loss = from_real<T>(total / total_weight);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &x = c.shape(0), &targets = c.shape(1);
  Problem p{.batches = x[0], .classes = x[1], .inner = x.elements(2, x.rank())};
  MINI_TRY(expect_indices(c.dtype(1), "the target"));
  MINI_TRY_ASSIGN(p.reduction, loss_reduction(c));
  p.target_dtype = c.dtype(1);
  p.has_ignored = c.has("ignore_index");
  p.ignored = c.integer("ignore_index", 0);
  p.softmax = c.node().op_type == "SoftmaxCrossEntropyLoss";
  if (p.classes < 1 || targets.elements() != p.batches * p.inner ||
      (c.has_input(2) && (c.shape(2).elements() != p.classes || c.dtype(2) != c.dtype(0)))) {
    return invalid_model("scores ", x, ", targets ", targets, " and weights ", c.shape(2),
                         " do not fit each other");
  }
  PreparedKernel kernel;
  kernel.name = "cross_entropy";
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [p](const KernelContext& k) { return run<T>(k, p); };
  });
  if (!known) return not_implemented("a loss of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(NegativeLogLikelihoodLoss, {.type = "NegativeLogLikelihoodLoss",
                                           .since = {12, 13, 22},
                                           .infer = infer,
                                           .prepare = prepare})
MINI_DEFINE_OP(SoftmaxCrossEntropyLoss, {.type = "SoftmaxCrossEntropyLoss",
                                         .since = {12, 13},
                                         .infer = infer,
                                         .prepare = prepare})

}  // namespace mini_infer
