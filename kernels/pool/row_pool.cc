#include "kernels/pool/row_pool.h"

namespace mini_infer {
namespace {

struct Plane {
  std::int64_t count;  // planes, or blocks of planes
  std::int64_t lanes;  // floats of a pixel
};

// Output rows [rows.begin, rows.end), counted over all planes.
void pool_rows(const PoolGeometry& g, const RowPool& pool, const Plane& plane, Range rows,
               const float* x, float* y, float* column) {
  const std::int64_t in_row = g.in[2] * plane.lanes, out_row = g.out[2] * plane.lanes;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t p = row / g.out[1], oy = row % g.out[1];
    const TapRange taps = taps_inside(g, 1, oy);
    const std::int64_t first = oy * g.stride[1] - g.pad_begin[1] + taps.first * g.dilation[1];
    pool.row({.source = x + (p * g.in[1] + (taps.count() > 0 ? first : 0)) * in_row,
              .row_step = g.dilation[1] * in_row,
              .rows = taps.count(),
              .width = g.in[2],
              .taps = g.kernel[2],
              .stride = g.stride[2],
              .dilation = g.dilation[2],
              .pad = g.pad_begin[2],
              .out_width = g.out[2],
              .out = y + row * out_row,
              .column = column,
              .factors = pool.factors.empty() ? nullptr : pool.factors.data() + oy * g.out[2]});
  }
}

}  // namespace

bool takes_row_pool(const PrepareContext& c, const PoolGeometry& g) {
  constexpr std::int64_t kMostOutputs = 1 << 26;  // a sane plane; factors are kept for each output
  return g.out_plane() <= kMostOutputs && c.dtype(0) == DType::kFloat32 && g.in[0] == 1 &&
         g.out[0] == 1 && g.kernel[0] == 1 && g.in_plane() > 0;
}

PreparedKernel make_row_pool(const PrepareContext& c, const PoolGeometry& g, RowPool pool,
                             const std::string& name) {
  const bool blocked = c.layout(0) == Layout::kBlocked;
  const std::int64_t lanes = blocked ? c.lanes() : 1;
  const Plane plane{.count = g.n * ((g.channels + lanes - 1) / lanes), .lanes = lanes};
  // Rows are joined in scratch before columns, a line of its own for each thread; of blocked ones
  // where that takes fewer steps.
  constexpr std::int64_t kManyTaps = 16;
  const bool joined = !blocked || (g.kernel[1] > 2 && g.taps() >= kManyTaps);
  const std::int64_t column_floats = joined ? (g.in[2] * plane.lanes + 15) / 16 * 16 : 0;
  const double work = static_cast<double>(g.out[2] * g.taps() * plane.lanes);
  PreparedKernel kernel{.name = c.with_isa(name)};
  kernel.flop = work * static_cast<double>(plane.count * g.out[1]);
  kernel.scratch_bytes = static_cast<std::size_t>(column_floats * c.threads()) * sizeof(float);
  kernel.why = blocked ? "blocked rows" : "plain rows";
  kernel.run = [=, pool = std::move(pool)](const KernelContext& k) {
    float* columns = reinterpret_cast<float*>(k.scratch);
    k.parallel_for(plane.count * g.out[1], work, [&](Range rows, int thread) {
      pool_rows(g, pool, plane, rows, k.input<float>(0), k.output<float>(0),
                joined ? columns + thread * column_floats : nullptr);
    });
    return ok();
  };
  return kernel;
}

}  // namespace mini_infer
