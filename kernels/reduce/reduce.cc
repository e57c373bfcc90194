// ReduceSum, -Mean, -Max, -Min, -Prod, -L1, -L2, -LogSum, -LogSumExp, -SumSquare.
//
// Axes are an attribute, or input 1 from opset 13 (ReduceSum) or 18 (the others) on. Neighbouring
// dimensions that are all kept or all reduced count as one; what remains alternates between the
// two.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/movement/params.h"
#include "kernels/reduce/reduce.simd.h"

namespace mini_infer {
namespace {

// What is done to the accumulated value.
enum class Finish { kNothing, kMean, kRoot, kLog };

struct ReduceOp {
  Accumulate accumulate = Accumulate::kSum;
  Finish finish = Finish::kNothing;
  bool exponential = false;  // LogSumExp
  int axes_input_since = 18;
};

constexpr ReduceOp kSum{.axes_input_since = 13};
constexpr ReduceOp kMean{Accumulate::kSum, Finish::kMean};
constexpr ReduceOp kMax{Accumulate::kMax};
constexpr ReduceOp kMin{Accumulate::kMin};
constexpr ReduceOp kProd{Accumulate::kProduct};
constexpr ReduceOp kL1{Accumulate::kSumAbs};
constexpr ReduceOp kL2{Accumulate::kSumSquare, Finish::kRoot};
constexpr ReduceOp kSumSquare{Accumulate::kSumSquare};
constexpr ReduceOp kLogSum{Accumulate::kSum, Finish::kLog};
constexpr ReduceOp kLogSumExp{.finish = Finish::kLog, .exponential = true};

// --- which dimensions

bool empty_is_none(const AttributeReader& node) {
  return node.integer("noop_with_empty_axes", 0) != 0;
}

// The axes as the node gives them; no value where they come at run time.
template <class Context>
std::optional<Ints> given_axes(const Context& c, int input_since) {
  if (c.opset() < input_since) return c.ints("axes");
  if (!c.has_input(1)) return Ints{};
  return c.ints_of(1);
}

// One flag for each dimension. An empty list means all of them, or none with noop_with_empty_axes.
Result<std::vector<bool>> reduced_dims(const Ints& axes, std::size_t rank, bool empty_is_none) {
  std::vector<bool> reduced(rank, axes.empty() && !empty_is_none);
  for (const std::int64_t axis : axes) {
    MINI_TRY_ASSIGN(const std::size_t at, normalize_axis(axis, rank));
    reduced[at] = true;
  }
  return reduced;
}

// A loop over one group of dimensions.
struct Group {
  std::int64_t extent = 1, stride = 1;
};

// Where the elements of each output lie: at the sum of its offset in `kept` and those in `reduced`.
struct ReducePlan {
  std::vector<Group> kept, reduced;  // outermost first; the last of one of them has stride 1
  std::int64_t outputs = 1, count = 1;

