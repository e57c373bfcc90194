#include "graph/edit/batch.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "graph/edit/shapes.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Each round changes something before the node that asked for it.
constexpr int kMostRounds = 200;

bool is_reduction(const Node& node) {
  return node.domain.empty() && node.op_type.starts_with("Reduce");
}

bool is_broadcast(const Node& node) {
  static const std::set<std::string, std::less<>> kOps = {
      "Add",   "Sub",  "Mul",     "Div",         "Pow",           "Max", "Min",
      "Sum",   "Mean", "Where",   "PRelu",       "And",           "Or",  "Xor",
      "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"};
  return node.domain.empty() && kOps.contains(node.op_type);
}

bool is_recurrent(const Node& node) { return node.is("LSTM") || node.is("GRU") || node.is("RNN"); }

}  // namespace

bool BatchWalk::has_batch(const Dim& dim) {
  return !dim.known() && dim.symbol().find(symbol().symbol()) != std::string::npos;
}

std::optional<std::int64_t> BatchWalk::factor(const Dim& dim) {
  if (dim.known()) return std::nullopt;
  std::string text = dim.symbol();
  std::int64_t product = 1;
  while (text != symbol().symbol()) {
    const std::size_t star = text.rfind('*');
    if (text.front() != '(' || text.back() != ')' || star == std::string::npos) return std::nullopt;
    std::int64_t number = 0;
    const char* end = text.data() + text.size() - 1;
    const auto read = std::from_chars(text.data() + star + 1, end, number);
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    if (__builtin_mul_overflow(product, number, &product)) return std::nullopt;
    text = text.substr(1, star - 1);
  }
  return product;
}

void BatchWalk::run() {
  for (int round = 0; round < kMostRounds; ++round) {
    again_ = false;
    problems_ = Problems();
    for (const NodeId id : graph_.order()) {
      if (!graph_.alive(id)) continue;
      visit(id);
      if (again_) break;
      const Status status = infer_node(graph_, id, ops_);
      if (!status.ok()) problems_.add(status);
      keep_symbol(id);
      keep_symbols_of_branches(id);
    }
    if (!again_) return;
  }
}

void BatchWalk::keep_symbol(NodeId id) {
  const auto it = follows_.find(id);
  if (it == follows_.end()) return;
  auto& shape = graph_.value(graph_.output(id)).shape;
  const auto [axis, factor] = it->second;
  if (shape && axis < shape->rank()) {
    (*shape)[axis] = factor == 1 ? symbol() : symbol() * Dim(factor);
  }
}

void BatchWalk::visit(NodeId id) {
  if (follows_.contains(id)) return;
  const Node& node = graph_.node(id);
  if (node.is("Reshape")) return visit_reshape(id);
  if (node.is("Expand")) return visit_expand(id);
  if (node.is("Resize")) return visit_resize(id);
  if (node.is("Slice")) return visit_slice(id);
  if (node.is("Concat")) return visit_concat(id);
  if (is_recurrent(node)) return visit_recurrent(id);
  if (is_broadcast(node)) return visit_broadcast(id);
  refuse_along_batch(id);
  visit_subgraphs(id);
}

const SymShape* BatchWalk::shape(NodeId id, std::size_t input) const {
  const ValueId value = graph_.input(id, input);
  return value != kNoValue && graph_.value(value).shape ? &*graph_.value(value).shape : nullptr;
}

std::optional<std::size_t> BatchWalk::batch_axis(const SymShape& shape) const {
  std::optional<std::size_t> axis;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (!has_batch(shape[i])) continue;
    if (axis) return std::nullopt;
    axis = i;
  }
  return axis;
}

void BatchWalk::problem(NodeId id, const std::string& what) {
  problems_.add(Code::kInvalidArgument, cat(graph_.node(id).str(), ": ", what));
}

// The batch a target was made for, where the file leaves the batch open: the elements it has by
// those of one picture; with a -1 in it, 1, as tracing exporters leave it.
std::optional<std::int64_t> BatchWalk::batch_held_by(const std::vector<Dim>& target,
                                                     const SymShape& from) const {
  if (old_) return old_;
  std::int64_t wanted = 1, each = 1;
  for (const Dim& dim : target) {
    if (dim.is(-1)) return 1;
    if (!dim.known() || dim.value() <= 0) return std::nullopt;
    wanted *= dim.value();
  }
  for (const Dim& dim : from) {
    const auto k = dim.known() ? std::optional(dim.value()) : factor(dim);
    if (!k || *k == 0) return std::nullopt;
    each *= *k;
  }
  return wanted % each == 0 ? std::optional(wanted / each) : std::nullopt;
}

