#include "kernels/gemm/sgemm.simd.h"

#include "kernels/simd/activate.simd.h"
#include "kernels/simd/activation.h"
#include "kernels/simd/weights_ahead.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Rows and vectors of columns of the register tile: with FMA at least 8 accumulators hide its
// latency, and the tile, one row of B and a broadcast fit into the registers.
#if defined(__AVX512F__)
constexpr int kRows = 14, kVectors = 2;
#elif defined(__AVX2__)
constexpr int kRows = 6, kVectors = 2;
#elif defined(__aarch64__)
constexpr int kRows = 8, kVectors = 3;
#else
constexpr int kRows = 4, kVectors = 2;
#endif
constexpr int kColumns = kVectors * kLanes;
// Whether products take an element of a vector as a factor: then rows of A are loaded as vectors.
#if defined(__aarch64__)
constexpr bool kRowsByLane = true;
#else
constexpr bool kRowsByLane = false;
#endif

// How many steps of k ahead the operands are fetched; matters where they stream from the L3 cache.
constexpr int kPrefetchA = 16, kPrefetchB = 8;
constexpr int kLineVectors = kLanes < 16 ? 16 / kLanes : 1;  // of a cache line

// Steps of k in a turn of the loop: a tile of 16 registers has so few products in a step that what
// the loop itself costs shows.
constexpr int kTurn = kRegisters == 16 ? 8 : 1;

// Small tiles split k into as many parts as they have registers for, each with its accumulators:
// that hides the latency of FMA, and memory gives more to several streams of B than to one.
constexpr int accumulator_sets(int rows, int vectors) {
  // Factors in memory, which NEON does not have, need no registers.
  const int operands = kRowsByLane ? 12 : 4;
  const int sets = (kRegisters - operands) / (rows * vectors);
  return sets < 1 ? 1 : sets > 4 ? 4 : sets;
}

// Everything a tile needs but its size.
struct Tile {
  const GemmBlock& g;
  const float* a;
  const float* b;
  std::int64_t row, column;  // of its first element within the block
  int last_lanes;            // valid lanes of its last vector of columns
  WeightsAhead ahead;        // where B is packed weights
};

template <int MR, int NV>
MINI_INLINE void multiply(const Tile& t, Vec (&sum)[MR * NV]) {
  constexpr int kSets = accumulator_sets(MR, NV);
  const std::int64_t depth = t.g.k, a_step = t.g.mr, b_step = t.g.b_step;
  const float* a = t.a;
  const float* b = t.b;
  WeightsAhead ahead = t.ahead;
  Vec acc[kSets * MR * NV];
  MINI_UNROLL
  for (int i = 0; i < kSets * MR * NV; ++i) acc[i] = zero();
  const std::int64_t part = depth / kSets;
#pragma GCC unroll kTurn
  for (std::int64_t k = 0; k < part; ++k) {
    if constexpr (kSets == 1) {
      ahead.fetch();
      __builtin_prefetch(a + kPrefetchA * a_step);
      MINI_UNROLL
      for (int j = 0; j < NV; j += kLineVectors)
        __builtin_prefetch(b + kPrefetchB * b_step + j * kLanes);
    }
    MINI_UNROLL
    for (int set = 0; set < kSets; ++set) {
      const float* const b_k = b + set * part * b_step;
      Vec row_of_b[NV];
      MINI_UNROLL
      for (int j = 0; j < NV; ++j) row_of_b[j] = load(b_k + j * kLanes);
      const float* const a_k = a + set * part * a_step;
      Vec a_group = zero();
      MINI_UNROLL
      for (int i = 0; i < MR; ++i) {
        if (kRowsByLane && i % kLanes == 0 && i + kLanes <= MR) a_group = load(a_k + i);
        const bool by_lane = kRowsByLane && i - i % kLanes + kLanes <= MR;
        const Vec a_ik = by_lane ? a_group : broadcast(a_k[i]);
        MINI_UNROLL
        for (int j = 0; j < NV; ++j) {
          Vec& s = acc[(set * MR + i) * NV + j];
          s = by_lane ? fma_lane(a_ik, i % kLanes, row_of_b[j], s) : fma(a_ik, row_of_b[j], s);
        }
      }
    }
    a += a_step;
    b += b_step;
  }
  if constexpr (kSets > 1) {
    a += (kSets - 1) * part * a_step;
    b += (kSets - 1) * part * b_step;
    for (std::int64_t k = kSets * part; k < depth; ++k, a += a_step, b += b_step) {
      MINI_UNROLL
      for (int i = 0; i < MR * NV; ++i) {
        acc[i] = fma(broadcast(a[i / NV]), load(b + i % NV * kLanes), acc[i]);
      }
    }
  }
  MINI_UNROLL
  for (int i = 0; i < MR * NV; ++i) {
    sum[i] = acc[i];
    MINI_UNROLL
    for (int set = 1; set < kSets; ++set) sum[i] = sum[i] + acc[set * MR * NV + i];
  }
}

