// before:  MatMul(q, k) [* scale] [+ mask] -> Softmax over keys -> MatMul(., v) -> [Transpose,
//          Reshape] -> y     where q, k, v come through Transpose, Reshape, Split, Slice, ...
//          The mask may also be Where(keep, scores, -10000 or less) with a constant `keep`.
// after:   FusedAttention(q', k', v', mask) -> y        which reads and writes by strides
// when:    all shapes are numbers; q, k, v have the same outer extents, the mask broadcasts to the
//          scores; nothing between has another use; rows of q, k, v and y are contiguous, and what
//          is outside them is a batch and a head at most
//
// The scores of a block of rows never leave the cache, and nothing is copied between heads.

#include <algorithm>

#include "graph/passes/match.h"
#include "graph/passes/strided_view.h"

namespace mini_infer {
namespace {

// Softmax over the last axis.
bool over_last_axis(const Graph& graph, NodeId softmax, std::size_t rank) {
  const Node& node = graph.node(softmax);
  const std::int64_t fallback = node.opset < 13 ? 1 : -1;
  return normal_axis(AttributeReader(node).integer("axis", fallback), rank) == rank - 1;
}

// A product of matrices that are both computed, without an activation.
NodeId product_of_values(const Graph& graph, NodeId id) {
  if (id == kNoNode) return kNoNode;
  const Node& node = graph.node(id);
  const bool plain = node.is("MatMul");
  const bool fused =
      node.is("FusedMatMul", kInternalDomain) && !node.attributes.contains("activation");
  return plain || fused ? id : kNoNode;
}

// A view as far up as its elements are only moved and scaled.
struct Operand {
  StridedView view;
  double scale = 1;
};

std::optional<Operand> operand_of(const Graph& graph, ValueId value) {
  auto view = view_of(graph, value);
  if (!view || !has_dtype(graph, value, DType::kFloat32)) return std::nullopt;
  Operand operand{std::move(*view)};
  for (;;) {
    if (auto before = view_before(graph, operand.view)) {
      operand.view = std::move(*before);
      continue;
    }
    const NodeId id = graph.producer(operand.view.base);
    if (id == kNoNode) return operand;
    const bool divides = graph.node(id).is("Div");
    const auto scaled =
        divides || graph.node(id).is("Mul") ? scalar_operand(graph, id) : std::nullopt;
    if (!scaled || scaled->number == 0 || !same_shape(graph, scaled->x, operand.view.base)) {
      return operand;
    }
    operand.view.base = scaled->x;
    operand.scale *= divides ? 1 / scaled->number : scaled->number;
  }
}

// The mask as a view of the scores' shape.
std::optional<StridedView> mask_view(const Graph& graph, ValueId mask, const StridedView& scores) {
  auto view = view_of(graph, mask);
  if (!view) return std::nullopt;
  if (!has_dtype(graph, mask, DType::kFloat32) && !has_dtype(graph, mask, DType::kBool)) {
    return std::nullopt;
  }
  if (view->axes.size() > scores.axes.size()) return std::nullopt;
  view->axes.insert(view->axes.begin(), scores.axes.size() - view->axes.size(), ViewAxis());
  for (std::size_t i = 0; i < scores.axes.size(); ++i) {
    const bool one = view->axes[i].empty() && !scores.axes[i].empty();
    if (one) view->axes[i] = {{scores.axes[i].front().extent, 0}};
    const bool fits = view->axes[i].empty()
                          ? scores.axes[i].empty()
                          : !scores.axes[i].empty() &&
                                view->axes[i].front().extent == scores.axes[i].front().extent;
    if (!fits) return std::nullopt;
  }
  return view;
}

std::int64_t extent_of(const ViewAxis& axis) {
  std::int64_t extent = 1;
  for (const Run& run : axis) extent *= run.extent;
  return extent;
}
// The step of an axis that is one run.
std::optional<std::int64_t> stride_of(const ViewAxis& axis) {
  if (axis.empty()) return 0;
  return axis.size() == 1 ? std::optional(axis.front().stride) : std::nullopt;
}

// All axes but the last two as a batch of heads: offset, and strides of batch and head.
class Stack {
 public:
  // False if the operand has more than two levels, or others than those before.
  bool add(const StridedView& view) {
    ViewAxis all;
    for (std::size_t i = 0; i + 2 < view.axes.size(); ++i) {
      all.insert(all.end(), view.axes[i].begin(), view.axes[i].end());
    }
    runs_.push_back(joined(all));
    const ViewAxis& runs = runs_.back();
    if (runs.size() > 2) return false;
    if (runs.size() == 2) {
      if (heads_ != 0 && heads_ != runs[1].extent) return false;
      heads_ = runs[1].extent;
    }
    if (count_ != 0 && count_ != extent_of(runs)) return false;
    count_ = extent_of(runs);
    return true;
  }
  std::int64_t heads() const { return heads_ != 0 ? heads_ : count_; }
  std::int64_t batches() const { return count_ / heads(); }
  // Of the operand that was added as the i-th.
  std::int64_t batch_stride(std::size_t i) const {
    if (runs_[i].empty()) return 0;
    return runs_[i].size() == 2 ? runs_[i][0].stride : runs_[i][0].stride * heads();
  }
  std::int64_t head_stride(std::size_t i) const {
    return runs_[i].empty() ? 0 : runs_[i].back().stride;
  }