  bool columns() const { return reduced.empty() || reduced.back().stride != 1; }
};

ReducePlan make_plan(const Shape& shape, const std::vector<bool>& reduced) {
  ReducePlan plan;
  std::int64_t stride = 1;
  std::vector<Group>* last = nullptr;
  for (std::size_t d = shape.rank(); d-- > 0; stride *= shape[d]) {
    (reduced[d] ? plan.count : plan.outputs) *= shape[d];
    if (shape[d] == 1) continue;
    std::vector<Group>& groups = reduced[d] ? plan.reduced : plan.kept;
    if (last == &groups) {
      groups.back().extent *= shape[d];
    } else {
      groups.push_back({shape[d], stride});
    }
    last = &groups;
  }
  std::reverse(plan.kept.begin(), plan.kept.end());
  std::reverse(plan.reduced.begin(), plan.reduced.end());
  return plan;
}

std::int64_t offset_in(std::span<const Group> groups, std::int64_t index) {
  std::int64_t offset = 0;
  for (std::size_t g = groups.size(); g-- > 0; index /= groups[g].extent) {
    offset += index % groups[g].extent * groups[g].stride;
  }
  return offset;
}

std::int64_t product(std::span<const Group> groups) {
  std::int64_t n = 1;
  for (const Group& group : groups) n *= group.extent;
  return n;
}

// --- float32, by vectors

float start_of(Accumulate kind) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (kind) {
    case Accumulate::kProduct:
      return 1.f;
    case Accumulate::kMax:
      return -kInfinity;
    case Accumulate::kMin:
      return kInfinity;
    default:
      return 0.f;
  }
}

float join(Accumulate kind, float a, float b) {
  switch (kind) {
    case Accumulate::kProduct:
      return a * b;
    case Accumulate::kMax:
      return std::isnan(a) || a > b ? a : b;
    case Accumulate::kMin:
      return std::isnan(a) || a < b ? a : b;
    default:
      return a + b;
  }
}

void finish(Finish finish, std::int64_t count, float* y, std::int64_t n) {
  const float divisor = static_cast<float>(count);
  for (std::int64_t i = 0; i < n; ++i) {
    if (finish == Finish::kMean) y[i] /= divisor;
    if (finish == Finish::kRoot) y[i] = std::sqrt(y[i]);
    if (finish == Finish::kLog) y[i] = std::log(y[i]);
  }
}

// The last dimension is reduced: each output is made of rows.
PreparedKernel row_kernel(Isa isa, const ReduceOp& op, const ReducePlan& plan) {
  const auto row = simd::reduce_row_f32.get(isa);
  return {.name = cat("reduce/rows/", isa_name(isa)), .run = [=](const KernelContext& k) {
            const std::span outer(plan.reduced.data(), plan.reduced.size() - 1);
            const std::int64_t rows = product(outer), n = plan.reduced.back().extent;
            k.parallel_for(plan.outputs, static_cast<double>(plan.count), [&](Range range, int) {
              float* y = k.output<float>(0);
              for (std::int64_t o = range.begin; o < range.end; ++o) {
                const float* x = k.input<float>(0) + offset_in(plan.kept, o);
                float acc = start_of(op.accumulate);
                for (std::int64_t r = 0; r < rows; ++r) {
                  acc = join(op.accumulate, acc, row(op.accumulate, x + offset_in(outer, r), n));
                }
                y[o] = acc;
              }
              finish(op.finish, plan.count, y + range.begin, range.end - range.begin);
            });
            return ok();
          }};
}

// The last dimension is kept: neighbouring outputs are made together.
PreparedKernel column_kernel(Isa isa, const ReduceOp& op, const ReducePlan& plan) {
  const auto columns = simd::reduce_columns_f32.get(isa);
  constexpr std::int64_t kChunk = 64;  // outputs of one item: whole cache lines
  const std::int64_t inner = plan.kept.empty() ? 1 : plan.kept.back().extent;
  const std::int64_t chunks = (inner + kChunk - 1) / kChunk;
  const std::int64_t items = plan.outputs / inner * chunks;
  return {.name = cat("reduce/columns/", isa_name(isa)), .run = [=](const KernelContext& k) {
            const std::span kept(plan.kept.data(), plan.kept.empty() ? 0 : plan.kept.size() - 1);
            const std::span groups(plan.reduced);
            const std::span outer = groups.first(groups.empty() ? 0 : groups.size() - 1);
            const Group last = groups.empty() ? Group{} : groups.back();
            const std::int64_t times = product(outer);
            const double work = static_cast<double>(plan.count * std::min(kChunk, inner));
            k.parallel_for(items, work, [&](Range range, int) {
              for (std::int64_t item = range.begin; item < range.end; ++item) {
                const std::int64_t first = item % chunks * kChunk, o = item / chunks;
                const std::int64_t n = std::min(kChunk, inner - first);
                const float* x = k.input<float>(0) + offset_in(kept, o) + first;
                float* y = k.output<float>(0) + o * inner + first;
                std::fill_n(y, n, start_of(op.accumulate));
                for (std::int64_t t = 0; t < times; ++t) {
                  columns(op.accumulate, x + offset_in(outer, t), last.extent, last.stride, n, y);
                }
                finish(op.finish, plan.count, y, n);
              }
            });
            return ok();
          }};
}

// --- every other dtype, and LogSumExp

template <class T>
using Sum = std::conditional_t<
    kIsFloating<T>, double,
    std::conditional_t<std::is_same_v<T, std::uint64_t>, std::uint64_t, std::int64_t>>;

template <class T>
Sum<T> start_as(Accumulate kind) {
  using L = std::numeric_limits<std::conditional_t<kIsFloating<T>, double, T>>;
  if (kind == Accumulate::kProduct) return 1;
  if (kind == Accumulate::kMax)
    return static_cast<Sum<T>>(L::has_infinity ? -L::infinity() : L::lowest());
  if (kind == Accumulate::kMin)
    return static_cast<Sum<T>>(L::has_infinity ? L::infinity() : L::max());
  return 0;
}

// Integers wrap around.
template <class S>
S add_one(Accumulate kind, S acc, S x) {
  using U = std::conditional_t<std::is_same_v<S, double>, double, std::uint64_t>;
  const U a = static_cast<U>(acc), b = static_cast<U>(x);
  switch (kind) {
    case Accumulate::kSum:
      return static_cast<S>(a + b);
    case Accumulate::kSumAbs:
      return static_cast<S>(x < S{0} ? a - b : a + b);
    case Accumulate::kSumSquare:
      return static_cast<S>(a + b * b);
    case Accumulate::kProduct:
      return static_cast<S>(a * b);
    case Accumulate::kMax:
      return acc != acc || acc > x ? acc : x;
    case Accumulate::kMin:
      return acc != acc || acc < x ? acc : x;
  }
  return acc;
}

template <class T, class S>
T finished(Finish finish, S acc, std::int64_t count) {
  const auto value = static_cast<double>(acc);
  switch (finish) {
    case Finish::kMean:
      if constexpr (!kIsFloating<T>)
        return static_cast<T>(count == 0 ? S{0} : acc / static_cast<S>(count));
      return narrow<T>(value / static_cast<double>(count));
    case Finish::kRoot:
      return narrow<T>(std::sqrt(value));
    case Finish::kLog:
      return narrow<T>(std::isfinite(std::log(value)) || kIsFloating<T> ? std::log(value) : 0.0);
    case Finish::kNothing:
      break;
  }
  return narrow<T>(acc);
}

template <class T>
T reduce_one(const ReduceOp& op, const ReducePlan& plan, const T* x) {
  using S = Sum<T>;
  const auto at = [&](std::int64_t i) {
    return static_cast<S>(widen(x[offset_in(plan.reduced, i)]));
  };
  S acc = start_as<T>(op.accumulate);
  if (!op.exponential) {
    for (std::int64_t i = 0; i < plan.count; ++i) acc = add_one(op.accumulate, acc, at(i));
    return finished<T>(op.finish, acc, plan.count);
  }
  // log(sum(exp(x))) = most + log(sum(exp(x - most)))
  S most = start_as<T>(Accumulate::kMax);
  for (std::int64_t i = 0; i < plan.count; ++i) most = add_one(Accumulate::kMax, most, at(i));
  const auto base = static_cast<double>(most);
  if (plan.count == 0 || std::isinf(base)) return narrow<T>(base);
  double sum = 0;
  for (std::int64_t i = 0; i < plan.count; ++i) sum += std::exp(static_cast<double>(at(i)) - base);
  return narrow<T>(base + std::log(sum));
}

template <class T>
PreparedKernel scalar_kernel(const ReduceOp& op, const ReducePlan& plan) {
  return {.name = "reduce/scalar", .run = [=](const KernelContext& k) {
            const double work = 10.0 * static_cast<double>(plan.count);
            k.parallel_for(plan.outputs, work, [&](Range range, int) {
              for (std::int64_t o = range.begin; o < range.end; ++o) {
                k.output<T>(0)[o] = reduce_one(op, plan, k.input<T>(0) + offset_in(plan.kept, o));
              }
            });
            return ok();
          }};
}

// Reducing flags by Max is Or, by Min And.
template <>
PreparedKernel scalar_kernel<bool>(const ReduceOp& op, const ReducePlan& plan) {
  const bool any = op.accumulate == Accumulate::kMax;
  if (!any && op.accumulate != Accumulate::kMin) return {};
  return {.name = "reduce/flags", .run = [=](const KernelContext& k) {
            for (std::int64_t o = 0; o < plan.outputs; ++o) {
              const bool* x = k.input<bool>(0) + offset_in(plan.kept, o);
              bool found = false;
              for (std::int64_t i = 0; i < plan.count && !found; ++i) {
                found = x[offset_in(plan.reduced, i)] == any;
              }
              k.output<bool>(0)[o] = found == any;
            }
            return ok();
          }};
}

PreparedKernel kernel_for(DType dtype, Isa isa, const ReduceOp& op, const ReducePlan& plan) {
  PreparedKernel kernel;
  if (dtype == DType::kFloat32 && !op.exponential && plan.count > 0 && plan.outputs > 0) {
    kernel = plan.columns() ? column_kernel(isa, op, plan) : row_kernel(isa, op, plan);
  } else {
    dispatch_dtype(dtype, [&]<class T>() { kernel = scalar_kernel<T>(op, plan); });
  }
  kernel.flop = static_cast<double>(plan.outputs * plan.count);
  return kernel;
}

// --- the operator

// The shape of the output; 1 or nothing in place of a reduced dimension.
template <class S>
S output_shape(const S& x, const std::vector<bool>& reduced, bool keep) {
  S shape;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (!reduced[d]) shape.push_back(x[d]);
    if (reduced[d] && keep) shape.push_back(1);
  }
  return shape;
}

