// GRU.  onnx.ai/onnx/operators/onnx__GRU.html
//
//   z = f(x Wz + h Rz + b)            gates lie in the order z, r, h
//   r = f(x Wr + h Rr + b)
//   n = g(x Wh + (r h) Rh + b)        or g(x Wh + Wb + r (h Rh + Rb)) with linear_before_reset
//   h = (1 - z) n + z h
#include "kernels/recurrent/cell.simd.h"
#include "kernels/recurrent/recurrent.h"

namespace mini_infer {
namespace {

constexpr std::size_t kF = 0, kG = 1;  // activations

// [rows][H] = state Rh (+ bias, or + what stands there)
void multiply_state(const CellStep& s, const float* state, float* to, std::int64_t stride,
                    const GemmEpilogue& epilogue) {
  GemmOperands operands;
  operands.a = {.data = state, .row_stride = s.p.H};
  operands.b = {.data = s.direction.r_last.data(s.scratch)};
  operands.c = to;
  operands.c_stride = stride;
  operands.epilogue = epilogue;
  gemm(s.last_product, operands, s.product_scratch);
}

// n += r (h Rh + Rb)
void reset_after_product(const CellStep& s, const float* r, float* n) {
  const std::int64_t H = s.p.H;
  GemmEpilogue epilogue;
  if (s.recurrent_bias != nullptr) epilogue.column_bias = s.recurrent_bias + 2 * H;
  multiply_state(s, s.h, s.temporary, H, epilogue);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::int64_t at = row * s.gates_stride;
    simd::add_product_f32.get(s.p.isa)(n + at, r + at, s.temporary + row * H,
                                       static_cast<std::size_t>(H));
  }
}

// n += (r h) Rh
void reset_before_product(const CellStep& s, const float* r, float* n) {
  const std::int64_t H = s.p.H;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    simd::product_f32.get(s.p.isa)(s.temporary + row * H, r + row * s.gates_stride, s.h + row * H,
                                   static_cast<std::size_t>(H));
  }
  GemmEpilogue epilogue;
  epilogue.residual = n;
  epilogue.residual_stride = s.gates_stride;
  multiply_state(s, s.temporary, n, s.gates_stride, epilogue);
}

// One time step.
void cell(const CellStep& s) {
  add_recurrent_product(s);
  const std::int64_t H = s.p.H;
  float *z = s.gates, *r = z + H, *n = r + H;
  clip_gates(s, z, 2 * H);
  activate_gates(s, kF, z, 2 * H);
  if (s.p.linear_before_reset) {
    reset_after_product(s, r, n);
  } else {
    reset_before_product(s, r, n);
  }
  clip_gates(s, n, H);
  activate_gates(s, kG, n, H);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::int64_t at = row * s.gates_stride;
    simd::gru_state_f32.get(s.p.isa)(s.h + row * H, z + at, n + at, static_cast<std::size_t>(H));
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const CellKind kind{
      .type = "gru", .gates = 3, .first_gates = 2, .activations = {"Sigmoid", "Tanh"}};
  return prepare_recurrent(c, kind, cell);
}

}  // namespace

MINI_DEFINE_OP(
    GRU, {.type = "GRU", .since = {1, 3, 7, 14, 22}, .infer = infer_recurrent, .prepare = prepare})

}  // namespace mini_infer
