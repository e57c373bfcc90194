// Einsum: sums of products over named axes.     onnx.ai/onnx/operators/onnx__Einsum.html
//
// Operands are multiplied from the left to the right. Each product is a stack of matrix products
// [batch][m][k] x [batch][k][n]: batch are the labels of both operands that are still needed, k
// those that are not, m and n the labels of one operand only. An operand is brought into that order
// by a copy, unless it lies so (or with its last two parts swapped) already.
#include <algorithm>
#include <map>

#include "kernels/gemm/gemm.h"
#include "kernels/movement/einsum_equation.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

bool has(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Result<Equation> equation_of(const AttributeReader& c, const std::vector<std::size_t>& ranks) {
  return parse_equation(c.string("equation", ""), ranks);
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(c.input_count()));
  c.set_output(0, c.dtype(0));
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (c.shape(i) == nullptr) return ok();
    ranks.push_back(c.shape(i)->rank());
  }
  MINI_TRY_ASSIGN(const Equation equation, equation_of(c, ranks));
  std::map<Label, Dim> extents;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::size_t axis = 0; axis < ranks[i]; ++axis) {
      const Dim& dim = (*c.shape(i))[axis];
      const auto [it, added] = extents.try_emplace(equation.inputs[i][axis], dim);
      if (added || dim.is(1)) continue;
      const auto both = it->second.is(1) ? std::optional(dim) : unify(it->second, dim);
      if (!both) {
        return invalid_model("input ", i, " of shape ", *c.shape(i), " has the extent ", dim,
                             " where another has ", it->second);
      }
      it->second = *both;
    }
  }
  SymShape out;
  for (const Label label : equation.output) out.push_back(extents.at(label));
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// A tensor whose axes carry labels. Strides of broadcast axes are 0.
struct Operand {
  int source = 0;  // input of the node, or -1: at `offset` elements in scratch memory
  std::int64_t offset = 0;
  Labels labels;
  std::vector<std::int64_t> strides;

  std::int64_t stride(Label label) const {
    const auto it = std::find(labels.begin(), labels.end(), label);
    return it == labels.end() ? 0 : strides[static_cast<std::size_t>(it - labels.begin())];
  }
};

// A copy of an operand with the axes in another order; nothing to do where it lies so already.
struct Arranged {
  Operand from;
  StridedCopy copy;
  std::int64_t to = 0;  // in scratch memory
  bool in_place = false;
};

// to[i] = sum over j < count of from[i * count + j]
struct Sum {
  Arranged from;
  std::int64_t results, count, to;
};

struct Product {
  Arranged a, b;
  std::int64_t batch, m, n, k;
  bool a_swapped = false, b_swapped = false;  // lies as [k][m], [n][k]
  std::int64_t to = 0;                        // in scratch memory
};

struct Step {
  bool is_sum = false;
  Sum sum;
  Product product;
};

// What is done, in order; the last copy writes the output.
struct Program {
  std::vector<Step> steps;
  Arranged result;
  std::int64_t scratch = 0;  // elements
};

class Compiler {
 public:
  Compiler(const PrepareContext& c, Equation equation) : c_(c), equation_(std::move(equation)) {}

  Result<Program> run() {
    MINI_TRY(collect_extents());
    Operand left = operand(0);
    for (std::size_t i = 1; i < equation_.inputs.size(); ++i) {
      Operand right = operand(i);
      left = without_unneeded(left, right.labels, i);
      right = without_unneeded(right, left.labels, i);
      left = multiply(left, right, i);
    }
    left = without_unneeded(left, {}, equation_.inputs.size());
    program_.result = arrange(left, equation_.output);
    if (too_large_) {
      return error(Code::kResourceExhausted, "an intermediate product of '", c_.node().name,
                   "' has more elements than memory holds");
    }
    return std::move(program_);
  }