template <const ReduceOp& op>
Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 2));
  const SymShape* x = c.shape(0);
  const auto axes = given_axes(c, op.axes_input_since);
  const bool keep = c.integer("keepdims", 1) != 0;
  if (x == nullptr) {
    c.set_output(0, c.dtype(0));
    return ok();
  }
  SymShape shape;
  if (axes) {
    MINI_TRY_ASSIGN(const std::vector<bool> reduced,
                    reduced_dims(*axes, x->rank(), empty_is_none(c)));
    shape = output_shape(*x, reduced, keep);
  } else if (!keep) {
    c.set_output(0, c.dtype(0));
    return ok();
  } else {
    for (std::size_t d = 0; d < x->rank(); ++d) shape.push_back(c.unknown(0, d));
  }
  c.set_output(0, c.dtype(0), std::move(shape));
  return ok();
}

// The axes come at run time: the plan is made then.
Result<PreparedKernel> prepare_late(PrepareContext& c, const ReduceOp& op) {
  MINI_TRY_ASSIGN(const IntParam axes, IntParam::input(c, 1));
  const Shape x = c.shape(0);
  const DType dtype = c.dtype(0);
  const Isa isa = c.isa();
  const bool keep = c.integer("keepdims", 1) != 0, none = empty_is_none(c);
  const bool fixed = c.output(0).shape.has_value();
  const ReducePlan all = make_plan(x, std::vector<bool>(x.rank(), true));
  if (!kernel_for(dtype, isa, op, all).run) return not_implemented("input 0 has dtype ", dtype);
  auto run = [=](const KernelContext& k) -> Status {
    MINI_TRY_ASSIGN(const std::vector<bool> reduced, reduced_dims(axes.read(k), x.rank(), none));
    const PreparedKernel kernel = kernel_for(dtype, isa, op, make_plan(x, reduced));
    if (fixed) return kernel.run(k);
    MINI_TRY_ASSIGN(Tensor out, Tensor::allocate(dtype, output_shape(x, reduced, keep)));
    void* const outputs[] = {out.mutable_data()};
    KernelContext inner = k;
    inner.outputs = outputs;
    MINI_TRY(kernel.run(inner));
    k.set_output(0, std::move(out));
    return ok();
  };
  return PreparedKernel{.name = "reduce/late", .run = std::move(run)};
}