 private:
  std::vector<ViewAxis> runs_;
  std::int64_t heads_ = 0, count_ = 0;
};

// What the pattern is made of.
struct Match {
  NodeId scores = kNoNode, sums = kNoNode;
  ValueId mask = kNoValue;
  std::optional<Tensor> keep;  // what the mask becomes
};

// The elements of a constant of bools, or their opposite, if every row has one that is true: a row
// that keeps nothing is not that of an attention.
std::optional<Tensor> kept(const Graph& graph, ValueId value, bool opposite) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->dtype() != DType::kBool || tensor->elements() == 0) {
    return std::nullopt;
  }
  Tensor keep(DType::kBool, tensor->shape());
  const bool* in = tensor->data<bool>();
  bool* out = keep.mutable_data<bool>();
  const std::int64_t rank = static_cast<std::int64_t>(tensor->shape().rank());
  const std::int64_t row = rank == 0 ? 1 : tensor->shape()[static_cast<std::size_t>(rank - 1)];
  for (std::int64_t first = 0; first < tensor->elements(); first += row) {
    for (std::int64_t i = first; i < first + row; ++i) out[i] = in[i] != opposite;
    if (std::none_of(out + first, out + first + row, [](bool x) { return x; })) return std::nullopt;
  }
  return keep;
}

// Finds the product under Where, and makes its condition the mask.
bool match_where(const Graph& graph, NodeId where, Match& m) {
  constexpr double kMasked = -10000;  // its exponential is 0 beside any that is kept
  for (const std::size_t i : {1u, 2u}) {
    const ValueId product = graph.input(where, i);
    const auto masked = scalar_constant(graph, graph.input(where, 3 - i));
    if (!masked || !(*masked <= kMasked) || !only_use(graph, product) ||
        !same_shape(graph, product, graph.output(where))) {
      continue;
    }
    m.scores = product_of_values(graph, graph.producer(product));
    if (m.scores == kNoNode || graph.input(m.scores, 2) != kNoValue) return false;
    m.mask = graph.input(where, 0);
    m.keep = kept(graph, m.mask, i == 2);
    return m.keep.has_value();
  }
  return false;
}

std::optional<Match> match(const Graph& graph, NodeId softmax) {
  const ValueId in = graph.input(softmax, 0), out = graph.output(softmax);
  const auto rank = rank_of(graph, in);
  if (!rank || *rank < 2 || !over_last_axis(graph, softmax, *rank)) return std::nullopt;
  if (!only_use(graph, in) || !only_use(graph, out)) return std::nullopt;
  Match m;
  m.sums = product_of_values(graph, graph.value(out).users[0]);
  if (m.sums == kNoNode || graph.input(m.sums, 0) != out ||
      graph.node(m.sums).attributes.contains("alpha") || graph.input(m.sums, 2) != kNoValue) {
    return std::nullopt;
  }
  m.scores = product_of_values(graph, graph.producer(in));
  if (m.scores != kNoNode) {
    m.mask = graph.input(m.scores, 2);
    return m;
  }
  if (const NodeId where = made_by(graph, in, "Where"); where != kNoNode) {
    return match_where(graph, where, m) ? std::optional(m) : std::nullopt;
  }
  const NodeId add = made_by(graph, in, "Add");
  if (add == kNoNode || has_legacy_broadcast(graph.node(add))) return std::nullopt;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId product = graph.input(add, i);
    if (!only_use(graph, product) || !same_shape(graph, product, in)) continue;
    m.scores = product_of_values(graph, graph.producer(product));
    m.mask = graph.input(add, 1 - i);
    if (m.scores != kNoNode && graph.input(m.scores, 2) == kNoValue) return m;
  }
  return std::nullopt;
}

