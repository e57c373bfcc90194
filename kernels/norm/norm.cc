#include "kernels/norm/norm.h"

#include "graph/ir/constants.h"
#include "kernels/norm/norm.simd.h"

namespace mini_infer {

NormPlanes planes_of(const Shape& x) {
  return {.batch = x.rank() > 0 ? x[0] : 1,
          .channels = x.rank() > 1 ? x[1] : 1,
          .size = x.rank() > 2 ? x.elements(2, x.rank()) : 1};
}

LayoutChoice channelwise_layout(const LayoutQuery& query) {
  LayoutChoice choice{.inputs = std::vector<Layout>(query.inputs.size(), Layout::kPlain),
                      .outputs = std::vector<Layout>(query.node.outputs.size(), Layout::kPlain)};
  const Value& x = query.graph.value(query.node.inputs[0]);
  if (query.inputs[0] == Layout::kBlocked && x.dtype == DType::kFloat32 &&
      query.node.outputs.size() == 1) {
    choice.inputs[0] = choice.outputs[0] = Layout::kBlocked;
  }
  return choice;
}

std::vector<double> read_numbers(const void* data, DType dtype, std::int64_t count) {
  const Tensor view = Tensor::view(dtype, Shape{count}, const_cast<void*>(data));
  return numbers(view).value_or(std::vector<double>(static_cast<std::size_t>(count), 0));
}

Status expect_channels(const PrepareContext& c, std::size_t input, std::int64_t channels) {
  if (c.shape(input).elements() == channels) return ok();
  return invalid_model("input ", input, " has shape ", c.shape(input),
                       "; it must hold one value for each of the ", channels,
                       " channels of the input ", c.shape(0));
}

void apply_scale_shift(const KernelContext& k, Isa isa, Layout layout, const NormPlanes& planes,
                       const std::vector<ScaleShift>& per_image, const float* x, float* y) {
  const int lanes = isa_lanes(isa);
  const bool blocked = layout == Layout::kBlocked;
  const std::int64_t per = blocked ? planes.blocks(lanes) : planes.channels;
  const std::int64_t width = blocked ? lanes : 1;
  const double work = static_cast<double>(planes.size * width);
  k.parallel_for(planes.batch * per, work, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const ScaleShift& s =
          per_image[static_cast<std::size_t>(per_image.size() == 1 ? 0 : i / per)];
      const auto first = static_cast<std::size_t>(i % per * width);
      const std::int64_t at = i * planes.size * width;
      if (blocked) {
        simd::scale_shift_blocked_f32.get(isa)(
            x + at, y + at, static_cast<std::size_t>(planes.size), &s.k[first], &s.b[first]);
      } else {
        simd::scale_shift_f32.get(isa)(x + at, y + at, static_cast<std::size_t>(planes.size),
                                       s.k[first], s.b[first]);
      }
    }
  });
}

template <>
Moments moments_of(Isa isa, const float* x, std::int64_t n) {
  Moments m;
  simd::moments_f32.get(isa)(x, static_cast<std::size_t>(n), &m.mean, &m.variance);
  m.variance = std::max(m.variance, 0.0);
  return m;
}

template <>
Moments moments_of(Isa, const double* x, std::int64_t n) {
  Moments m;
  for (std::int64_t i = 0; i < n; ++i) m.mean += x[i] / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i)
    m.variance += (x[i] - m.mean) * (x[i] - m.mean) / static_cast<double>(n);
  return m;
}

}  // namespace mini_infer
