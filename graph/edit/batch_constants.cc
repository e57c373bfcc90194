// Changing the constants that hold a batch. Constants may be shared: new ones are made.
#include <algorithm>
#include <cstring>

#include "graph/edit/batch.h"
#include "graph/edit/shapes.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

std::size_t element_count(const Graph& graph, ValueId value) {
  if (const Tensor* constant = graph.constant(value))
    return static_cast<std::size_t>(constant->elements());
  return graph.value(value).contents ? graph.value(value).contents->size() : 0;
}

void write_element(Tensor& tensor, std::size_t element, std::int64_t number) {
  dispatch_dtype(tensor.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) tensor.mutable_data<T>()[element] = static_cast<T>(number);
  });
}

// Whether all slices along the axis hold the same bytes.
bool slices_equal(const Tensor& tensor, std::size_t axis) {
  const Shape& shape = tensor.shape();
  const std::size_t slice =
      static_cast<std::size_t>(shape.elements(axis + 1, shape.rank())) * dtype_size(tensor.dtype());
  const auto extent = static_cast<std::size_t>(shape[axis]);
  const auto* bytes = static_cast<const char*>(tensor.data());
  for (std::size_t i = 0; i * slice < tensor.bytes(); ++i) {
    if (std::memcmp(bytes + i * slice, bytes + i / extent * extent * slice, slice) != 0)
      return false;
  }
  return true;
}

}  // namespace

// Through what only copies elements, to the constant they come from.
std::optional<ConstantPlace> BatchWalk::locate(NodeId id, std::size_t input,
                                               std::size_t element) const {
  const ValueId value = graph_.input(id, input);
  if (value == kNoValue) return std::nullopt;
  if (graph_.constant(value) != nullptr) return ConstantPlace{id, input, element};
  const NodeId producer = graph_.producer(value);
  if (producer == kNoNode) return std::nullopt;
  const Node& node = graph_.node(producer);
  if (node.is("Cast") || node.is("Unsqueeze") || node.is("Identity"))
    return locate(producer, 0, element);
  // PyTorch's expand(1, -1, -1): Where(Equal(c, -1), ones, c) takes from c what is not -1.
  if (node.is("Where") && graph_.constant(graph_.input(producer, 2)) != nullptr) {
    const auto numbers = integers(*graph_.constant(graph_.input(producer, 2)));
    const bool taken = numbers && element < numbers->size() && (*numbers)[element] != -1;
    return taken ? locate(producer, 2, element) : std::nullopt;
  }
  if (!node.is("Concat")) return std::nullopt;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::size_t count = element_count(graph_, node.inputs[i]);
    if (count == 0) return std::nullopt;
    if (element < count) return locate(producer, i, element);
    element -= count;
  }
  return std::nullopt;
}

bool BatchWalk::set_element(NodeId id, std::size_t input, std::size_t element,
                            std::int64_t number) {
  const std::string& op = graph_.node(id).op_type;
  const auto set_attribute = [&](const char* name) {
    const Ints* there = graph_.attribute<Ints>(id, name);
    if (there == nullptr || element >= there->size()) return false;
    Ints changed = *there;
    if (std::exchange(changed[element], number) != number) ++changed_[op];
    graph_.node(id).attributes[name] = changed;
    return true;
  };
  if (set_attribute(op == "Slice" ? "ends" : "shape")) return true;
  const auto place = locate(id, input, element);
  if (!place) return false;
  const Tensor& old = *graph_.constant(graph_.input(place->node, place->input));
  const auto numbers = integers(old);
  if (!numbers || place->element >= numbers->size()) return false;
  if ((*numbers)[place->element] == number) return true;
  Tensor changed = old.clone();
  write_element(changed, place->element, number);
  replace_constant(graph_, place->node, place->input, std::move(changed));
  ++changed_[op];
  again_ = again_ || place->node != id;
  return true;
}

bool BatchWalk::widen(NodeId user, std::size_t input, std::size_t axis) {
  const ValueId value = graph_.input(user, input);
  if (graph_.constant(value) != nullptr) return repeat_constant(user, input, axis);
  const NodeId producer = graph_.producer(value);
  if (producer == kNoNode) return false;
  const Node& node = graph_.node(producer);
  const bool made = (node.is("Expand") && set_element(producer, 1, axis, new_)) ||
                    (node.is("ConstantOfShape") && set_element(producer, 0, axis, new_));
  if (made) {
    again_ = again_ || !follows_.contains(producer);
    follow(producer, axis, 1);
    return true;
  }
  const bool same_axes =
      node.is("Identity") || node.is("Cast") || node.is("Relu") || node.is("Neg");
  return same_axes && widen(producer, 0, axis);
}

bool BatchWalk::repeat_constant(NodeId user, std::size_t input, std::size_t axis) {
  const Tensor& old = *graph_.constant(graph_.input(user, input));
  Shape shape = old.shape();
  if (axis >= shape.rank() || old.dtype() == DType::kString || old.elements() == 0) return false;
  if (shape[axis] == new_) return true;
  if (shape[axis] != old_.value_or(1) || !slices_equal(old, axis)) return false;
  const auto outer = static_cast<std::size_t>(shape.elements(0, axis));
  const std::size_t slice =
      static_cast<std::size_t>(shape.elements(axis + 1, shape.rank())) * dtype_size(old.dtype());
  const std::size_t stride = slice * static_cast<std::size_t>(shape[axis]);
  shape[axis] = new_;
  Result<Tensor> wide = Tensor::allocate(old.dtype(), shape);
  if (!wide.ok()) return false;
  auto* out = static_cast<char*>(wide->mutable_data());
  const auto* in = static_cast<const char*>(old.data());
  for (std::size_t i = 0; i < outer; ++i) {
    for (std::int64_t k = 0; k < new_; ++k, out += slice) std::memcpy(out, in + i * stride, slice);
  }
  replace_constant(graph_, user, input, std::move(*wide));
  ++changed_[graph_.node(user).op_type];
  return again_ = true;
}

}  // namespace mini_infer