 private:
  Status collect_extents() {
    for (std::size_t i = 0; i < equation_.inputs.size(); ++i) {
      for (std::size_t axis = 0; axis < equation_.inputs[i].size(); ++axis) {
        const std::int64_t extent = c_.shape(i)[axis];
        const auto [it, added] = extents_.try_emplace(equation_.inputs[i][axis], extent);
        if (added || extent == it->second || extent == 1) continue;
        if (it->second != 1)
          return invalid_model("extents ", extent, " and ", it->second, " clash");
        it->second = extent;
      }
    }
    return ok();
  }

  // Input `i`; a label that stands twice is the diagonal.
  Operand operand(std::size_t i) const {
    Operand out{.source = static_cast<int>(i)};
    const auto strides = strides_of(c_.shape(i));
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
      const Label label = equation_.inputs[i][axis];
      const std::int64_t stride = c_.shape(i)[axis] == 1 ? 0 : strides[axis];
      const auto it = std::find(out.labels.begin(), out.labels.end(), label);
      if (it == out.labels.end()) {
        out.labels.push_back(label);
        out.strides.push_back(stride);
      } else {
        out.strides[static_cast<std::size_t>(it - out.labels.begin())] += stride;
      }
    }
    return out;
  }

  // Whether the output or an operand from `next` on has the label.
  bool needed(Label label, std::size_t next) const {
    for (std::size_t i = next; i < equation_.inputs.size(); ++i) {
      if (has(equation_.inputs[i], label)) return true;
    }
    return has(equation_.output, label);
  }

  std::int64_t elements(const Labels& labels) const {
    std::int64_t n = 1;
    for (const Label label : labels) {
      if (__builtin_mul_overflow(n, extents_.at(label), &n)) return kMostElements;
    }
    return n;
  }

  std::int64_t reserve(std::int64_t count) {
    constexpr std::int64_t kAlign = 16;
    const std::int64_t at = program_.scratch;
    too_large_ |= count >= kMostElements || at >= kMostElements;
    if (too_large_) return 0;
    program_.scratch += (count + kAlign - 1) / kAlign * kAlign;
    return at;
  }

  // The copy that brings the operand's axes into this order.
  StridedCopy copy_to(const Operand& x, const Labels& order) const {
    std::vector<StridedCopy::Axis> axes;
    std::int64_t stride = elements(order);
    for (const Label label : order) {
      const std::int64_t extent = extents_.at(label);
      stride = extent == 0 ? 0 : stride / extent;
      axes.push_back({extent, x.stride(label), stride});
    }
    return StridedCopy(std::move(axes));
  }

  Arranged arrange(const Operand& x, const Labels& order) {
    Arranged out{.from = x, .copy = copy_to(x, order)};
    out.in_place = out.copy.elements() > 0 && out.copy.one_run();
    return out;
  }
  Arranged arrange_in_scratch(const Operand& x, const Labels& order) {
    Arranged out = arrange(x, order);
    if (!out.in_place) out.to = reserve(elements(order));
    return out;
  }

  static Labels joined(const Labels& a, const Labels& b, const Labels& c = {}) {
    Labels out = a;
    out.insert(out.end(), b.begin(), b.end());
    out.insert(out.end(), c.begin(), c.end());
    return out;
  }

  Operand intermediate(const Labels& labels, std::int64_t offset) const {
    Operand out{.source = -1, .offset = offset, .labels = labels};
    std::int64_t stride = elements(labels);
    for (const Label label : labels) {
      stride = extents_.at(label) == 0 ? 0 : stride / extents_.at(label);
      out.strides.push_back(stride);
    }
    return out;
  }

  // Sums out the labels that nobody else has.
  Operand without_unneeded(const Operand& x, const Labels& other, std::size_t next) {
    Labels kept, summed;
    for (const Label label : x.labels) {
      const bool keep = has(other, label) || needed(label, next + (other.empty() ? 0 : 1));
      (keep ? kept : summed).push_back(label);
    }
    if (summed.empty()) return x;
    Step step{.is_sum = true};
    step.sum = {.from = arrange_in_scratch(x, joined(kept, summed)),
                .results = elements(kept),
                .count = elements(summed),
                .to = 0};
    step.sum.to = reserve(step.sum.results);
    const std::int64_t to = step.sum.to;
    program_.steps.push_back(std::move(step));
    return intermediate(kept, to);
  }

  Operand multiply(const Operand& a, const Operand& b, std::size_t i) {
    Labels batch, m, n, k;
    for (const Label label : a.labels) {
      if (!has(b.labels, label)) {
        m.push_back(label);
      } else {
        (needed(label, i + 1) ? batch : k).push_back(label);
      }
    }
    for (const Label label : b.labels) {
      if (!has(a.labels, label)) n.push_back(label);
    }
    Product product{.batch = elements(batch), .m = elements(m), .n = elements(n), .k = elements(k)};
    product.a_swapped = lies_as(a, joined(batch, k, m));
    product.a =
        arrange_in_scratch(a, product.a_swapped ? joined(batch, k, m) : joined(batch, m, k));
    product.b_swapped = lies_as(b, joined(batch, n, k));
    product.b =
        arrange_in_scratch(b, product.b_swapped ? joined(batch, n, k) : joined(batch, k, n));
    product.to = reserve(elements(joined(batch, m, n)));
    const std::int64_t to = product.to;
    program_.steps.push_back({.is_sum = false, .product = std::move(product)});
    return intermediate(joined(batch, m, n), to);
  }

  bool lies_as(const Operand& x, const Labels& order) const {
    const StridedCopy copy = copy_to(x, order);
    return copy.elements() > 0 && copy.one_run();
  }

  // Far more than fits into memory, far less than overflows.
  static constexpr std::int64_t kMostElements = std::int64_t{1} << 44;

  const PrepareContext& c_;
  Equation equation_;
  bool too_large_ = false;
  std::map<Label, std::int64_t> extents_;
  Program program_;
};

