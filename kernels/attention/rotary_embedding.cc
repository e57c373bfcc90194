// RotaryEmbedding: pairs of features turned by angles that depend on the position.
//                                              onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
//
// ONNX: inputs x, cos_cache, sin_cache, position_ids; com.microsoft: x, position_ids, cos_cache,
// sin_cache. x is [batch, length, heads * size] or [batch, heads, length, size].
#include <algorithm>

#include "kernels/movement/params.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

struct Inputs {
  std::size_t cos, sin, positions;
};
Inputs inputs_of(const AttributeReader& c) {
  return c.node().domain.empty() ? Inputs{1, 2, 3} : Inputs{2, 3, 1};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 4));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (x->rank() != 3 && x->rank() != 4) return invalid_model("input has shape ", *x);
  c.set_output(0, c.dtype(0), *x);
  return ok();
}

// x: [outer][middle][inner][size]; length is inner where heads come first, else middle
struct Problem {
  std::int64_t batches, heads, length, size, turned;
  bool heads_first, interleaved;
  // Cache rows: by position id, else one for each batch and place.
  bool by_position = false;
  std::int64_t cache_rows = 0;
  bool one_start = false;  // com.microsoft: one position id for all, of the first place
  DType position_dtype = DType::kInt64;
  Inputs inputs{};
};

// Row of the caches for a place; -1 when it lies outside.
std::int64_t cache_row(const KernelContext& k, const Problem& p, std::int64_t batch,
                       std::int64_t place) {
  std::int64_t row = batch * p.length + place;
  if (p.by_position) {
    const void* ids = k.inputs[p.inputs.positions];
    row = p.one_start ? index_at(ids, p.position_dtype, 0) + place
                      : index_at(ids, p.position_dtype, row);
  }
  return row >= 0 && row < p.cache_rows ? row : -1;
}

template <class T>
void turn(const Problem& p, const T* x, const T* cosines, const T* sines, T* y) {
  const std::int64_t half = p.turned / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const std::int64_t a = p.interleaved ? 2 * i : i, b = p.interleaved ? 2 * i + 1 : half + i;
    const double cosine = real(cosines[i]), sine = real(sines[i]);
    const double first = real(x[a]), second = real(x[b]);
    y[a] = from_real<T>(cosine * first - sine * second);
    y[b] = from_real<T>(sine * first + cosine * second);
  }
  if (y != x) std::copy(x + p.turned, x + p.size, y + p.turned);
}

template <class T>
Status run(const KernelContext& k, const Problem& p) {
  for (std::int64_t i = 0; i < p.batches * p.length; ++i) {
    if (cache_row(k, p, i / p.length, i % p.length) < 0) {
      return error(Code::kInvalidArgument, "the position of place ", i % p.length, " of batch ",
                   i / p.length, " is outside the cache of ", p.cache_rows, " rows");
    }
  }
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  const std::int64_t per_batch = p.heads * p.length, half = p.turned / 2;
  k.parallel_for(p.batches * per_batch, static_cast<double>(p.size), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t place = p.heads_first ? i % p.length : i % per_batch / p.heads;
      const std::int64_t row = cache_row(k, p, i / per_batch, place);
      turn(p, x + i * p.size, k.input<T>(p.inputs.cos) + row * half,
           k.input<T>(p.inputs.sin) + row * half, y + i * p.size);
    }
  });
  return ok();
}

Result<Problem> problem_of(const PrepareContext& c) {
  const Shape& x = c.shape(0);
  Problem p{.batches = x[0], .heads_first = x.rank() == 4};
  p.inputs = inputs_of(c);
  p.interleaved = c.integer("interleaved", 0) != 0;
  p.turned = c.integer("rotary_embedding_dim", 0);
  const Shape &cosines = c.shape(p.inputs.cos), &sines = c.shape(p.inputs.sin);
  if (cosines.rank() == 0) return invalid_model("the caches must have at least rank 1");
  const std::int64_t width = cosines[cosines.rank() - 1];
  if (p.heads_first) {
    p.heads = x[1];
    p.length = x[2];
    p.size = x[3];
  } else {
    p.length = x[1];
    p.heads = c.integer("num_heads", 0);
    // com.microsoft leaves the number of heads to the width of the caches.
    if (p.heads == 0 && p.turned == 0 && width > 0) p.heads = x[2] / (2 * width);
    if (p.heads < 1 || x[2] % p.heads != 0) {
      return invalid_model("input ", x, " cannot be cut into num_heads ", p.heads, " heads");
    }
    p.size = x[2] / p.heads;
  }
  if (p.turned == 0) p.turned = p.size;
  if (p.turned < 0 || p.turned > p.size || p.turned % 2 != 0 || width != p.turned / 2 ||
      cosines != sines || c.dtype(p.inputs.cos) != c.dtype(0) ||
      c.dtype(p.inputs.sin) != c.dtype(0)) {
    return invalid_model("caches ", cosines, " and ", sines, " do not fit ", p.turned,
                         " turned features of input ", x);
  }
  p.cache_rows = cosines.elements(0, cosines.rank() - 1);
  p.by_position = c.has_input(p.inputs.positions);
  if (!p.by_position) return p;
  p.position_dtype = c.dtype(p.inputs.positions);
  MINI_TRY(expect_indices(p.position_dtype, "position_ids"));
  const std::int64_t ids = c.shape(p.inputs.positions).elements();
  p.one_start = ids == 1 && p.batches * p.length != 1;
  if (!p.one_start && ids != p.batches * p.length) {
    return invalid_model("position_ids ", c.shape(p.inputs.positions), " do not fit input ", x);
  }
  return p;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Problem p, problem_of(c));
  PreparedKernel kernel;
  kernel.name = "rotary_embedding";
  kernel.aliases.push_back({.kind = Alias::Kind::kInPlace});
  const bool known = dispatch_floating(c.dtype(0), [&]<class T>() {
    kernel.run = [p](const KernelContext& k) { return run<T>(k, p); };
  });
  if (!known) return not_implemented("RotaryEmbedding of ", dtype_name(c.dtype(0)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(RotaryEmbedding,
               {.type = "RotaryEmbedding", .since = {23}, .infer = infer, .prepare = prepare})
MINI_DEFINE_OP(MicrosoftRotaryEmbedding, {.domain = "com.microsoft",
                                          .type = "RotaryEmbedding",
                                          .since = {1},
                                          .infer = infer,
                                          .prepare = prepare})

}  // namespace mini_infer