template <const ReduceOp& op>
Result<PreparedKernel> prepare(PrepareContext& c) {
  const auto axes = given_axes(c, op.axes_input_since);
  MINI_TRY(c.status());
  if (!axes) return prepare_late(c, op);
  MINI_TRY_ASSIGN(std::vector<bool> reduced,
                  reduced_dims(*axes, c.shape(0).rank(), empty_is_none(c)));
  const Shape stored = storage_shape(c.shape(0), c.layout(0), c.lanes());
  reduced.resize(stored.rank(), false);
  PreparedKernel kernel = kernel_for(c.dtype(0), c.isa(), op, make_plan(stored, reduced));
  if (!kernel.run) return not_implemented("input 0 has dtype ", c.dtype(0));
  return kernel;
}

// The axes, as far as they are known, are all spatial dimensions of an x of that rank.
bool reduces_spatial(const LayoutQuery& query, int axes_input_since, std::int64_t rank) {
  const Node& node = query.node;
  Ints axes = AttributeReader(node).ints("axes");
  if (node.opset >= axes_input_since) {
    const Tensor* input = node.inputs.size() > 1 ? query.graph.constant(node.inputs[1]) : nullptr;
    axes = input != nullptr ? integers(*input).value_or(Ints{}) : Ints{};
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  if (rank < 3 || static_cast<std::int64_t>(axes.size()) != rank - 2) return false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<std::int64_t>(i) + 2) return false;
  }
  return true;
}