std::optional<Ints> BatchWalk::resolved(const std::vector<Dim>& target,
                                        const SymShape& from) const {
  const auto old = batch_held_by(target, from);
  std::int64_t total = 1, others = 1;
  bool numbers = old.has_value();
  for (const Dim& dim : from) {
    const auto k = dim.known() ? std::optional<std::int64_t>(dim.value()) : factor(dim);
    numbers = numbers && k;
    if (numbers) total *= dim.known() ? *k : *k * *old;
  }
  Ints out;
  for (std::size_t i = 0; i < target.size(); ++i) {
    Dim dim = target[i];
    if (dim.is(0) && i < from.rank()) dim = from[i].known() ? from[i] : Dim(0);
    if (!dim.known()) return std::nullopt;
    out.push_back(dim.value());
    if (dim.value() > 0) others *= dim.value();
  }
  for (std::int64_t& each : out) {
    if (each == -1 && numbers && others > 0) each = total / others;
  }
  return out;
}

// A batch of 1 leaves no trace in the extent `i` of a target where it is due. It is one of more
// where PyTorch's attention puts it: [L,N*H,D] -> [L*N,H*D], the extents behind it as they were,
// and back again, [L*N,E] -> [L,1,E].
std::size_t BatchWalk::place_of_one(const SymShape& from, std::size_t axis, const Ints& wanted,
                                    std::size_t i) {
  const auto merged = factor(from[axis]);
  std::int64_t behind = merged.value_or(1);
  for (std::size_t k = axis + 1; k < from.rank(); ++k) {
    if (!from[k].known()) return i;
    behind *= from[k].value();
  }
  if (i > 0 && wanted[i] != 1 && wanted[i] == behind) return i - 1;
  const bool back = merged && *merged > 1 && wanted[i] == *merged && i + 1 < wanted.size();
  return back && wanted[i + 1] == 1 ? i + 1 : i;
}

// Elements stay in order, so the batch is in the target where as many elements as lie before it in
// the input have gone by.
void BatchWalk::visit_reshape(NodeId id) {
  const SymShape* from = shape(id, 0);
  const auto axis = from != nullptr ? batch_axis(*from) : std::nullopt;
  if (!axis) return;
  std::vector<Dim> target;
  if (const Ints* attribute = graph_.attribute<Ints>(id, "shape")) {
    target.assign(attribute->begin(), attribute->end());
  } else {
    const ValueId in = graph_.input(id, 1);
    if (in == kNoValue) return;
    if (const Tensor* constant = graph_.constant(in)) {
      const auto numbers = integers(*constant);
      if (numbers) target.assign(numbers->begin(), numbers->end());
    } else if (graph_.value(in).contents) {
      target = *graph_.value(in).contents;
    }
  }
  if (target.empty() || std::any_of(target.begin(), target.end(), has_batch)) return;
  const auto old = batch_held_by(target, *from);
  const auto wanted = resolved(target, *from);
  if (!wanted) return;
  std::int64_t before = 1, passed = 1;
  for (std::size_t i = 0; i < *axis; ++i) {
    if (!(*from)[i].known()) return problem(id, cat("cannot tell where the batch is in ", *from));
    before *= (*from)[i].value();
  }
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (passed != before) {
      passed *= (*wanted)[i];
      continue;
    }
    const bool follows = target[i].is(-1) || (target[i].is(0) && i == *axis);
    if (follows) return;
    if (const std::size_t place = place_of_one(*from, *axis, *wanted, i); place != i && old == 1) {
      if (set_element(id, 1, place, (*wanted)[place] * new_)) {
        return follow(id, place, (*wanted)[place]);
      }
    }
    const bool last_one = (*wanted)[i] == 1 && i + 1 < target.size();
    if (old && (*wanted)[i] > 0 && (*wanted)[i] % *old == 0 &&
        (*old != 1 || (*wanted)[i] == 1 || !last_one)) {
      if (!set_element(id, 1, i, (*wanted)[i] / *old * new_)) {
        problem(id,
                cat("its shape ", target, " holds the batch as extent ", i, ", and is computed"));
      } else {
        follow(id, i, (*wanted)[i] / *old);
      }
      return;
    }
    break;
  }
  problem(id, cat("data is ", *from, ", its shape ", target,
                  ": cannot tell which extent is the batch"));
}

