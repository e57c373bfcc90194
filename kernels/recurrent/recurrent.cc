#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cstring>

#include "kernels/recurrent/activations.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

constexpr std::size_t kFloatsPerLine = 16;
std::size_t whole_lines(std::size_t floats) {
  return (floats + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine;
}

// Batch elements that walk through time together; more of them are tasks of their own.
constexpr std::int64_t kMostRowsPerTask = 16;

// Multiply-adds of one step that are worth a fork and a join, which each step needs anew.
constexpr std::int64_t kMacsForThreads = 1 << 20;

GemmPlan plan_step(const RecurrentParams& p, std::int64_t rows, std::int64_t gates) {
  if (rows * gates * p.H == 0) return {};
  const GemmShape shape{.m = rows, .n = gates * p.H, .k = p.H, .b = GemmSource::kPacked};
  const bool split = p.tasks() == 1 && rows * shape.n * shape.k >= kMacsForThreads;
  return plan_gemm(shape, split ? p.threads : 1, p.isa);
}

// --- running

// One run of the node.
struct Run {
  const KernelContext& k;
  const RecurrentParams& p;
  CellFn cell;
  float* scratch;

  // States lie [D][B][H], or [B][D][H].
  std::int64_t state_offset(std::int64_t d, std::int64_t b) const {
    return (p.batch_first ? b * p.D + d : d * p.B + b) * p.H;
  }
  std::int64_t y_offset(std::int64_t t, std::int64_t d, std::int64_t b) const {
    return (p.batch_first ? (b * p.T + t) * p.D + d : (t * p.D + d) * p.B + b) * p.H;
  }
  // The row of x, and of the gates, of a time step.
  std::int64_t row(std::int64_t t, std::int64_t b) const {
    return p.batch_first ? b * p.T + t : t * p.B + b;
  }
  std::int64_t rows_between_elements() const { return p.batch_first ? p.T : 1; }
  float* gates(std::int64_t d) const {
    return scratch + p.gates_at + static_cast<std::size_t>(d * p.T * p.B * p.columns());
  }
};

void pack_at_run_time(const Run& r, const PackedMatrix& matrix) {
  if (matrix.packed != nullptr || matrix.n == 0) return;
  const float* data = r.k.input<float>(matrix.input) + matrix.offset;
  pack_b({.data = data, .row_stride = 1, .column_stride = matrix.k}, matrix.k, matrix.n,
         r.scratch + matrix.scratch, r.p.isa);
}

// The sum of both biases, but for gates that add theirs elsewhere.
const float* sum_bias(const Run& r, std::int64_t d) {
  const RecurrentParams& p = r.p;
  if (r.k.input<float>(kB) == nullptr) return nullptr;
  const float* of_w = r.k.input<float>(kB) + d * 2 * p.columns();
  const float* of_r = of_w + p.columns();
  float* sum = r.scratch + p.bias_at + static_cast<std::size_t>(d * p.columns());
  const std::int64_t both = p.linear_before_reset ? p.first_gates * p.H : p.columns();
  for (std::int64_t i = 0; i < p.columns(); ++i) sum[i] = of_w[i] + (i < both ? of_r[i] : 0.f);
  return sum;
}

// gates of all time steps: x W + bias
void multiply_inputs(const Run& r, std::int64_t d) {
  const RecurrentParams& p = r.p;
  const Direction& direction = p.directions[static_cast<std::size_t>(d)];
  for (const PackedMatrix* matrix : {&direction.w, &direction.r, &direction.r_last}) {
    pack_at_run_time(r, *matrix);
  }
  GemmOperands operands;
  operands.a = {.data = r.k.input<float>(kX), .row_stride = p.I};
  operands.b = {.data = direction.w.data(r.scratch)};
  operands.c = r.gates(d);
  operands.c_stride = p.columns();
  operands.epilogue.column_bias = sum_bias(r, d);
  gemm(p.input_product, operands, r.scratch + p.product_at);
}

void load_state(const Run& r, std::size_t input, std::int64_t d, std::int64_t b, float* to) {
  const auto bytes = static_cast<std::size_t>(r.p.H) * sizeof(float);
  const float* from = r.k.input<float>(input);
  if (from == nullptr) {
    std::memset(to, 0, bytes);
  } else {
    std::memcpy(to, from + r.state_offset(d, b), bytes);
  }
}

void store_row(float* to, const float* from, std::int64_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

// `rows` batch elements from b on through `length` time steps of one direction.
void walk(const Run& r, std::int64_t d, std::int64_t b, std::int64_t rows, std::int64_t length,
          float* memory) {
  const RecurrentParams& p = r.p;
  const Direction& direction = p.directions[static_cast<std::size_t>(d)];
  float* h = memory;
  float* c = h + p.state_floats;
  for (std::int64_t i = 0; i < rows; ++i) {
    load_state(r, kInitialH, d, b + i, h + i * p.H);
    if (p.has_cell) load_state(r, kInitialC, d, b + i, c + i * p.H);
  }
  const GemmPlan product = plan_step(p, rows, p.first_gates);
  const GemmPlan last_product = plan_step(p, rows, p.G - p.first_gates);
  const float* bias = r.k.input<float>(kB);
  const float* peepholes = p.has_cell ? r.k.input<float>(kP) : nullptr;
  CellStep step{.p = p,
                .direction = direction,
                .product = product,
                .last_product = last_product,
                .rows = rows,
                .gates_stride = r.rows_between_elements() * p.columns(),
                .h = h,
                .c = c,
                .temporary = c + p.state_floats,
                .peepholes = peepholes != nullptr ? peepholes + d * 3 * p.H : nullptr,
                .recurrent_bias = bias != nullptr ? bias + (d * 2 + 1) * p.columns() : nullptr,
                .scratch = r.scratch,
                .product_scratch = c + 2 * p.state_floats};
  float* y = r.k.output<float>(kY);
  for (std::int64_t s = 0; s < length; ++s) {
    const std::int64_t t = direction.backwards ? length - 1 - s : s;
    step.gates = r.gates(d) + r.row(t, b) * p.columns();
    r.cell(step);
    for (std::int64_t i = 0; i < rows && y != nullptr; ++i) {
      store_row(y + r.y_offset(t, d, b + i), h + i * p.H, p.H);
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t at = r.state_offset(d, b + i);
    if (float* y_h = r.k.output<float>(kYh)) store_row(y_h + at, h + i * p.H, p.H);
    if (!p.has_cell) continue;
    if (float* y_c = r.k.output<float>(kYc)) store_row(y_c + at, c + i * p.H, p.H);
  }
  for (std::int64_t t = length; t < p.T && y != nullptr; ++t) {
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill_n(y + r.y_offset(t, d, b + i), p.H, 0.f);
    }
  }
}

void run_task(const Run& r, std::int64_t task) {
  const RecurrentParams& p = r.p;
  const std::int64_t d = task % p.D, b = task / p.D * p.rows_per_task;
  const std::int64_t rows = std::min(p.rows_per_task, p.B - b);
  float* memory = r.scratch + p.tasks_at + static_cast<std::size_t>(task) * p.task_floats;
  const auto* lengths = r.k.input<std::int32_t>(kSequenceLens);
  const bool whole = lengths == nullptr || std::all_of(lengths + b, lengths + b + rows,
                                                       [&](std::int32_t n) { return n == p.T; });
  if (whole) {
    walk(r, d, b, rows, p.T, memory);
  } else {
    for (std::int64_t i = b; i < b + rows; ++i) walk(r, d, i, 1, lengths[i], memory);
  }
}

// Where there is no time step, the last states are the initial ones, or zero.
void keep_states(const KernelContext& k, const RecurrentParams& p) {
  const std::int64_t count = p.D * p.B * p.H;
  for (const auto& [output, input] : {std::pair{kYh, kInitialH}, std::pair{kYc, kInitialC}}) {
    float* last = k.output<float>(output);
    if (last == nullptr || count == 0) continue;
    if (const float* initial = k.input<float>(input)) {
      store_row(last, initial, count);
    } else {
      std::fill_n(last, count, 0.f);
    }
  }
}

Status run(const KernelContext& k, const RecurrentParams& p, CellFn cell) {
  const auto* lengths = k.input<std::int32_t>(kSequenceLens);
  for (std::int64_t b = 0; b < p.B && lengths != nullptr; ++b) {
    if (lengths[b] < 0 || lengths[b] > p.T) {
      return invalid_model("sequence length ", lengths[b], " of batch element ", b,
                           " is outside of [0,", p.T, "]");
    }
  }
  if (p.T * p.B * p.H == 0) {
    keep_states(k, p);
    return ok();
  }
  const Run r{k, p, cell, reinterpret_cast<float*>(k.scratch)};
  for (std::int64_t d = 0; d < p.D; ++d) multiply_inputs(r, d);
  const double work = static_cast<double>(p.T) * static_cast<double>(p.rows_per_task) *
                      static_cast<double>(p.H) * static_cast<double>(p.columns());
  k.parallel_for(p.tasks(), work, [&](Range range, int) {
    for (std::int64_t task = range.begin; task < range.end; ++task) run_task(r, task);
  });
  return ok();
}

// --- preparing

Status expect_shape(const PrepareContext& c, std::size_t i, const char* name, DType dtype,
                    const Shape& shape) {
  if (!c.has_input(i)) return ok();
  if (c.dtype(i) != dtype) {
    return not_implemented("input ", i, " '", name, "' is ", c.dtype(i), "; ", dtype,
                           " is implemented");
  }
  if (c.shape(i) == shape) return ok();
  return invalid_model("input ", i, " '", name, "' has shape ", c.shape(i), "; ", shape,
                       " is needed");
}

Status read_shapes(const PrepareContext& c, const CellKind& kind, RecurrentParams& p) {
  const std::string direction = c.string("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return invalid_model("direction is '", direction,
                         "'; it must be forward, reverse or bidirectional");
  }
  for (const std::size_t i : {kX, kW, kR}) {
    if (c.shape(i).rank() != 3) {
      return invalid_model("input ", i, " has shape ", c.shape(i), "; rank 3 is needed");
    }
  }
  p.batch_first = c.integer("layout", 0) != 0;
  p.T = c.shape(kX)[p.batch_first ? 1 : 0];
  p.B = c.shape(kX)[p.batch_first ? 0 : 1];
  p.I = c.shape(kX)[2];
  p.D = direction == "bidirectional" ? 2 : 1;
  p.G = kind.gates;
  p.first_gates = kind.first_gates;
  p.has_cell = kind.has_cell;
  p.H = c.shape(kR)[2];
  if (c.integer("hidden_size", p.H) != p.H) {
    return invalid_model("hidden_size is ", c.integer("hidden_size", p.H), "; r has shape ",
                         c.shape(kR));
  }
  const Shape state = p.batch_first ? Shape{p.B, p.D, p.H} : Shape{p.D, p.B, p.H};
  MINI_TRY(expect_shape(c, kX, "X", DType::kFloat32, c.shape(kX)));
  MINI_TRY(expect_shape(c, kW, "W", DType::kFloat32, {p.D, p.columns(), p.I}));
  MINI_TRY(expect_shape(c, kR, "R", DType::kFloat32, {p.D, p.columns(), p.H}));
  MINI_TRY(expect_shape(c, kB, "B", DType::kFloat32, {p.D, 2 * p.columns()}));
  MINI_TRY(expect_shape(c, kSequenceLens, "sequence_lens", DType::kInt32, {p.B}));
  MINI_TRY(expect_shape(c, kInitialH, "initial_h", DType::kFloat32, state));
  if (!p.has_cell) return ok();
  MINI_TRY(expect_shape(c, kInitialC, "initial_c", DType::kFloat32, state));
  return expect_shape(c, kP, "P", DType::kFloat32, {p.D, 3 * p.H});
}

// Columns [first, first + count) of direction d's matrix in input `i`.
PackedMatrix pack_matrix(const PrepareContext& c, const RecurrentParams& p, std::size_t i,
                         std::int64_t d, std::int64_t first, std::int64_t count,
                         std::size_t& scratch) {
  PackedMatrix matrix{.input = i, .k = c.shape(i)[2], .n = count};
  matrix.offset = (d * p.columns() + first) * matrix.k;
  if (count == 0) return matrix;
  const auto floats = static_cast<std::size_t>(packed_b_floats(matrix.k, matrix.n, p.isa));
  if (const Tensor* constant = c.constant(i)) {
    matrix.packed =
        c.packed(i, c.with_isa(cat("gemm_b_columns/", matrix.offset, "/", matrix.k, "x", matrix.n)),
                 floats * sizeof(float), [&](std::byte* out) {
                   const float* data = constant->data<float>() + matrix.offset;
                   pack_b({.data = data, .row_stride = 1, .column_stride = matrix.k}, matrix.k,
                          matrix.n, reinterpret_cast<float*>(out), p.isa, c.threads());
                 });
  } else {
    matrix.scratch = scratch;
    scratch += whole_lines(floats);
  }
  return matrix;
}

Status prepare_directions(const PrepareContext& c, const CellKind& kind, RecurrentParams& p,
                          std::size_t& scratch) {
  MINI_TRY_ASSIGN(const std::vector<ActivationParams> activations,
                  read_activations(c, kind.activations, p.D));
  const std::int64_t first = p.first_gates * p.H;
  for (std::int64_t d = 0; d < p.D; ++d) {
    Direction direction;
    direction.backwards = d == 1 || c.string("direction", "forward") == "reverse";
    direction.w = pack_matrix(c, p, kW, d, 0, p.columns(), scratch);
    direction.r = pack_matrix(c, p, kR, d, 0, first, scratch);
    direction.r_last = pack_matrix(c, p, kR, d, first, p.columns() - first, scratch);
    const auto from = activations.begin() + d * static_cast<std::int64_t>(kind.activations.size());
    direction.activations.assign(from, from + static_cast<std::ptrdiff_t>(kind.activations.size()));
    p.directions.push_back(std::move(direction));
  }
  return ok();
}

// Lays out scratch memory from `at` on, and returns its size in floats.
std::size_t plan_scratch(RecurrentParams& p, std::size_t at) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  p.bias_at = at;
  p.gates_at = p.bias_at + whole_lines(size(p.D * p.columns()));
  p.product_at = p.gates_at + whole_lines(size(p.D * p.T * p.B * p.columns()));
  p.tasks_at = p.product_at + whole_lines(p.input_product.scratch_bytes() / sizeof(float));
  p.state_floats = whole_lines(size(p.rows_per_task * p.H));
  std::size_t product = 0;
  for (const std::int64_t rows : {p.rows_per_task, p.B % p.rows_per_task, std::int64_t{1}}) {
    for (const std::int64_t gates : {p.first_gates, p.G - p.first_gates}) {
      product = std::max(product, plan_step(p, rows, gates).scratch_bytes() / sizeof(float));
    }
  }
  constexpr std::size_t kStates = 3;  // h, c and a temporary one
  p.task_floats = kStates * p.state_floats + whole_lines(product);
  return p.tasks_at + size(p.tasks()) * p.task_floats;
}

}  // namespace

