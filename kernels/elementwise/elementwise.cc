#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/ir/constants.h"

namespace mini_infer {
namespace {

constexpr std::size_t kMostContents = 64;

LayoutChoice all_plain(const LayoutQuery& query) {
  return {.inputs = std::vector<Layout>(query.node.inputs.size(), Layout::kPlain),
          .outputs = std::vector<Layout>(query.node.outputs.size(), Layout::kPlain)};
}

// The dim `back` places from the end; 1 beyond the first.
Dim dim_from_end(const SymShape& shape, std::size_t back) {
  return back < shape.rank() ? shape[shape.rank() - 1 - back] : Dim(1);
}

// Whether `shape` has extent 1 but for the dimensions of x in `allowed` (bit d: dimension d of x),
// where it must have x's.
bool matches_only(const SymShape& shape, const SymShape& x, unsigned allowed) {
  if (shape.rank() > x.rank()) return false;
  for (std::size_t back = 0; back < x.rank(); ++back) {
    const std::size_t d = x.rank() - 1 - back;
    const Dim extent = dim_from_end(shape, back);
    const bool may_match = (allowed >> d & 1) != 0 && extent == x[d];
    if (!extent.is(1) && !may_match) return false;
  }
  return true;
}

// The layout an operand of a blocked operator must have; no value where the operator cannot be
// blocked because of it.
std::optional<Layout> operand_layout(const Value& value, const SymShape& x) {
  if (!value.shape || value.dtype != DType::kFloat32) return std::nullopt;
  const SymShape& shape = *value.shape;
  if (!value.is_constant() && shape == x) return Layout::kBlocked;
  constexpr unsigned kBatch = 1, kChannel = 2;
  if (matches_only(shape, x, ~kChannel)) return Layout::kPlain;  // [N,1,H,W], one value
  if (value.is_constant()) {
    return matches_only(shape, x, kChannel) ? std::optional(Layout::kPlain) : std::nullopt;
  }
  if (shape.rank() == x.rank() && matches_only(shape, x, kBatch | kChannel)) {
    return Layout::kBlocked;  // [N,C,1,1]
  }
  return std::nullopt;
}

}  // namespace

Status infer_same(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, c.input_count()));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

LayoutChoice same_layout(const LayoutQuery& query) {
  LayoutChoice choice = all_plain(query);
  if (query.inputs.empty() || query.inputs[0] != Layout::kBlocked) return choice;
  choice.inputs[0] = Layout::kBlocked;
  choice.outputs[0] = Layout::kBlocked;
  return choice;
}

LayoutChoice broadcast_layout(const LayoutQuery& query) {
  LayoutChoice choice = all_plain(query);
  const SymShape* x = nullptr;  // of a blocked input with the output's shape
  const ValueId out = query.node.outputs[0];
  if (out == kNoValue || !query.graph.value(out).shape) return choice;
  const SymShape& out_shape = *query.graph.value(out).shape;
  for (std::size_t i = 0; i < query.inputs.size(); ++i) {
    if (query.inputs[i] != Layout::kBlocked) continue;
    const auto& shape = query.graph.value(query.node.inputs[i]).shape;
    if (shape && *shape == out_shape) x = &*shape;
  }
  if (x == nullptr || x->rank() < 3) return choice;
  LayoutChoice blocked = choice;
  blocked.outputs[0] = Layout::kBlocked;
  for (std::size_t i = 0; i < query.inputs.size(); ++i) {
    if (query.node.inputs[i] == kNoValue) continue;
    const auto layout = operand_layout(query.graph.value(query.node.inputs[i]), *x);
    if (!layout) return choice;
    blocked.inputs[i] = *layout;
  }
  return blocked;
}

Shape storage_shape(const Shape& shape, Layout layout, int block) {
  if (layout == Layout::kPlain) return shape;
  Shape stored = shape;
  stored[1] = (shape[1] + block - 1) / block;
  stored.push_back(block);
  return stored;
}

Result<Operand> operand_of(PrepareContext& c, std::size_t input, const Shape& shape, Layout out) {
  if (out == Layout::kPlain) return Operand{.shape = shape};
  const int block = c.lanes();
  if (c.layout(input) == Layout::kBlocked) {
    return Operand{.shape = storage_shape(shape, Layout::kBlocked, block)};
  }
  if (shape.elements() == 1) return Operand{.shape = {1}};
  const std::size_t rank = c.output_shape().rank();
  Shape full(std::vector<std::int64_t>(rank - shape.rank(), 1));
  for (const std::int64_t dim : shape) full.push_back(dim);
  if (full[1] == 1) {  // [N,1,H,W] -> [N,1,H,W,1]
    full.push_back(1);
    return Operand{.shape = full};
  }
  if (c.constant(input) == nullptr || full.elements() != full[1] ||
      c.dtype(input) != DType::kFloat32) {
    return Status(Code::kInternal,
                  cat("input ", input, " of shape ", shape, " is plain; the output is blocked"));
  }
  // [1,C,1,1] -> [1,ceil(C/c),1,1,c], 1 in the lanes past C
  const Shape stored = storage_shape(full, Layout::kBlocked, block);
  const std::size_t bytes = static_cast<std::size_t>(stored.elements()) * sizeof(float);
  const Tensor& source = *c.constant(input);
  auto packed = c.packed(input, cat("per_channel/", block), bytes, [&](std::byte* p) {
    auto* lanes = reinterpret_cast<float*>(p);
    std::fill_n(lanes, stored.elements(), 1.f);
    std::copy_n(source.data<float>(), source.elements(), lanes);
  });
  return Operand{.shape = stored, .packed = std::move(packed)};
}

void allow_in_place(PrepareContext& c, PreparedKernel& kernel, std::size_t input) {
  const PrepareInput& in = c.input(input);
  if (in.constant != nullptr || in.dtype != c.output_dtype() || in.layout != c.output_layout() ||
      in.shape.elements() != c.output_shape().elements()) {
    return;
  }
  kernel.aliases.push_back({.kind = Alias::Kind::kInPlace, .input = static_cast<int>(input)});
}

std::optional<std::vector<Dim>> known_contents(const InferContext& c, std::size_t input) {
  if (c.contents(input) != nullptr) return *c.contents(input);
  const Tensor* tensor = c.constant(input);
  if (tensor == nullptr || tensor->elements() > static_cast<std::int64_t>(kMostContents)) {
    return std::nullopt;
  }
  const auto values = numbers(*tensor);
  if (!values) return std::nullopt;
  std::vector<Dim> dims;
  for (const double value : *values) {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (!(std::abs(value) < kExact) || value != std::floor(value)) return std::nullopt;
    dims.emplace_back(static_cast<std::int64_t>(value));
  }
  return dims;
}

void infer_contents(InferContext& c, DimFunction f) {
  const auto a = known_contents(c, 0);
  if (!a || a->empty()) return;
  const auto b = c.has_input(1) ? known_contents(c, 1) : a;
  if (!b || b->empty()) return;
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return;
  // [n] and [1] broadcast by position; other shapes with so few elements take part only when equal.
  const auto rank_of = [&](std::size_t i) {
    return c.shape(i) != nullptr ? c.shape(i)->rank() : 2;
  };
  if (rank_of(0) > 1 || (c.has_input(1) && rank_of(1) > 1)) return;
  std::vector<Dim> out;
  for (std::size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const auto dim = f((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
    if (!dim) return;
    out.push_back(*dim);
  }
  c.set_contents(0, std::move(out));
}

}  // namespace mini_infer