template <class T>
const T* data_of(const KernelContext& k, const Operand& x, T* scratch) {
  return x.source >= 0 ? k.input<T>(static_cast<std::size_t>(x.source)) : scratch + x.offset;
}

template <class T>
const T* arranged_data(const KernelContext& k, const Arranged& x, T* scratch) {
  const T* from = data_of(k, x.from, scratch);
  if (x.in_place) return from;
  x.copy.run(k, kDTypeOf<T>, from, scratch + x.to);
  return scratch + x.to;
}

template <class T>
void run_sum(const KernelContext& k, const Sum& s, T* scratch) {
  const T* from = arranged_data(k, s.from, scratch);
  T* to = scratch + s.to;
  k.parallel_for(s.results, static_cast<double>(s.count), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      T sum = T(0);
      for (std::int64_t j = 0; j < s.count; ++j) sum = static_cast<T>(sum + from[i * s.count + j]);
      to[i] = sum;
    }
  });
}

// A matrix: element (row, column) at row * row_stride + column * column_stride.
struct MatrixStrides {
  std::int64_t row, column;
};
MatrixStrides a_strides(const Product& p) {
  return p.a_swapped ? MatrixStrides{1, p.m} : MatrixStrides{p.k, 1};
}
MatrixStrides b_strides(const Product& p) {
  return p.b_swapped ? MatrixStrides{1, p.k} : MatrixStrides{p.n, 1};
}

template <class T>
void multiply_plain(const KernelContext& k, const Product& p, const T* a, const T* b, T* c) {
  const MatrixStrides as = a_strides(p), bs = b_strides(p);
  k.parallel_for(p.batch * p.m, static_cast<double>(p.n * p.k), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* row = a + i / p.m * p.m * p.k + i % p.m * as.row;
      const T* matrix = b + i / p.m * p.k * p.n;
      for (std::int64_t j = 0; j < p.n; ++j) {
        T sum = T(0);
        for (std::int64_t l = 0; l < p.k; ++l) {
          sum = static_cast<T>(sum + row[l * as.column] * matrix[l * bs.row + j * bs.column]);
        }
        c[i * p.n + j] = sum;
      }
    }
  });
}

