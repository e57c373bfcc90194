// InstanceNormalization and GroupNormalization: statistics of each image over a channel, or over a
// group of channels.
//   y = (x - mean) / sqrt(var + epsilon) * scale[c] + B[c]
//   onnx.ai/onnx/operators/onnx__InstanceNormalization.html
#include <algorithm>

#include "kernels/norm/norm.h"
#include "kernels/norm/norm.simd.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

// Which scale and bias a channel has: GroupNormalization before opset 21 gives one for each group.
struct Affine {
  std::int64_t channels_per_value = 1;
  std::size_t at(std::int64_t channel) const {
    return static_cast<std::size_t>(channel / channels_per_value);
  }
};

// Blocks: each lane is a channel with statistics of its own.
void instance_norm_blocked(const KernelContext& k, Isa isa, const NormPlanes& planes,
                           double epsilon) {
  constexpr int kMostLanes = 16;
  const int lanes = isa_lanes(isa);
  const std::int64_t blocks = planes.blocks(lanes);
  const float *x = k.input<float>(0), *scale = k.input<float>(1), *shift = k.input<float>(2);
  float* y = k.output<float>(0);
  const auto moments = simd::moments_blocked_f32.get(isa);
  const auto apply = simd::scale_shift_blocked_f32.get(isa);
  const auto size = static_cast<std::size_t>(planes.size);
  k.parallel_for(
      planes.batch * blocks, 4.0 * static_cast<double>(planes.size * lanes), [&](Range range, int) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
          double mean[kMostLanes], variance[kMostLanes];
          float factor[kMostLanes] = {}, offset[kMostLanes] = {};
          const std::int64_t at = i * planes.size * lanes, first = i % blocks * lanes;
          moments(x + at, size, mean, variance);
          for (int lane = 0; lane < lanes && first + lane < planes.channels; ++lane) {
            const double f = static_cast<double>(scale[first + lane]) /
                             std::sqrt(std::max(variance[lane], 0.0) + epsilon);
            factor[lane] = static_cast<float>(f);
            offset[lane] =
                static_cast<float>(static_cast<double>(shift[first + lane]) - mean[lane] * f);
          }
          apply(x + at, y + at, size, factor, offset);
        }
      });
}

// Plain: groups of `per_group` channels lie together.
template <class T>
void group_norm_plain(const KernelContext& k, Isa isa, const NormPlanes& planes,
                      std::int64_t per_group, Affine affine, double epsilon) {
  const T *x = k.input<T>(0), *scale = k.input<T>(1), *shift = k.input<T>(2);
  T* y = k.output<T>(0);
  const std::int64_t groups = planes.channels / per_group, group_size = per_group * planes.size;
  k.parallel_for(
      planes.batch * groups, 4.0 * static_cast<double>(group_size), [&](Range range, int) {
        for (std::int64_t g = range.begin; g < range.end; ++g) {
          const Moments m = moments_of(isa, x + g * group_size, group_size);
          const double inverse = 1 / std::sqrt(m.variance + epsilon);
          for (std::int64_t j = 0; j < per_group; ++j) {
            const std::size_t value = affine.at(g % groups * per_group + j);
            const double factor = static_cast<double>(scale[value]) * inverse;
            const double offset = static_cast<double>(shift[value]) - m.mean * factor;
            const std::int64_t at = g * group_size + j * planes.size;
            if constexpr (std::is_same_v<T, float>) {
              simd::scale_shift_f32.get(isa)(x + at, y + at, static_cast<std::size_t>(planes.size),
                                             static_cast<float>(factor),
                                             static_cast<float>(offset));
            } else {
              for (std::int64_t i = at; i < at + planes.size; ++i) y[i] = x[i] * factor + offset;
            }
          }
        }
      });
}

Status check(const PrepareContext& c, const NormPlanes& planes, std::int64_t values) {
  if (c.shape(0).rank() < 3)
    return invalid_model("the input has shape ", c.shape(0), "; it must be [N,C,spatial...]");
  if (planes.size == 0)
    return invalid_model("the input has shape ", c.shape(0), "; its planes are empty");
  for (std::size_t i = 1; i <= 2; ++i) {
    if (c.dtype(i) != c.dtype(0))
      return not_implemented("input ", i, " is ", c.dtype(i), " and the data ", c.dtype(0));
    if (c.shape(i).elements() != values) {
      return invalid_model("input ", i, " has shape ", c.shape(i), "; it must hold ", values,
                           " values for an input of ", c.shape(0));
    }
  }
  return ok();
}

Result<PreparedKernel> make(PrepareContext& c, const NormPlanes& planes, std::int64_t per_group,
                            Affine affine, const char* name) {
  const double epsilon = static_cast<double>(c.number("epsilon", 1e-5f));
  return for_real(c, [&]<class T>() -> Result<PreparedKernel> {
    const bool blocked = c.layout(0) == Layout::kBlocked;
    PreparedKernel kernel{.name = c.with_isa(std::string(name) + (blocked ? "/blocked" : "/plain")),
                          .flop = 5.0 * static_cast<double>(c.shape(0).elements())};
    kernel.aliases = {{.kind = Alias::Kind::kInPlace, .output = 0, .input = 0, .offset = 0}};
    kernel.run = [=, isa = c.isa()](const KernelContext& k) {
      if (blocked) {
        instance_norm_blocked(k, isa, planes, epsilon);
      } else {
        group_norm_plain<T>(k, isa, planes, per_group, affine, epsilon);
      }
      return ok();
    };
    return kernel;
  });
}

Result<PreparedKernel> prepare_instance(PrepareContext& c) {
  const NormPlanes planes = planes_of(c.shape(0));
  MINI_TRY(check(c, planes, planes.channels));
  return make(c, planes, 1, {}, "instance_norm");
}

Result<PreparedKernel> prepare_group(PrepareContext& c) {
  const NormPlanes planes = planes_of(c.shape(0));
  const std::int64_t groups = c.integer("num_groups", 0);
  if (groups <= 0 || planes.channels % groups != 0) {
    return invalid_model("num_groups is ", groups, "; it must divide the ", planes.channels,
                         " channels");
  }
  const bool by_group = c.opset() < 21;
  MINI_TRY(check(c, planes, by_group ? groups : planes.channels));
  const std::int64_t per_group = planes.channels / groups;
  return make(c, planes, per_group, {.channels_per_value = by_group ? per_group : 1}, "group_norm");
}

}  // namespace

MINI_DEFINE_OP(InstanceNormalization, {.type = "InstanceNormalization",
                                       .since = {1, 6, 22},
                                       .infer = infer,
                                       .prepare = prepare_instance,
                                       .layout = channelwise_layout})
MINI_DEFINE_OP(GroupNormalization, {.type = "GroupNormalization",
                                    .since = {18, 21},
                                    .infer = infer,
                                    .prepare = prepare_group})

}  // namespace mini_infer
