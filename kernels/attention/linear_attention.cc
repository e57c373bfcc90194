// LinearAttention: a matrix of state for each head, decayed, corrected and written at every step.
//                                              onnx.ai/onnx/operators/onnx__LinearAttention.html
//
// state *= exp(decay);  v = beta (v - state^T k);  state += k v^T;  y = scale state^T q
// Inputs: query, key, value, past_state, decay, beta, erase_gate; [batch, length, heads * size].
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/movement/params.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

enum Input : std::size_t { kQuery, kKey, kValue, kPast, kDecay, kBeta, kErase };

Result<std::int64_t> heads_of(const AttributeReader& c, std::string_view attribute) {
  const std::int64_t heads = c.integer(attribute, 0);
  if (heads >= 1 && heads <= INT32_MAX) return heads;
  return invalid_model("attribute ", attribute, " is ", heads, "; it must be positive");
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, 7));
  MINI_TRY_ASSIGN(const std::int64_t q_heads, heads_of(c, "q_num_heads"));
  MINI_TRY_ASSIGN(const std::int64_t kv_heads, heads_of(c, "kv_num_heads"));
  const DType state = c.has_input(kPast) ? c.dtype(kPast) : c.dtype(kQuery);
  c.set_output(0, c.dtype(kQuery));
  c.set_output(1, state);
  const SymShape *q = c.shape(kQuery), *k = c.shape(kKey), *v = c.shape(kValue);
  if (q == nullptr || k == nullptr || v == nullptr) return ok();
  if (q->rank() != 3 || k->rank() != 3 || v->rank() != 3) {
    return invalid_model("query ", *q, ", key ", *k, " and value ", *v, " must have rank 3");
  }
  const Dim size = floor_div((*q)[2], q_heads), value_size = floor_div((*v)[2], kv_heads);
  c.set_output(0, c.dtype(kQuery), SymShape{(*q)[0], (*q)[1], Dim(q_heads) * value_size});
  c.set_output(1, state, SymShape{(*q)[0], kv_heads, size, value_size});
  return ok();
}

struct Problem {
  std::int64_t batches, length, q_heads, kv_heads, size, value_size;
  bool corrects = false;
  float scale = 1.f;
  // Numbers of decay in a head (1 or size), of beta in a step (1 or kv_heads); 0: not there.
  std::int64_t decay_size = 0, beta_heads = 0;

  std::int64_t state_elements() const { return size * value_size; }
};

template <class T>
float at(const T* data, std::int64_t i) {
  return static_cast<float>(real(data[i]));
}

// One step of one key head; `value` is work space of value_size floats.
template <class T>
void step(const KernelContext& k, const Problem& p, std::int64_t row, std::int64_t head,
          float* state, float* value) {
  const std::int64_t key_at = (row * p.kv_heads + head) * p.size;
  const std::int64_t value_at = (row * p.kv_heads + head) * p.value_size;
  const T* key = k.input<T>(kKey) + key_at;
  for (std::int64_t d = 0; d < p.size && p.decay_size > 0; ++d) {
    const std::int64_t place = (row * p.kv_heads + head) * p.decay_size + d % p.decay_size;
    const float factor = std::exp(at(k.input<T>(kDecay), place));
    for (std::int64_t m = 0; m < p.value_size; ++m) state[d * p.value_size + m] *= factor;
  }
  for (std::int64_t m = 0; m < p.value_size; ++m) {
    value[m] = at(k.input<T>(kValue), value_at + m);
  }
  if (p.corrects) {
    for (std::int64_t d = 0; d < p.size; ++d) {
      const T* erase = k.input<T>(kErase);
      const float weight = at(key, d) * (erase != nullptr ? at(erase, key_at + d) : 1.f);
      for (std::int64_t m = 0; m < p.value_size; ++m) {
        value[m] -= weight * state[d * p.value_size + m];
      }
    }
    const float beta = at(k.input<T>(kBeta), row * p.beta_heads + head % p.beta_heads);
    for (std::int64_t m = 0; m < p.value_size; ++m) value[m] *= beta;
  }
  for (std::int64_t d = 0; d < p.size; ++d) {
    for (std::int64_t m = 0; m < p.value_size; ++m) {
      state[d * p.value_size + m] += at(key, d) * value[m];
    }
  }
  const std::int64_t group = p.q_heads / p.kv_heads;
  for (std::int64_t h = head * group; h < (head + 1) * group; ++h) {
    const T* query = k.input<T>(kQuery) + (row * p.q_heads + h) * p.size;
    T* y = k.output<T>(0) + (row * p.q_heads + h) * p.value_size;
    std::fill_n(value, p.value_size, 0.f);
    for (std::int64_t d = 0; d < p.size; ++d) {
      for (std::int64_t m = 0; m < p.value_size; ++m) {
        value[m] += at(query, d) * state[d * p.value_size + m];
      }
    }
    for (std::int64_t m = 0; m < p.value_size; ++m) {
      y[m] = from_real<T>(static_cast<double>(p.scale * value[m]));
    }
  }
}

