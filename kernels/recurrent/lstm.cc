// LSTM.  onnx.ai/onnx/operators/onnx__LSTM.html
//
//   i = f(x Wi + h Ri + Pi c + b)     gates lie in the order i, o, f, c; peepholes in i, o, f
//   f = f(x Wf + h Rf + Pf c + b)     or 1 - i with input_forget
//   z = g(x Wc + h Rc + b)
//   c = f c + i z
//   o = f(x Wo + h Ro + Po c + b)
//   h = o h(c)
#include "kernels/recurrent/cell.simd.h"
#include "kernels/recurrent/recurrent.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

constexpr std::size_t kF = 0, kG = 1, kH = 2;  // activations

// gates += peephole * c, for one gate
void add_peephole(const CellStep& s, float* gate, const float* peephole) {
  if (peephole == nullptr) return;
  const auto H = static_cast<std::size_t>(s.p.H);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    simd::add_product_f32.get(s.p.isa)(gate + row * s.gates_stride, peephole, s.c + row * s.p.H, H);
  }
}

// One time step.
void cell(const CellStep& s) {
  add_recurrent_product(s);
  const std::int64_t H = s.p.H;
  float *i = s.gates, *o = i + H, *f = o + H, *z = f + H;
  const float* peepholes = s.peepholes;
  add_peephole(s, i, peepholes);
  add_peephole(s, f, peepholes != nullptr ? peepholes + 2 * H : nullptr);
  clip_gates(s, i, H);
  clip_gates(s, f, 2 * H);
  if (peepholes == nullptr) {
    clip_gates(s, o, H);
    activate_gates(s, kF, i, 3 * H);
  } else {
    activate_gates(s, kF, i, H);
    activate_gates(s, kF, f, H);
  }
  activate_gates(s, kG, z, H);
  const auto n = static_cast<std::size_t>(H);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::int64_t at = row * s.gates_stride;
    if (s.p.input_forget) {
      simd::activate_f32.get(s.p.isa)({Activation::kAffine, -1.f, 1.f}, i + at, f + at, n);
    }
    simd::lstm_cell_f32.get(s.p.isa)(s.c + row * H, f + at, i + at, z + at, n);
  }
  if (peepholes != nullptr) {
    add_peephole(s, o, peepholes + H);
    clip_gates(s, o, H);
    activate_gates(s, kF, o, H);
  }
  simd::activate_f32.get(s.p.isa)(s.direction.activations[kH], s.c, s.temporary,
                                  static_cast<std::size_t>(s.rows * H));
  for (std::int64_t row = 0; row < s.rows; ++row) {
    simd::product_f32.get(s.p.isa)(s.h + row * H, o + row * s.gates_stride, s.temporary + row * H,
                                   n);
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const CellKind kind{.type = "lstm",
                      .gates = 4,
                      .first_gates = 4,
                      .activations = {"Sigmoid", "Tanh", "Tanh"},
                      .has_cell = true};
  return prepare_recurrent(c, kind, cell);
}

}  // namespace

MINI_DEFINE_OP(
    LSTM, {.type = "LSTM", .since = {1, 7, 14, 22}, .infer = infer_recurrent, .prepare = prepare})

}  // namespace mini_infer
