// RNN: h = f(x W + h R + b).  onnx.ai/onnx/operators/onnx__RNN.html
#include <algorithm>

#include "kernels/recurrent/recurrent.h"

namespace mini_infer {
namespace {

// One time step.
void cell(const CellStep& s) {
  add_recurrent_product(s);
  clip_gates(s, s.gates, s.p.H);
  activate_gates(s, 0, s.gates, s.p.H);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    std::copy_n(s.gates + row * s.gates_stride, s.p.H, s.h + row * s.p.H);
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const CellKind kind{.type = "rnn", .gates = 1, .first_gates = 1, .activations = {"Tanh"}};
  return prepare_recurrent(c, kind, cell);
}

}  // namespace

MINI_DEFINE_OP(
    RNN, {.type = "RNN", .since = {1, 7, 14, 22}, .infer = infer_recurrent, .prepare = prepare})

}  // namespace mini_infer
