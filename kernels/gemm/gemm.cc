#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <limits>

#include "kernels/gemm/sgemm.simd.h"

namespace mini_infer {
namespace {

// Blocking. A block of A (mc x kc) stays in the L2 cache while panels of B (kc x nr) pass by; where
// B is packed while running, a chunk of it (kc x nc) stays there too.
constexpr std::int64_t kLeastDepth = 256, kMaxDepth = 1024;  // kc
constexpr std::int64_t kBlockOfA = 160 * 1024;               // floats
constexpr std::int64_t kBlockOfB = 128 * 1024;               // floats
constexpr std::int64_t kMacsForThread = 128 * 1024;          // less is not worth waking a thread
constexpr std::int64_t kPanelsInPlace = 12, kPanelsInPlaceAliased = 2;
constexpr std::int64_t kFloatsPerLine = 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

// a * b, or the greatest number where that overflows; a, b >= 0.
std::int64_t saturating_product(std::int64_t a, std::int64_t b) {
  std::int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::int64_t>::max()
                                                : product;
}

// Rows of a panel of A: as few panels as possible, as equal as possible; more where the last one
// would have so few rows that they take as long as more do: 197 are 16 panels of 12 and 5 rows, not
// 14 of 14 and one of 1.
int panel_rows(std::int64_t m, Isa isa) {
  const int most = simd::sgemm_tile_rows.get(isa)();
  if (m <= 0) return most;
  const auto equal = static_cast<int>(ceil_div(m, ceil_div(m, most)));
  for (int rows = equal; 4 * rows >= 3 * most; --rows) {
    if (m % rows == 0 || 4 * (m % rows) >= most) return rows;
  }
  return equal;
}

// Splits the tiles of a matrix over `tasks` threads: the split whose greatest part costs least,
// counting what packing costs anew for each part (an element packed costs about as much as
// kPackCost multiply-adds on registers).
void split_tiles(GemmPlan& plan, std::int64_t tasks) {
  constexpr double kPackCost = 8;
  const GemmShape& s = plan.shape;
  const std::int64_t row_panels = ceil_div(s.m, plan.mr), column_panels = ceil_div(s.n, plan.nr);
  double best = std::numeric_limits<double>::max();
  plan.row_tasks = plan.column_tasks = 1;
  for (std::int64_t rows = 1; rows <= std::min(tasks, row_panels); ++rows) {
    const std::int64_t columns = std::min(tasks / rows, column_panels);
    const double m = static_cast<double>(ceil_div(row_panels, rows) * plan.mr);
    const double n = static_cast<double>(ceil_div(column_panels, columns) * plan.nr);
    const double cost = m * n + kPackCost * ((s.a == GemmSource::kPacked ? 0.5 : 1) * m +
                                             (s.b == GemmSource::kPacked ? 0.5 : 1) * n);
    if (cost < best) {
      best = cost;
      plan.row_tasks = rows;
      plan.column_tasks = columns;
    }
  }
}

struct Part {
  std::int64_t begin, end;
};

// Part `index` of `parts` of [0, count), cut at multiples of `unit`.
Part part_of(std::int64_t count, std::int64_t unit, std::int64_t parts, std::int64_t index) {
  const std::int64_t units = ceil_div(count, unit);
  const std::int64_t each = units / parts, rest = units % parts;
  const std::int64_t begin = index * each + std::min(index, rest);
  const std::int64_t end = begin + each + (index < rest ? 1 : 0);
  return {begin * unit, std::min(end * unit, count)};
}

// Packed panels, floats from one panel to the next.
struct Panels {
  const float* data;
  std::int64_t stride;
};

// The panels of elements `first` to first + count of an operand's outer index, k0 to k0 + kc of k:
// packed beforehand, or into `scratch`. outer_stride and k_stride are those of a strided operand.
Panels panels_of(GemmSource source, const GemmInput& input, std::int64_t outer_stride,
                 std::int64_t k_stride, GemmPanels part, std::int64_t k, Isa isa, float* scratch) {
  if (source == GemmSource::kPacked) {
    return {input.data + part.first * k + part.k0 * part.width, k * part.width};
  }
  part.panel_stride = part.kc * part.width;
  if (source == GemmSource::kCallback) {
    input.pack(input.context, part, scratch);
  } else {
    simd::pack_panels.get(isa)({.src = input.data + part.first * outer_stride + part.k0 * k_stride,
                                .stride = outer_stride,
                                .k_stride = k_stride,
                                .count = part.count,
                                .kc = part.kc,
                                .width = part.width,
                                .out = scratch,
                                .panel_stride = part.panel_stride});
  }
  return {scratch, part.panel_stride};
}

simd::GemmBlock block_of(const GemmOperands& o, Part rows, Part columns) {
  const GemmEpilogue& e = o.epilogue;
  return {.m = rows.end - rows.begin,
          .n = columns.end - columns.begin,
          .c = o.c + rows.begin * o.c_stride + columns.begin,
          .c_stride = o.c_stride,
          .alpha = e.alpha,
          .beta = e.beta,
          .row_bias = e.row_bias ? e.row_bias + rows.begin : nullptr,
          .column_bias = e.column_bias ? e.column_bias + columns.begin : nullptr,
          .residual =
              e.residual ? e.residual + rows.begin * e.residual_stride + columns.begin : nullptr,
          .residual_stride = e.residual_stride,
          .activation = e.activation};
}

// Columns of B for one block: packed panels, or panels read where they lie in memory.
struct ColumnPanels {
  Part columns;
  Panels panels;
  std::int64_t step;  // from one k to the next
};

// Packing costs more than it saves where few panels of A use what is packed. Rows whose distance is
// a multiple of 4 KiB lie in the same sets of the L1 cache and push each other out: they are packed
// sooner.
bool reads_b_in_place(const GemmPlan& plan, const GemmInput& b) {
  if (plan.shape.b != GemmSource::kStrided || b.column_stride != 1) return false;
  const bool aliased = b.row_stride % 1024 == 0;
  return ceil_div(plan.shape.m, plan.mr) <= (aliased ? kPanelsInPlaceAliased : kPanelsInPlace);
}

// The panels of `columns`, k0 to k0 + kc: one range, or two where B is read in place but its last,
// partial panel is not (vectors would be loaded beyond its end).
int column_panels_of(const GemmPlan& plan, const GemmInput& b, Part columns, std::int64_t k0,
                     std::int64_t kc, float* scratch, ColumnPanels (&out)[2]) {
  int count = 0;
  if (reads_b_in_place(plan, b)) {
    const std::int64_t whole = (columns.end - columns.begin) / plan.nr * plan.nr;
    const float* const data = b.data + k0 * b.row_stride + columns.begin;
    if (whole > 0) {
      out[count++] = {{columns.begin, columns.begin + whole}, {data, plan.nr}, b.row_stride};
    }
    columns.begin += whole;
    if (columns.begin == columns.end) return count;
  }
  const GemmPanels part{columns.begin, columns.end - columns.begin, k0, kc, plan.nr, 0};
  out[count++] = {columns,
                  panels_of(plan.shape.b, b, b.column_stride, b.row_stride, part, plan.shape.k,
                            plan.isa, scratch),
                  plan.nr};
  return count;
}

// One task: a rectangle of C, in chunks of nc columns, of which each goes through `depth` of k in
// steps of kc.
void run_task(const GemmPlan& plan, const GemmOperands& o, std::int64_t task, Range depth,
              float* scratch) {
  const GemmShape& s = plan.shape;
  const Part all_rows = part_of(s.m, plan.mr, plan.row_tasks, task / plan.column_tasks);
  const Part all_columns = part_of(s.n, plan.nr, plan.column_tasks, task % plan.column_tasks);
  const auto multiply = simd::sgemm_block.get(plan.isa);
  // A chunk of B that was packed just now is in the L2 cache; one packed beforehand is not.
  const simd::TileOrder order =
      s.b == GemmSource::kPacked ? simd::TileOrder::kColumnByColumn : simd::TileOrder::kRowByRow;

  for (std::int64_t n0 = all_columns.begin; n0 < all_columns.end; n0 += plan.nc) {
    const Part chunk{n0, std::min(n0 + plan.nc, all_columns.end)};
    // A depth of zero has one step: C is what the epilogue makes of zero.
    for (std::int64_t k0 = depth.begin; k0 == depth.begin || k0 < depth.end; k0 += plan.kc) {
      const std::int64_t kc = std::min(plan.kc, depth.end - k0);
      ColumnPanels ranges[2];
      const int range_count =
          column_panels_of(plan, o.b, chunk, k0, kc, scratch + plan.scratch_of_a, ranges);
      for (std::int64_t m0 = all_rows.begin; m0 < all_rows.end; m0 += plan.mc) {
        const Part rows{m0, std::min(m0 + plan.mc, all_rows.end)};
        const Panels a = panels_of(s.a, o.a, o.a.row_stride, o.a.column_stride,
                                   {rows.begin, rows.end - rows.begin, k0, kc, plan.mr, 0}, s.k,
                                   plan.isa, scratch);
        for (int i = 0; i < range_count; ++i) {
          simd::GemmBlock block = block_of(o, rows, ranges[i].columns);
          block.k = kc;
          block.a = a.data;
          block.a_panel = a.stride;
          block.mr = plan.mr;
          block.order = order;
          block.b = ranges[i].panels.data;
          block.b_panel = ranges[i].panels.stride;
          block.b_step = ranges[i].step;
          block.first = k0 == depth.begin;
          block.last = k0 + kc == depth.end;
          multiply(block);
        }
      }
    }
  }
}

// Sizes of the blocks. The depth does not depend on the threads: it decides how sums are rounded.
void choose_blocks(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  const std::int64_t m = std::max<std::int64_t>(s.m, 1), n = std::max<std::int64_t>(s.n, 1);
  const std::int64_t k = std::max<std::int64_t>(s.k, 1);
  // All rows in one block read B once; where they cannot be, deep blocks read and write C less
  // often.
  const std::int64_t row_panels = ceil_div(m, plan.mr), rows = row_panels * plan.mr;
  std::int64_t depth = kBlockOfA / rows;
  if (depth < kLeastDepth) depth = kLeastDepth * 2;
  plan.kc = ceil_div(k, ceil_div(k, std::min(depth, kMaxDepth)));
  const std::int64_t most_panels = std::max<std::int64_t>(kBlockOfA / plan.kc / plan.mr, 1);
  plan.mc = ceil_div(row_panels, ceil_div(row_panels, most_panels)) * plan.mr;
  const std::int64_t all_columns = round_up(n, plan.nr);
  plan.nc = all_columns;
  std::int64_t columns_packed = 0;
  if (s.b != GemmSource::kPacked) {
    plan.nc = std::max<std::int64_t>(kBlockOfB / plan.kc / plan.nr, 1) * plan.nr;
    plan.nc = std::min(plan.nc, all_columns);
    columns_packed = plan.nc;
  }
  plan.scratch_of_a = s.a == GemmSource::kPacked ? 0 : round_up(plan.mc * plan.kc, kFloatsPerLine);
  plan.scratch_floats = plan.scratch_of_a + round_up(columns_packed * plan.kc, kFloatsPerLine);
}

// A whole operand, a group of panels at a time.
void pack_all(const simd::PackJob& whole, Isa isa, int threads) {
  constexpr std::int64_t kMost = 8;  // panels; the lines written at once stay in the L1 cache
  const std::int64_t panels = ceil_div(whole.count, whole.width);
  const std::int64_t group = std::clamp<std::int64_t>(panels / threads, 1, kMost) * whole.width;
  const auto pack = simd::pack_panels.get(isa);
  parallel_for(threads, ceil_div(whole.count, group), static_cast<double>(group * whole.kc),
               [&](Range groups, int) {
                 for (std::int64_t g = groups.begin; g < groups.end; ++g) {
                   simd::PackJob job = whole;
                   job.src += g * group * whole.stride;
                   job.count = std::min(group, whole.count - g * group);
                   job.out += g * group * whole.kc;
                   job.panel_stride = whole.kc * whole.width;
                   pack(job);
                 }
               });
}

}  // namespace

GemmTile gemm_tile(Isa isa) noexcept {
  return {simd::sgemm_tile_rows.get(isa)(), simd::sgemm_tile_columns.get(isa)()};
}

GemmPlan plan_gemm(const GemmShape& shape, int threads, Isa isa) noexcept {
  GemmPlan plan{.shape = shape, .isa = isa};
  plan.mr = panel_rows(shape.m, isa);
  plan.nr = simd::sgemm_tile_columns.get(isa)();
  choose_blocks(plan);
  const std::int64_t macs =
      saturating_product(saturating_product(shape.m, shape.n), std::max<std::int64_t>(shape.k, 1));
  const std::int64_t worthwhile =
      std::max<std::int64_t>(saturating_product(macs, shape.batch) / kMacsForThread, 1);
  plan.threads = static_cast<int>(std::min<std::int64_t>(std::max(threads, 1), worthwhile));
  split_tiles(plan, shape.batch >= 4 * plan.threads ? 1 : plan.threads);
  plan.threads = static_cast<int>(
      std::min<std::int64_t>(plan.threads, std::max<std::int64_t>(plan.tasks(), 1)));
  return plan;
}

std::int64_t packed_a_floats(std::int64_t m, std::int64_t k, Isa isa) noexcept {
  const std::int64_t floats = saturating_product(round_up(m, panel_rows(m, isa)), k);
  return floats == std::numeric_limits<std::int64_t>::max() ? 0 : floats;
}

std::int64_t packed_b_floats(std::int64_t k, std::int64_t n, Isa isa) noexcept {
  const std::int64_t floats =
      saturating_product(round_up(n, simd::sgemm_tile_columns.get(isa)()), k);
  return floats == std::numeric_limits<std::int64_t>::max() ? 0 : floats;
}

void pack_a(const GemmInput& a, std::int64_t m, std::int64_t k, float* packed, Isa isa,
            int threads) noexcept {
  pack_all({a.data, a.row_stride, a.column_stride, m, k, panel_rows(m, isa), packed}, isa, threads);
}

void pack_b(const GemmInput& b, std::int64_t k, std::int64_t n, float* packed, Isa isa,
            int threads) noexcept {
  pack_all(
      {b.data, b.column_stride, b.row_stride, n, k, simd::sgemm_tile_columns.get(isa)(), packed},
      isa, threads);
}

void gemm_batch_over(const GemmPlan& plan, Range depth,
                     FunctionRef<GemmOperands(std::int64_t)> operands_of, float* scratch) noexcept {
  if (plan.shape.m <= 0 || plan.shape.n <= 0) return;
  const std::int64_t per_matrix = plan.row_tasks * plan.column_tasks;
  // The plan has decided about threads: each task is worth one.
  parallel_for(plan.threads, plan.tasks(), kParallelThreshold, [&](Range tasks, int thread) {
    for (std::int64_t task = tasks.begin; task < tasks.end; ++task) {
      run_task(plan, operands_of(task / per_matrix), task % per_matrix, depth,
               scratch + scratch_offset(plan.scratch_floats, thread));
    }
  });
}

void gemm_batch(const GemmPlan& plan, FunctionRef<GemmOperands(std::int64_t)> operands_of,
                float* scratch) noexcept {
  gemm_batch_over(plan, {0, plan.shape.k}, operands_of, scratch);
}

void gemm(const GemmPlan& plan, const GemmOperands& operands, float* scratch) noexcept {
  gemm_batch(
      plan, [&](std::int64_t) { return operands; }, scratch);
}

}  // namespace mini_infer