// Blocked where exactly the spatial dimensions are reduced. Without keepdims the result is [N,C],
// which blocks without a gap hold in the same order.
template <const ReduceOp& op>
LayoutChoice layout(const LayoutQuery& query) {
  LayoutQuery plain = query;
  plain.inputs[0] = Layout::kPlain;
  const auto& x = query.graph.value(query.node.inputs[0]).shape;
  const bool blocked = query.inputs[0] == Layout::kBlocked && x && !op.exponential;
  if (!blocked ||
      !reduces_spatial(query, op.axes_input_since, static_cast<std::int64_t>(x->rank()))) {
    return same_layout(plain);
  }
  if (AttributeReader(query.node).integer("keepdims", 1) != 0) return same_layout(query);
  const Dim& channels = (*x)[1];
  if (!channels.known() || channels.value() % query.block != 0) return same_layout(plain);
  LayoutChoice choice = same_layout(query);
  choice.outputs[0] = Layout::kPlain;
  return choice;
}

}  // namespace

#define MINI_REDUCE(op_name, row, ...)              \
  MINI_DEFINE_OP(op_name, {.type = #op_name,        \
                           .since = {__VA_ARGS__},  \
                           .infer = infer<row>,     \
                           .prepare = prepare<row>, \
                           .layout = layout<row>})

MINI_REDUCE(ReduceL1, kL1, 1, 11, 13, 18)
MINI_REDUCE(ReduceL2, kL2, 1, 11, 13, 18)
MINI_REDUCE(ReduceLogSum, kLogSum, 1, 11, 13, 18)
MINI_REDUCE(ReduceLogSumExp, kLogSumExp, 1, 11, 13, 18)
MINI_REDUCE(ReduceMax, kMax, 1, 11, 12, 13, 18, 20)
MINI_REDUCE(ReduceMean, kMean, 1, 11, 13, 18)
MINI_REDUCE(ReduceMin, kMin, 1, 11, 12, 13, 18, 20)
MINI_REDUCE(ReduceProd, kProd, 1, 11, 13, 18)
MINI_REDUCE(ReduceSum, kSum, 1, 11, 13)
MINI_REDUCE(ReduceSumSquare, kSumSquare, 1, 11, 13, 18)

}  // namespace mini_infer
