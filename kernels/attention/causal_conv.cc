// CausalConvWithState: a depthwise convolution over the past, whose end is kept for the next call.
//                                              onnx.ai/onnx/operators/onnx__CausalConvWithState.html
//
// Inputs: x [batch, channels, length], weight [channels, 1, k], bias, past_state [batch, channels,
// k - 1] (zeros when left out). Outputs: y like x, present_state like past_state.
#include <cmath>

#include "kernels/op.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 4));
  c.set_output(0, c.dtype(0));
  c.set_output(1, c.dtype(0));
  const SymShape *x = c.shape(0), *weight = c.shape(1);
  if (x == nullptr || weight == nullptr) return ok();
  if (x->rank() != 3 || weight->rank() != 3) {
    return invalid_model("input ", *x, " and weight ", *weight, " must have rank 3");
  }
  c.set_output(0, c.dtype(0), *x);
  c.set_output(1, c.dtype(0), SymShape{(*x)[0], (*x)[1], (*weight)[2] - Dim(1)});
  return ok();
}

struct Problem {
  std::int64_t batches, channels, length, taps;
  bool silu;
};

template <class T>
void run(const KernelContext& k, const Problem& p) {
  const std::int64_t before = p.taps - 1;
  const double work = static_cast<double>(p.length * p.taps);
  k.parallel_for(p.batches * p.channels, work, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* x = k.input<T>(0) + i * p.length;
      const T *past = k.input<T>(3), *bias = k.input<T>(2);
      const T* weight = k.input<T>(1) + i % p.channels * p.taps;
      // Element t of the past and the input, one after the other.
      const auto element = [&](std::int64_t t) {
        if (t >= before) return x[t - before];
        return past != nullptr ? past[i * before + t] : from_real<T>(0);
      };
      for (std::int64_t t = 0; t < p.length; ++t) {
        double sum = bias != nullptr ? real(bias[i % p.channels]) : 0;
        for (std::int64_t tap = 0; tap < p.taps; ++tap) {
          sum += real(weight[tap]) * real(element(t + tap));
        }
        k.output<T>(0)[i * p.length + t] = from_real<T>(p.silu ? sum / (1 + std::exp(-sum)) : sum);
      }
      for (std::int64_t t = 0; t < before && k.output<T>(1) != nullptr; ++t) {
        k.output<T>(1)[i * before + t] = element(p.length + t);
      }
    }
  });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &x = c.shape(0), &weight = c.shape(1);
  const std::string activation = c.string("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    return not_implemented("activation '", activation, "'");
  }
  const Problem p{x[0], x[1], x[2], weight[2], activation != "none"};
  if (weight[0] != p.channels || weight[1] != 1 || p.taps < 1 ||
      (c.has_input(2) && c.shape(2).elements() != p.channels) ||
      (c.has_input(3) && c.shape(3) != Shape{p.batches, p.channels, p.taps - 1})) {
    return invalid_model("weight ", weight, ", bias ", c.shape(2), " or past_state ", c.shape(3),
                         " do not fit input ", x);
  }
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    if (c.has_input(i) && c.dtype(i) != c.dtype(0)) {
      return invalid_model("input ", i, " differs from input 0 in dtype");
    }
  }
  PreparedKernel kernel;
  kernel.name = "causal_conv";
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [p](const KernelContext& k) {
      run<T>(k, p);
      return ok();
    };
  });
  if (!known) return not_implemented("CausalConvWithState of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(CausalConvWithState,
               {.type = "CausalConvWithState", .since = {26}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
