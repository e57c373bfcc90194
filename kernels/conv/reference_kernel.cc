#include "kernels/conv/reference_kernel.h"

#include "kernels/conv/reference.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

const void* input_at(const KernelContext& k, int i) {
  return i < 0 ? nullptr : k.input<void>(static_cast<std::size_t>(i));
}

// Bias, residual and activation for one sum.
template <class T>
struct End {
  End(const KernelContext& k, const ConvEnd& what)
      : end(what),
        bias(static_cast<const T*>(input_at(k, what.bias))),
        residual(static_cast<const T*>(input_at(k, what.residual))),
        slopes(static_cast<const T*>(input_at(k, what.slopes))) {}

  T operator()(std::int64_t index, std::int64_t oc, double sum) const {
    if (bias != nullptr) sum += real(bias[oc]);
    if (residual != nullptr) sum += real(residual[index]);
    if (slopes != nullptr)
      return from_real<T>(sum < 0 ? sum * real(slopes[end.one_slope ? 0 : oc]) : sum);
    return from_real<T>(activate(end.activation, sum));
  }

  const ConvEnd& end;
  const T* bias;
  const T* residual;
  const T* slopes;
};

template <class T, bool kTransposed>
Status run(const KernelContext& k, const ConvGeometry& g, const ConvEnd& conv_end) {
  const T* x = k.input<T>(0);
  const T* w = k.input<T>(1);
  T* y = k.output<T>(0);
  const End<T> end(k, conv_end);
  const auto x_at = [=](std::int64_t i) { return real(x[i]); };
  const auto w_at = [=](std::int64_t i, std::int64_t) { return real(w[i]); };
  const auto put = [&](std::int64_t i, std::int64_t oc, double sum) { y[i] = end(i, oc, sum); };
  const double work = static_cast<double>(g.out_plane()) * static_cast<double>(g.depth());
  k.parallel_for(g.n * g.oc, work, [&](Range planes, int) {
    if constexpr (kTransposed) {
      reference::conv_transpose<double>(g, planes, x_at, w_at, put);
    } else {
      reference::conv<double>(g, planes, x_at, w_at, put);
    }
  });
  return ok();
}

template <bool kTransposed>
PreparedKernel make(const PrepareContext& c, const ConvGeometry& g, const ConvEnd& end,
                    const char* name) {
  PreparedKernel kernel{.name = name, .flop = 2 * g.macs(), .why = "any shape"};
  dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [g, end](const KernelContext& k) { return run<T, kTransposed>(k, g, end); };
  });
  return kernel;
}

}  // namespace

PreparedKernel reference_conv(const PrepareContext& c, const ConvGeometry& g, const ConvEnd& end) {
  return make<false>(c, g, end, "conv/reference");
}

PreparedKernel reference_conv_transpose(const PrepareContext& c, const ConvGeometry& g,
                                        const ConvEnd& end) {
  PreparedKernel kernel = make<true>(c, g, end, "conv_transpose/reference");
  // Every input element meets every tap once.
  kernel.flop = 2 * static_cast<double>(g.n * g.ic) * static_cast<double>(g.in_plane()) *
                static_cast<double>(g.group_oc() * g.taps());
  return kernel;
}

}  // namespace mini_infer