void BatchWalk::visit_expand(NodeId id) {
  const SymShape* from = shape(id, 0);
  const ValueId in = graph_.input(id, 1);
  if (from == nullptr || in == kNoValue || !old_ || *old_ == 1) return;
  const Tensor* constant = graph_.constant(in);
  const auto target = constant != nullptr ? integers(*constant) : std::nullopt;
  if (!target || target->size() < from->rank()) return;
  const std::size_t lead = target->size() - from->rank();
  for (std::size_t i = 0; i < from->rank(); ++i) {
    const auto k = factor((*from)[i]);
    if (k && (*target)[lead + i] == *k * *old_) set_element(id, 1, lead + i, *k * new_);
  }
}

void BatchWalk::visit_resize(NodeId id) {
  const SymShape* from = shape(id, 0);
  const ValueId in = graph_.input(id, 3);
  const Tensor* sizes = in != kNoValue ? graph_.constant(in) : nullptr;
  const auto wanted = sizes != nullptr ? integers(*sizes) : std::nullopt;
  if (from == nullptr || !wanted || wanted->size() != from->rank()) return;
  for (std::size_t i = 0; i < from->rank(); ++i) {
    const auto k = factor((*from)[i]);
    if (!k) continue;
    const std::int64_t old = old_.value_or((*wanted)[i] / *k);
    if ((*wanted)[i] == *k * old) {
      set_element(id, 3, i, *k * new_);
    } else {
      problem(id, cat("resizes the batch to ", (*wanted)[i]));
    }
  }
}

void BatchWalk::visit_slice(NodeId id) {
  const SymShape* from = shape(id, 0);
  if (from == nullptr) return;
  const auto argument = [&](std::size_t input, std::string_view name) -> std::optional<Ints> {
    if (const Ints* attribute = graph_.attribute<Ints>(id, name)) return *attribute;
    const Tensor* constant = graph_.constant(graph_.input(id, input));
    return constant != nullptr ? integers(*constant) : std::nullopt;
  };
  const auto starts = argument(1, "starts"), ends = argument(2, "ends"), axes = argument(3, "axes");
  if (!starts || !ends || starts->size() != ends->size()) return;
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = axes && i < axes->size() ? (*axes)[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += static_cast<std::int64_t>(from->rank());
    if (axis < 0 || axis >= static_cast<std::int64_t>(from->rank())) continue;
    const auto k = factor((*from)[static_cast<std::size_t>(axis)]);
    if (!k) continue;
    const bool open = (*ends)[i] >= std::numeric_limits<std::int32_t>::max();
    const bool all = (*starts)[i] == 0 && (open || (old_ && (*ends)[i] >= *old_ * *k));
    if (!all) {
      problem(id, cat("takes part of the batch, ", (*starts)[i], " to ", (*ends)[i]));
    } else if (!open && !set_element(id, 2, i, *k * new_)) {
      problem(id, cat("its end ", (*ends)[i], " along the batch is computed"));
    }
  }
}

// Extents of the inputs must agree, but for those along the axis.
void BatchWalk::visit_concat(NodeId id) {
  const auto* axis = graph_.attribute<std::int64_t>(id, "axis");
  for (std::size_t i = 0; i < graph_.node(id).inputs.size() && axis != nullptr; ++i) {
    const SymShape* from = shape(id, i);
    const auto batch = from != nullptr ? batch_axis(*from) : std::nullopt;
    if (!batch) continue;
    const std::int64_t along = *axis < 0 ? *axis + static_cast<std::int64_t>(from->rank()) : *axis;
    if (along == static_cast<std::int64_t>(*batch)) continue;
    for (std::size_t k = 0; k < graph_.node(id).inputs.size(); ++k) {
      const SymShape* other = shape(id, k);
      if (other == nullptr || other->rank() <= *batch || has_batch((*other)[*batch])) continue;
      if (!(*other)[*batch].known()) {
        widen_expanded(id, k, *batch);
        continue;
      }
      if (widen(id, k, *batch)) continue;
      problem(id, cat("input '", graph_.value(graph_.input(id, k)).name, "' ", *other,
                      " lacks the batch, input '", graph_.value(graph_.input(id, i)).name, "' ",
                      *from, " has it"));
    }
    return;
  }
}