template <class T>
void run(const KernelContext& k, const Problem& p) {
  const std::int64_t slot = p.state_elements() + p.value_size;
  const double work = static_cast<double>(4 * p.length) * static_cast<double>(p.state_elements());
  k.parallel_for(p.batches * p.kv_heads, work, [&](Range range, int thread) {
    float* state = reinterpret_cast<float*>(k.scratch) + thread * slot;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* past = k.input<T>(kPast);
      for (std::int64_t e = 0; e < p.state_elements(); ++e) {
        state[e] = past != nullptr ? at(past, i * p.state_elements() + e) : 0.f;
      }
      for (std::int64_t t = 0; t < p.length; ++t) {
        step<T>(k, p, i / p.kv_heads * p.length + t, i % p.kv_heads, state,
                state + p.state_elements());
      }
      T* present = k.output<T>(1);
      for (std::int64_t e = 0; e < p.state_elements() && present != nullptr; ++e) {
        present[i * p.state_elements() + e] = from_real<T>(static_cast<double>(state[e]));
      }
    }
  });
}

Status check_shapes(const PrepareContext& c, const Problem& p) {
  const std::vector<Shape> wanted = {
      {p.batches, p.length, p.q_heads * p.size},
      {p.batches, p.length, p.kv_heads * p.size},
      {p.batches, p.length, p.kv_heads * p.value_size},
      {p.batches, p.kv_heads, p.size, p.value_size},
      {p.batches, p.length, p.kv_heads * p.decay_size},
      {p.batches, p.length, p.beta_heads},
      {p.batches, p.length, p.kv_heads * p.size},
  };
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!c.has_input(i)) continue;
    if (c.dtype(i) != c.dtype(kQuery)) return not_implemented("inputs of different dtypes");
    if (c.shape(i) != wanted[i]) {
      return invalid_model("input ", i, " has shape ", c.shape(i), "; it must have ", wanted[i]);
    }
  }
  return ok();
}

Result<Problem> problem_of(const PrepareContext& c) {
  const Shape &q = c.shape(kQuery), &v = c.shape(kValue);
  Problem p{.batches = q[0], .length = q[1]};
  MINI_TRY_ASSIGN(p.q_heads, heads_of(c, "q_num_heads"));
  MINI_TRY_ASSIGN(p.kv_heads, heads_of(c, "kv_num_heads"));
  const std::string rule = c.string("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta";
  p.corrects = rule == "delta" || rule == "gated_delta";
  if (!gated && !p.corrects && rule != "linear") return not_implemented("update_rule '", rule, "'");
  if (gated != c.has_input(kDecay) || p.corrects != c.has_input(kBeta) ||
      (c.has_input(kErase) && !p.corrects) || p.q_heads % p.kv_heads != 0) {
    return invalid_model("the inputs or heads do not fit update_rule '", rule, "'");
  }
  p.size = q[2] / p.q_heads;
  p.value_size = v[2] / p.kv_heads;
  if (p.size < 1) return invalid_model("query ", q, " cannot be cut into ", p.q_heads, " heads");
  if (gated) p.decay_size = c.shape(kDecay).rank() == 3 ? c.shape(kDecay)[2] / p.kv_heads : 0;
  if (p.corrects) p.beta_heads = c.shape(kBeta).rank() == 3 ? c.shape(kBeta)[2] : 0;
  if ((gated && p.decay_size != 1 && p.decay_size != p.size) ||
      (p.corrects && p.beta_heads != 1 && p.beta_heads != p.kv_heads)) {
    return invalid_model("decay ", c.shape(kDecay), " or beta ", c.shape(kBeta), " do not fit ",
                         p.kv_heads, " heads of ", p.size);
  }
  MINI_TRY(check_shapes(c, p));
  p.scale = c.number("scale", 0.f);
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<float>(p.size));
  return p;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Problem p, problem_of(c));
  PreparedKernel kernel;
  kernel.name = "linear_attention";
  kernel.scratch_bytes = static_cast<std::size_t>(c.threads()) *
                         static_cast<std::size_t>(p.state_elements() + p.value_size) *
                         sizeof(float);
  const bool known = dispatch_floating(c.dtype(kQuery), [&]<class T>() {
    kernel.run = [p](const KernelContext& k) {
      run<T>(k, p);
      return ok();
    };
  });
  if (!known) return not_implemented("LinearAttention of ", dtype_name(c.dtype(kQuery)));
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(LinearAttention,
               {.type = "LinearAttention", .since = {26}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
