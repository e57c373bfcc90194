// ChannelsLast of mini-infer, made by the pass fuse_channels_last: a map's channels moved behind
// its pixels, in groups:
//   y[n, g, pixels..., k] = x[n, g * channels / groups + k, pixels...]
// Without the axis of groups where there is one. Float32; x may be blocked, in which the channels
// of a pixel are neighbours already.
#include <algorithm>

#include "kernels/movement/channels_last.simd.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kPixelsPerItem = 256;

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const std::int64_t groups = c.integer("groups", 1);
  const SymShape* x = c.shape(0);
  if (x == nullptr || x->rank() < 3 || groups < 1) {
    return invalid_model("ChannelsLast takes a tensor [N,C,...] and groups of at least 1");
  }
  const Dim& channels = (*x)[1];
  if (channels.known() && channels.value() % groups != 0) {
    return invalid_model(channels, " channels are not a multiple of ", groups, " groups");
  }
  SymShape y{(*x)[0]};
  if (groups > 1) y.push_back(Dim(groups));
  for (std::size_t axis = 2; axis < x->rank(); ++axis) y.push_back((*x)[axis]);
  y.push_back(floor_div(channels, groups));
  c.set_output(0, c.dtype(0), std::move(y));
  return ok();
}

struct Extents {
  std::int64_t images, groups, channels, pixels;  // channels of a group
};

PreparedKernel from_plain(const PrepareContext& c, const Extents& e) {
  StridedCopy copy({{e.images * e.groups, e.channels * e.pixels, e.channels * e.pixels},
                    {e.pixels, 1, e.channels},
                    {e.channels, e.pixels, 1}});
  PreparedKernel kernel{.name = "channels_last/" + copy.kind()};
  kernel.run = [copy = std::move(copy), dtype = c.dtype(0)](const KernelContext& k) {
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

PreparedKernel from_blocked(const PrepareContext& c, const Extents& e) {
  const std::int64_t lanes = isa_lanes(c.isa());
  const std::int64_t image = (e.groups * e.channels + lanes - 1) / lanes * lanes * e.pixels;
  const std::int64_t runs = (e.pixels + kPixelsPerItem - 1) / kPixelsPerItem;
  PreparedKernel kernel{.name = c.with_isa("channels_last/blocked")};
  kernel.run = [=, rows = simd::channel_rows_f32.get(c.isa())](const KernelContext& k) {
    const auto work = static_cast<double>(std::min(kPixelsPerItem, e.pixels) * e.channels);
    k.parallel_for(e.images * e.groups * runs, work, [&](Range items, int /*thread*/) {
      for (std::int64_t i = items.begin; i < items.end; ++i) {
        const std::int64_t map = i / runs, first = i % runs * kPixelsPerItem;
        rows({k.input<float>(0) + map / e.groups * image + first * lanes, e.pixels * lanes,
              static_cast<int>(map % e.groups * e.channels), static_cast<int>(e.channels),
              std::min(kPixelsPerItem, e.pixels - first),
              k.output<float>(0) + (map * e.pixels + first) * e.channels});
      }
    });
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  if (c.dtype(0) != DType::kFloat32) return not_implemented("ChannelsLast of ", c.dtype(0));
  const std::int64_t groups = c.integer("groups", 1);
  const Extents e{x[0], groups, x[1] / groups, x.elements(2, x.rank())};
  if (x.elements() == 0) return view_kernel(c, "view");
  return c.layout(0) == Layout::kBlocked ? from_blocked(c, e) : from_plain(c, e);
}

LayoutChoice layout(const LayoutQuery& q) { return {{q.inputs[0]}, {Layout::kPlain}}; }

}  // namespace

MINI_DEFINE_OP(ChannelsLast, {.domain = kInternalDomain,
                              .type = "ChannelsLast",
                              .since = {1},
                              .infer = infer,
                              .prepare = prepare,
                              .layout = layout})

}  // namespace mini_infer