// sum[i][j] += scale * p[i * stride + j], of which the last vector is partial.
template <int MR, int NV>
MINI_INLINE void add_matrix(Vec (&sum)[MR * NV], const float* p, std::int64_t stride, Vec scale,
                            int last_lanes) {
  MINI_UNROLL
  for (int i = 0; i < MR; ++i) {
    MINI_UNROLL
    for (int j = 0; j < NV; ++j) {
      const float* q = p + i * stride + j * kLanes;
      const Vec v = j + 1 < NV || last_lanes == kLanes ? load(q) : load(q, last_lanes);
      sum[i * NV + j] = fma(scale, v, sum[i * NV + j]);
    }
  }
}

template <int MR, int NV>
MINI_INLINE void add_bias(const Tile& t, Vec (&sum)[MR * NV]) {
  const GemmBlock& g = t.g;
  const Vec beta(g.beta);
  if (g.row_bias != nullptr) {
    MINI_UNROLL
    for (int i = 0; i < MR; ++i) {
      const Vec bias = beta * broadcast(g.row_bias[t.row + i]);
      MINI_UNROLL
      for (int j = 0; j < NV; ++j) sum[i * NV + j] = sum[i * NV + j] + bias;
    }
  }
  if (g.column_bias != nullptr) {
    add_matrix<MR, NV>(sum, g.column_bias + t.column, 0, beta, t.last_lanes);
  }
  if (g.residual != nullptr) {
    add_matrix<MR, NV>(sum, g.residual + t.row * g.residual_stride + t.column, g.residual_stride,
                       beta, t.last_lanes);
  }
}

template <int MR, int NV>
void compute_tile(const Tile& t) {
  const GemmBlock& g = t.g;
  float* c = g.c + t.row * g.c_stride + t.column;
  Vec sum[MR * NV];
  MINI_UNROLL
  for (int i = 0; i < MR; ++i) {
    __builtin_prefetch(c + i * g.c_stride, 1);
    __builtin_prefetch(c + i * g.c_stride + NV * kLanes - 1, 1);
  }
  multiply<MR, NV>(t, sum);
  if (g.alpha != 1.f) {
    MINI_UNROLL
    for (int i = 0; i < MR * NV; ++i) sum[i] = sum[i] * Vec(g.alpha);
  }
  if (g.first) {
    add_bias<MR, NV>(t, sum);
  } else {
    add_matrix<MR, NV>(sum, c, g.c_stride, Vec(1.f), t.last_lanes);
  }
  if (g.last) {
    activate_cheap(g.activation.kind, sum, Vec(g.activation.alpha), Vec(g.activation.beta));
  }
  MINI_UNROLL
  for (int i = 0; i < MR; ++i) {
    MINI_UNROLL
    for (int j = 0; j < NV; ++j) {
      float* q = c + i * g.c_stride + j * kLanes;
      if (j + 1 < NV || t.last_lanes == kLanes) {
        store(q, sum[i * NV + j]);
      } else {
        store(q, sum[i * NV + j], t.last_lanes);
      }
    }
  }
  if (g.last && !is_cheap(g.activation.kind)) {
    activate_rows_f32(g.activation, c, MR, (NV - 1) * kLanes + t.last_lanes, g.c_stride);
  }
}

using TileFn = void(const Tile&);

// compute_tile<rows, vectors> for rows 1 to kRows: its table is made by recursion, for all sizes of
// every instruction set.
template <int NV, int MR = kRows>
TileFn* tile_function(int rows) {
  if constexpr (MR > 1) {
    if (rows < MR) return tile_function<NV, MR - 1>(rows);
  }
  return &compute_tile<MR, NV>;
}
template <int NV = kVectors>
TileFn* tile_function(int rows, int vectors) {
  if constexpr (NV > 1) {
    if (vectors < NV) return tile_function<NV - 1>(rows, vectors);
  }
  return tile_function<NV, kRows>(rows);
}

}  // namespace

namespace {

int at_most(std::int64_t value, int most) { return static_cast<int>(value < most ? value : most); }

MINI_INLINE void compute_at(const GemmBlock& g, std::int64_t row_panel, std::int64_t column_panel,
                            WeightsAhead ahead) {
  const std::int64_t row = row_panel * g.mr, column = column_panel * kColumns;
  const int columns = at_most(g.n - column, kColumns);
  const int vectors = (columns + kLanes - 1) / kLanes;
  tile_function<>(at_most(g.m - row, g.mr),
                  vectors)({g, g.a + row_panel * g.a_panel, g.b + column_panel * g.b_panel, row,
                            column, columns - (vectors - 1) * kLanes, ahead});
}

}  // namespace

void sgemm_block(const GemmBlock& g) {
  const int row_panels = static_cast<int>((g.m + g.mr - 1) / g.mr);
  const std::int64_t column_panels = (g.n + kColumns - 1) / kColumns;
  if (g.order == TileOrder::kRowByRow) {
    for (int i = 0; i < row_panels; ++i) {
      for (std::int64_t j = 0; j < column_panels; ++j) compute_at(g, i, j, {g.b, 0});
    }
    return;
  }
  for (std::int64_t j = 0; j < column_panels; ++j) {
    const float* const next = g.b + (j + 1) * g.b_panel;
    for (int i = 0; i < row_panels; ++i) {
      compute_at(g, i, j, WeightsAhead::of_tile<kColumns>(next, g.k, row_panels, i));
    }
  }
}

int sgemm_tile_rows() { return kRows; }
int sgemm_tile_columns() { return kColumns; }

}  // namespace mini_infer::simd::MINI_ISA