// Where the result goes: as far down as it is only moved, and its rows stay contiguous.
struct Target {
  StridedView view;
  NodeId end;
};
std::optional<Target> target_of(const Graph& graph, NodeId sums) {
  auto view = view_of(graph, graph.output(sums));
  if (!view || view->axes.size() < 2 || !has_dtype(graph, view->base, DType::kFloat32)) {
    return std::nullopt;
  }
  Target target{*view, sums};
  while (only_use(graph, view->base)) {
    const NodeId user = graph.value(view->base).users[0];
    auto after = view_after(graph, *view, user);
    if (!after) break;
    view = std::move(after);
    Stack stack;
    const auto size = stride_of(view->axes.back());
    if (size && *size <= 1 && stride_of(view->axes[view->axes.size() - 2]) && stack.add(*view)) {
      target = {*view, user};
    }
  }
  return target;
}

enum Part : std::size_t { kQ, kK, kV, kY, kMask };
constexpr const char* kNames[] = {"q", "k", "v", "y", "mask"};

// All operands, those of keys with keys for rows.
struct Operands {
  std::vector<StridedView> views;  // by Part
  double scale = 1;                // of the scores
};

std::optional<Operands> operands_of(const Graph& graph, const Match& m, const Target& target) {
  const auto scores = view_of(graph, graph.output(m.scores));
  const auto q = operand_of(graph, graph.input(m.scores, 0));
  const auto k = operand_of(graph, graph.input(m.scores, 1));
  const auto v = operand_of(graph, graph.input(m.sums, 1));
  if (!scores || !q || !k || !v || v->scale != 1) return std::nullopt;
  const auto* alpha = graph.attribute<float>(m.scores, "alpha");
  Operands all{{q->view, k->view, v->view, target.view}, q->scale * k->scale};
  if (alpha != nullptr) all.scale *= static_cast<double>(*alpha);
  if (m.mask != kNoValue) {
    const auto mask = mask_view(graph, m.mask, *scores);
    if (!mask) return std::nullopt;
    all.views.push_back(*mask);
  }
  const std::size_t rank = scores->axes.size();
  for (const StridedView& view : all.views) {
    if (view.axes.size() != rank) return std::nullopt;
  }
  std::swap(all.views[kK].axes[rank - 2], all.views[kK].axes[rank - 1]);
  return all;
}

// The attributes of FusedAttention, see kernels/attention/fused_attention.cc; no value where
// strides cannot tell.
std::optional<Attributes> attributes_of(const Operands& all) {
  const std::vector<StridedView>& views = all.views;
  const std::size_t rank = views[kQ].axes.size();
  Stack stack;
  std::vector<Ints> strides;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto row = stride_of(views[i].axes[rank - 2]), step = stride_of(views[i].axes[rank - 1]);
    if (!stack.add(views[i]) || !row || !step || (i != kMask && *step > 1)) return std::nullopt;
    strides.push_back({views[i].offset, 0, 0, *row, *step});
  }
  Attributes attributes;
  for (std::size_t i = 0; i < views.size(); ++i) {
    strides[i][1] = stack.batch_stride(i);
    strides[i][2] = stack.head_stride(i);
    attributes[kNames[i]] = strides[i];
  }
  attributes["extents"] = Ints{stack.batches(),
                               stack.heads(),
                               extent_of(views[kQ].axes[rank - 2]),
                               extent_of(views[kK].axes[rank - 2]),
                               extent_of(views[kQ].axes[rank - 1]),
                               extent_of(views[kV].axes[rank - 1])};
  attributes["scale"] = static_cast<float>(all.scale);
  return attributes;
}

bool fuse(Graph& graph, NodeId softmax) {
  const auto found = match(graph, softmax);
  const auto target = found ? target_of(graph, found->sums) : std::nullopt;
  const auto operands = target ? operands_of(graph, *found, *target) : std::nullopt;
  auto attributes = operands ? attributes_of(*operands) : std::nullopt;
  if (!attributes) return false;
  (*attributes)["shape"] = *known_extents(graph, graph.output(target->end));
  std::vector<ValueId> inputs;
  for (const std::size_t i : {kQ, kK, kV}) inputs.push_back(operands->views[i].base);
  if (found->keep) {
    inputs.push_back(graph.add_constant(graph.node(softmax).name + "_keep", *found->keep));
  } else if (found->mask != kNoValue) {
    inputs.push_back(found->mask);
  }
  replace_node(graph, target->end, "FusedAttention", std::move(inputs), std::move(*attributes),
               kInternalDomain);
  return true;
}

}  // namespace

Result<int> fuse_attention(Graph& graph, PassContext& context) {
  if (!has_internal(context, "FusedAttention")) return 0;
  return rewrite_each(graph, context, "Softmax", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