void multiply_gemm(const GemmPlan& plan, const Product& p, const float* a, const float* b, float* c,
                   float* gemm_scratch) {
  if (p.k == 0) std::fill_n(c, p.batch * p.m * p.n, 0.f);
  if (p.batch * p.m * p.n * p.k == 0) return;
  const MatrixStrides as = a_strides(p), bs = b_strides(p);
  gemm_batch(
      plan,
      [&](std::int64_t i) {
        return GemmOperands{
            .a = {.data = a + i * p.m * p.k, .row_stride = as.row, .column_stride = as.column},
            .b = {.data = b + i * p.k * p.n, .row_stride = bs.row, .column_stride = bs.column},
            .c = c + i * p.m * p.n,
            .c_stride = p.n};
      },
      gemm_scratch);
}

template <class T>
void run_program(const KernelContext& k, const Program& program,
                 const std::vector<GemmPlan>& plans) {
  T* scratch = reinterpret_cast<T*>(k.scratch);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    if (step.is_sum) {
      run_sum(k, step.sum, scratch);
      continue;
    }
    const Product& p = step.product;
    const T* a = arranged_data(k, p.a, scratch);
    const T* b = arranged_data(k, p.b, scratch);
    if constexpr (std::is_same_v<T, float>) {
      multiply_gemm(plans[i], p, a, b, scratch + p.to, scratch + program.scratch);
    } else {
      multiply_plain(k, p, a, b, scratch + p.to);
    }
  }
  program.result.copy.run(k, kDTypeOf<T>, data_of(k, program.result.from, scratch), k.outputs[0]);
}

template <class T>
PreparedKernel einsum_kernel(const PrepareContext& c, Program program) {
  PreparedKernel kernel;
  std::vector<GemmPlan> plans(program.steps.size());
  std::size_t gemm_bytes = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (program.steps[i].is_sum) continue;
    const Product& p = program.steps[i].product;
    kernel.flop += 2.0 * static_cast<double>(p.batch * p.m) * static_cast<double>(p.n * p.k);
    if (!std::is_same_v<T, float>) continue;
    plans[i] = plan_gemm({.m = p.m, .n = p.n, .k = p.k, .batch = p.batch}, c.threads(), c.isa());
    gemm_bytes = std::max(gemm_bytes, plans[i].scratch_bytes());
  }
  kernel.name = std::is_same_v<T, float> ? c.with_isa("einsum/gemm") : "einsum/plain";
  kernel.why = c.string("equation", "");
  kernel.scratch_bytes = static_cast<std::size_t>(program.scratch) * sizeof(T) + gemm_bytes;
  kernel.run = [program = std::move(program), plans = std::move(plans)](const KernelContext& k) {
    run_program<T>(k, program, plans);
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    ranks.push_back(c.shape(i).rank());
    if (c.dtype(i) != c.dtype(0)) return invalid_model("the inputs differ in dtype");
  }
  MINI_TRY_ASSIGN(Equation equation, equation_of(c, ranks));
  MINI_TRY_ASSIGN(Program program, Compiler(c, std::move(equation)).run());
  switch (c.dtype(0)) {
    case DType::kFloat32:
      return einsum_kernel<float>(c, std::move(program));
    case DType::kFloat64:
      return einsum_kernel<double>(c, std::move(program));
    case DType::kInt32:
      return einsum_kernel<std::int32_t>(c, std::move(program));
    case DType::kInt64:
      return einsum_kernel<std::int64_t>(c, std::move(program));
    default:
      return not_implemented("Einsum of ", dtype_name(c.dtype(0)));
  }
}

}  // namespace

MINI_DEFINE_OP(Einsum, {.type = "Einsum", .since = {12}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
