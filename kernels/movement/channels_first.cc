// ChannelsFirst of mini-infer, made by the pass fuse_channels_first: rows of channels become a map
// with the extents of attribute `pixels`:
//   y[n, k, pixels...] = x[n, pixels..., k]
// Float32; y may be blocked, in which the channels of a pixel stay neighbours.
#include <algorithm>

#include "kernels/movement/channels_last.simd.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kPixelsPerItem = 64;

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  const SymShape* x = c.shape(0);
  const Ints pixels = c.ints("pixels");
  if (x == nullptr || x->rank() < 3 || pixels.empty()) {
    return invalid_model("ChannelsFirst takes a tensor [N,...,C] and the extents of pixels");
  }
  SymShape y{(*x)[0], (*x)[x->rank() - 1]};
  for (const std::int64_t extent : pixels) y.push_back(extent);
  c.set_output(0, c.dtype(0), std::move(y));
  return ok();
}

struct Extents {
  std::int64_t images, channels, pixels;
};

PreparedKernel to_plain(const PrepareContext& c, const Extents& e) {
  const std::int64_t image = e.channels * e.pixels;
  StridedCopy copy(
      {{e.images, image, image}, {e.channels, 1, e.pixels}, {e.pixels, e.channels, 1}});
  PreparedKernel kernel{.name = "channels_first/" + copy.kind()};
  kernel.run = [copy = std::move(copy), dtype = c.dtype(0)](const KernelContext& k) {
    copy.run(k, dtype, k.inputs[0], k.outputs[0]);
    return ok();
  };
  return kernel;
}

PreparedKernel to_blocked(const PrepareContext& c, const Extents& e) {
  const std::int64_t lanes = isa_lanes(c.isa());
  const std::int64_t image = (e.channels + lanes - 1) / lanes * lanes * e.pixels;
  const std::int64_t runs = (e.pixels + kPixelsPerItem - 1) / kPixelsPerItem;
  PreparedKernel kernel{.name = c.with_isa("channels_first/blocked")};
  kernel.run = [=, rows = simd::rows_of_channels_f32.get(c.isa())](const KernelContext& k) {
    const auto work = static_cast<double>(std::min(kPixelsPerItem, e.pixels) * e.channels);
    k.parallel_for(e.images * runs, work, [&](Range items, int /*thread*/) {
      for (std::int64_t i = items.begin; i < items.end; ++i) {
        const std::int64_t n = i / runs, first = i % runs * kPixelsPerItem;
        rows({k.input<float>(0) + (n * e.pixels + first) * e.channels,
              k.output<float>(0) + n * image + first * lanes, e.pixels * lanes,
              static_cast<int>(e.channels), std::min(kPixelsPerItem, e.pixels - first)});
      }
    });
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  const Shape& y = c.output_shape();
  if (c.dtype(0) != DType::kFloat32) return not_implemented("ChannelsFirst of ", c.dtype(0));
  if (x.elements() != y.elements() || y.rank() < 3) {
    return invalid_model("pixels ", c.ints("pixels"), " are not those of ", x);
  }
  if (x.elements() == 0) return view_kernel(c, "view");
  const Extents e{y[0], y[1], y.elements(2, y.rank())};
  return c.output_layout() == Layout::kBlocked ? to_blocked(c, e) : to_plain(c, e);
}

LayoutChoice layout(const LayoutQuery& q) { return {{Layout::kPlain}, {q.inputs[0]}}; }

}  // namespace

MINI_DEFINE_OP(ChannelsFirst, {.domain = kInternalDomain,
                               .type = "ChannelsFirst",
                               .since = {1},
                               .infer = infer,
                               .prepare = prepare,
                               .layout = layout})

}  // namespace mini_infer