void add_recurrent_product(const CellStep& s) {
  GemmOperands operands;
  operands.a = {.data = s.h, .row_stride = s.p.H};
  operands.b = {.data = s.direction.r.data(s.scratch)};
  operands.c = s.gates;
  operands.c_stride = s.gates_stride;
  operands.epilogue.residual = s.gates;
  operands.epilogue.residual_stride = s.gates_stride;
  gemm(s.product, operands, s.product_scratch);
}

void clip_gates(const CellStep& s, float* gates, std::int64_t n) {
  if (s.p.clip <= 0) return;
  const ActivationParams clip{Activation::kClip, -s.p.clip, s.p.clip};
  simd::activate_rows_f32.get(s.p.isa)(clip, gates, s.rows, n, s.gates_stride);
}

void activate_gates(const CellStep& s, std::size_t which, float* gates, std::int64_t n) {
  simd::activate_rows_f32.get(s.p.isa)(s.direction.activations[which], gates, s.rows, n,
                                       s.gates_stride);
}

Result<PreparedKernel> prepare_recurrent(PrepareContext& c, const CellKind& kind, CellFn cell) {
  RecurrentParams p{.isa = c.isa(), .threads = c.threads()};
  MINI_TRY(read_shapes(c, kind, p));
  p.clip = c.number("clip", 0.f);
  p.linear_before_reset = c.integer("linear_before_reset", 0) != 0;
  p.input_forget = c.integer("input_forget", 0) != 0;
  p.rows_per_task = std::clamp<std::int64_t>(p.B, 1, kMostRowsPerTask);
  // The gates of all time steps, the biggest part of scratch memory, must be countable.
  MINI_TRY(checked_bytes(DType::kFloat64, Shape{p.T, p.B}).status());
  MINI_TRY(checked_bytes(DType::kFloat64, Shape{p.D, p.T, p.B, p.columns()}).status());
  if (p.T * p.B * p.H > 0)
    p.input_product = plan_gemm(
        {.m = p.T * p.B, .n = p.columns(), .k = p.I, .b = GemmSource::kPacked}, p.threads, p.isa);
  std::size_t scratch = 0;
  MINI_TRY(prepare_directions(c, kind, p, scratch));
  PreparedKernel kernel;
  kernel.name = c.with_isa(std::string(kind.type) + "/gemm");
  kernel.why = cat(p.T, " steps, ", p.H, " units, ", p.D, p.D == 1 ? " direction" : " directions");
  kernel.scratch_bytes = plan_scratch(p, scratch) * sizeof(float);
  kernel.flop = 2. * static_cast<double>(p.D * p.T * p.B) * static_cast<double>(p.columns()) *
                static_cast<double>(p.I + p.H);
  kernel.run = [p = std::move(p), cell](const KernelContext& k) { return run(k, p, cell); };
  return kernel;
}

}  // namespace mini_infer
