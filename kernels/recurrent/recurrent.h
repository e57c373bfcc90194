// What LSTM, GRU and RNN share: reading the node, the product of all inputs with W, the walk over
// the time steps, and where the results go.
//
// Letters: T time steps, B batch, I inputs, H hidden units, D directions, G gates of a cell.
//   x: [T][B][I], or [B][T][I] with layout 1
//   w: [D][G H][I], r: [D][G H][H], b: [D][2 G H] (of w, then of r)
//   y: [T][D][B][H], or [B][T][D][H] with layout 1
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "kernels/activation.h"
#include "kernels/gemm/gemm.h"
#include "kernels/op.h"

namespace mini_infer {

// Inputs and outputs that the operators have; the last ones are LSTM's.
enum RecurrentInput : std::size_t { kX, kW, kR, kB, kSequenceLens, kInitialH, kInitialC, kP };
enum RecurrentOutput : std::size_t { kY, kYh, kYc };

// dtype and shapes of the outputs.
Status infer_recurrent(InferContext& c);

// What an operator's cell is.
struct CellKind {
  std::string_view type;  // "lstm"
  std::int64_t gates;
  // Gates that are computed from the state as it is; the others (GRU's hidden one) have a product
  // of their own.
  std::int64_t first_gates;
  std::vector<std::string_view> activations;  // the default ones
  bool has_cell = false;                      // LSTM: a second state
};

// A matrix [k][n] of weights for the GEMM, packed before the run or, where the weights are no
// constant, in scratch memory.
struct PackedMatrix {
  std::size_t input = 0;                       // of the node
  std::int64_t offset = 0, k = 0, n = 0;       // element (i, j) at data[offset + j * k + i]
  std::shared_ptr<const PackedBuffer> packed;  // null: packed at run time
  std::size_t scratch = 0;                     // floats before it in scratch memory

  const float* data(const float* scratch_floats) const {
    return packed != nullptr ? packed->data<float>() : scratch_floats + scratch;
  }
};

// What is known of one direction before the run.
struct Direction {
  bool backwards = false;
  PackedMatrix w, r, r_last;  // r_last: of the gates after first_gates
  std::vector<ActivationParams> activations;
};

struct RecurrentParams {
  std::int64_t T = 0, B = 0, I = 0, H = 0, D = 1, G = 1;
  std::int64_t first_gates = 1;
  bool batch_first = false;
  bool has_cell = false;
  float clip = 0;  // 0: none
  bool linear_before_reset = false, input_forget = false;
  std::vector<Direction> directions;
  Isa isa = Isa{};
  int threads = 1;
  std::int64_t rows_per_task = 1;  // batch elements that one task walks through time
  GemmPlan input_product;
  // Scratch memory in floats, after what PackedMatrix has there.
  std::size_t bias_at = 0, gates_at = 0, product_at = 0, tasks_at = 0;
  std::size_t state_floats = 0, task_floats = 0;

  std::int64_t columns() const { return G * H; }
  std::int64_t tasks() const { return D * ((B + rows_per_task - 1) / rows_per_task); }
};

// One time step of `rows` batch elements. States are [rows][H], gates are `gates_stride` floats
// apart and hold x W + bias.
struct CellStep {
  const RecurrentParams& p;
  const Direction& direction;
  const GemmPlan& product;       // of the state with r
  const GemmPlan& last_product;  // of the state with r_last
  std::int64_t rows;
  std::int64_t gates_stride;
  float* h;
  float* c;                     // LSTM's cell state
  float* temporary;             // [rows][H]
  const float* peepholes;       // [3 H] or null
  const float* recurrent_bias;  // [G H] or null
  const float* scratch;         // for PackedMatrix::data
  float* product_scratch;
  float* gates = nullptr;
};
// Puts the new states in place of the old ones.
using CellFn = void (*)(const CellStep&);

// gates += h R, for the first gates.
void add_recurrent_product(const CellStep& s);
// Bounds `n` columns of all rows by the node's clip, if it has one.
void clip_gates(const CellStep& s, float* gates, std::int64_t n);
// Applies the direction's activation `which` to `n` columns of all rows.
void activate_gates(const CellStep& s, std::size_t which, float* gates, std::int64_t n);

Result<PreparedKernel> prepare_recurrent(PrepareContext& c, const CellKind& kind, CellFn cell);

}  // namespace mini_infer
