// EmbedLayerNormalization of com.microsoft: sums of word, position and segment embeddings,
// normalised.
//                 github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.EmbedLayerNormalization
//
// Inputs: input_ids, segment_ids [batch, length], word, position, segment embeddings [rows, width],
// gamma, beta [width], mask, position_ids. Outputs: y [batch, length, width], the number of ones in
// each row of the mask, the sums before normalisation.
#include <algorithm>
#include <cmath>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

enum Input : std::size_t {
  kIds,
  kSegmentIds,
  kWords,
  kPositions,
  kSegments,
  kGamma,
  kBeta,
  kMask,
  kPositionIds
};

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 9));
  for (const std::size_t i : {kWords, kPositions, kGamma, kBeta}) {
    if (!c.has_input(i)) return invalid_model("input ", i, " is missing");
  }
  const DType dtype = c.dtype(kWords);
  c.set_output(0, dtype);
  c.set_output(1, DType::kInt32);
  c.set_output(2, dtype);
  const SymShape *ids = c.shape(kIds), *words = c.shape(kWords);
  if (ids == nullptr || words == nullptr) return ok();
  if (ids->rank() != 2 || words->rank() != 2) {
    return invalid_model("input_ids ", *ids, " and embeddings ", *words, " must have rank 2");
  }
  const SymShape out{(*ids)[0], (*ids)[1], (*words)[1]};
  c.set_output(0, dtype, out);
  c.set_output(1, DType::kInt32, SymShape{(*ids)[0]});
  c.set_output(2, dtype, out);
  return ok();
}

// One table of embeddings, and which input names its rows.
struct Table {
  std::size_t ids, rows;
  std::int64_t count;
  DType dtype;
  bool given;           // false: row numbers are the places in the sequence
  bool shared = false;  // one row of ids for all batches
};

struct Problem {
  std::int64_t batches, length, width;
  float epsilon;
  std::vector<Table> tables;
};

std::int64_t row_of(const KernelContext& k, const Problem& p, const Table& table, std::int64_t i) {
  if (!table.given) return i % p.length;
  return index_at(k.inputs[table.ids], table.dtype, table.shared ? i % p.length : i);
}

Status check_rows(const KernelContext& k, const Problem& p) {
  for (const Table& table : p.tables) {
    for (std::int64_t i = 0; i < p.batches * p.length; ++i) {
      const std::int64_t row = row_of(k, p, table, i);
      if (row >= 0 && row < table.count) continue;
      return error(Code::kInvalidArgument, "row ", row, " at position ", i, " is outside the ",
                   table.count, " rows of input ", table.rows);
    }
  }
  return ok();
}

// sum: the embeddings of one place added up; y: its normalisation.
void normalise(const KernelContext& k, const Problem& p, std::int64_t i, float* sum, float* y) {
  std::fill_n(sum, p.width, 0.f);
  for (const Table& table : p.tables) {
    const float* row = k.input<float>(table.rows) + row_of(k, p, table, i) * p.width;
    for (std::int64_t e = 0; e < p.width; ++e) sum[e] += row[e];
  }
  double mean = 0, square = 0;
  for (std::int64_t e = 0; e < p.width; ++e) mean += static_cast<double>(sum[e]);
  mean /= static_cast<double>(p.width);
  for (std::int64_t e = 0; e < p.width; ++e) {
    const double d = static_cast<double>(sum[e]) - mean;
    square += d * d;
  }
  const double scale =
      1 / std::sqrt(square / static_cast<double>(p.width) + static_cast<double>(p.epsilon));
  const float *gamma = k.input<float>(kGamma), *beta = k.input<float>(kBeta);
  for (std::int64_t e = 0; e < p.width; ++e) {
    y[e] = static_cast<float>((static_cast<double>(sum[e]) - mean) * scale) * gamma[e] + beta[e];
  }
}

Status run(const KernelContext& k, const Problem& p) {
  MINI_TRY(check_rows(k, p));
  k.parallel_for(p.batches * p.length, static_cast<double>(8 * p.width), [&](Range range, int t) {
    float* work = reinterpret_cast<float*>(k.scratch) + t * p.width;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      float* sums = k.output<float>(2);
      normalise(k, p, i, sums != nullptr ? sums + i * p.width : work,
                k.output<float>(0) + i * p.width);
    }
  });
  std::int32_t* counts = k.output<std::int32_t>(1);
  const auto* mask = k.input<std::int32_t>(kMask);
  for (std::int64_t b = 0; b < p.batches && counts != nullptr; ++b) {
    counts[b] = mask == nullptr ? 0
                                : static_cast<std::int32_t>(std::count(
                                      mask + b * p.length, mask + (b + 1) * p.length, 1));
  }
  return ok();
}

Result<Table> table_of(const PrepareContext& c, std::size_t ids, std::size_t rows) {
  const Shape& table = c.shape(rows);
  const std::int64_t width = c.shape(kWords)[1];
  if (table.rank() != 2 || table[1] != width || c.dtype(rows) != DType::kFloat32) {
    return not_implemented("embeddings of shape ", table, " and dtype ", dtype_name(c.dtype(rows)));
  }
  Table out{.ids = ids, .rows = rows, .count = table[0], .given = c.has_input(ids)};
  if (!out.given) return out;
  out.dtype = c.dtype(ids);
  MINI_TRY(expect_indices(out.dtype, cat("input ", ids)));
  const std::int64_t all = c.shape(kIds).elements(), length = c.shape(kIds)[1];
  out.shared = ids == kPositionIds && c.shape(ids).elements() == length;
  if (!out.shared && c.shape(ids).elements() != all) {
    return invalid_model("input ", ids, " of shape ", c.shape(ids), " does not fit input_ids ",
                         c.shape(kIds));
  }
  return out;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& ids = c.shape(kIds);
  Problem p{.batches = ids[0],
            .length = ids[1],
            .width = c.shape(kWords)[1],
            .epsilon = c.number("epsilon", 1e-12f)};
  MINI_TRY_ASSIGN(const Table words, table_of(c, kIds, kWords));
  MINI_TRY_ASSIGN(const Table positions, table_of(c, kPositionIds, kPositions));
  p.tables = {words, positions};
  if (c.has_input(kSegments) && c.has_input(kSegmentIds)) {
    MINI_TRY_ASSIGN(const Table segments, table_of(c, kSegmentIds, kSegments));
    p.tables.push_back(segments);
  }
  for (const std::size_t i : {kGamma, kBeta}) {
    if (c.shape(i).elements() != p.width || c.dtype(i) != DType::kFloat32) {
      return invalid_model("input ", i, " of shape ", c.shape(i), " must have ", p.width,
                           " floats");
    }
  }
  if (c.has_input(kMask) && (c.shape(kMask) != ids || c.dtype(kMask) != DType::kInt32)) {
    return invalid_model("mask of shape ", c.shape(kMask), " must be int32 like input_ids ", ids);
  }
  PreparedKernel kernel;
  kernel.name = "embed_layer_norm";
  kernel.scratch_bytes =
      static_cast<std::size_t>(c.threads()) * static_cast<std::size_t>(p.width) * sizeof(float);
  kernel.run = [p](const KernelContext& k) { return run(k, p); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(EmbedLayerNormalization, {.domain = "com.microsoft",
                                         .type = "EmbedLayerNormalization",
                                         .since = {1},
                                         .infer = infer,
                                         .prepare = prepare})

}  // namespace mini_infer