// What inference cannot tell the extent of, such as a token that is expanded to the batch.
void BatchWalk::widen_expanded(NodeId user, std::size_t input, std::size_t axis) {
  const bool expanded = graph_.producer_of_type(graph_.input(user, input), "Expand") != kNoNode;
  if (expanded) widen(user, input, axis);
}

void BatchWalk::visit_recurrent(NodeId id) {
  const SymShape* x = shape(id, 0);
  const auto* layout = graph_.attribute<std::int64_t>(id, "layout");
  const std::size_t axis = layout != nullptr && *layout == 1 ? 0 : 1;
  if (x == nullptr || x->rank() != 3 || !has_batch((*x)[axis])) return;
  for (const std::size_t input : {4u, 5u, 6u}) {  // sequence_lens, initial_h, initial_c
    const SymShape* state = shape(id, input);
    const std::size_t at = input == 4 ? 0 : axis;
    if (state == nullptr || state->rank() <= at || !(*state)[at].known()) continue;
    if (widen(id, input, at)) continue;
    problem(id, cat("input '", graph_.value(graph_.input(id, input)).name, "' ", *state,
                    " lacks the batch"));
  }
}

// With an old batch of 1 the other side broadcasts.
void BatchWalk::visit_broadcast(NodeId id) {
  if (!old_ || *old_ == 1) return;
  const std::size_t count = graph_.node(id).inputs.size();
  std::set<std::size_t> from_end;  // axes with the batch, counted from the last
  for (std::size_t i = 0; i < count; ++i) {
    const SymShape* from = shape(id, i);
    const auto axis = from != nullptr ? batch_axis(*from) : std::nullopt;
    if (axis) from_end.insert(from->rank() - *axis);
  }
  for (const std::size_t back : from_end) {
    for (std::size_t i = 0; i < count; ++i) {
      const SymShape* from = shape(id, i);
      if (from == nullptr || from->rank() < back || !(*from)[from->rank() - back].is(*old_))
        continue;
      if (widen(id, i, from->rank() - back)) continue;
      problem(id, cat("input '", graph_.value(graph_.input(id, i)).name, "' ", *from,
                      " has an extent of the old batch"));
    }
  }
}

// Operators to which the batch would no longer be one of many equal things.
void BatchWalk::refuse_along_batch(NodeId id) {
  const Node& node = graph_.node(id);
  const SymShape* from = shape(id, 0);
  const auto batch = from != nullptr ? batch_axis(*from) : std::nullopt;
  if (!batch) return;
  const auto along = [&](std::int64_t axis) {
    return (axis < 0 ? axis + static_cast<std::int64_t>(from->rank()) : axis) ==
           static_cast<std::int64_t>(*batch);
  };
  const auto* axis = graph_.attribute<std::int64_t>(id, "axis");
  if (node.is("Gather") && along(axis != nullptr ? *axis : 0) &&
      graph_.constant(graph_.input(id, 1)) != nullptr) {
    return problem(id, "takes single elements of the batch");
  }
  if (node.is("Split") && along(axis != nullptr ? *axis : 0))
    return problem(id, "splits the batch");
  if (!node.is("Squeeze") && !(is_reduction(node) && old_)) return;
  const Ints* attribute = graph_.attribute<Ints>(id, "axes");
  const Tensor* constant = graph_.constant(graph_.input(id, 1));
  const auto axes = attribute != nullptr  ? std::optional(*attribute)
                    : constant != nullptr ? integers(*constant)
                                          : std::nullopt;
  if (axes ? std::any_of(axes->begin(), axes->end(), along) : graph_.input(id, 1) == kNoValue) {
    problem(id,
            node.is("Squeeze") ? "removes the batch as an extent of 1" : "reduces over the batch");
  }
}

}  // namespace mini_infer
