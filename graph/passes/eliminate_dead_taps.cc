// before:  Conv(x [N,C,20,20], W [K,C,3,3]) {dilations = [24,24], pads = [24,24,24,24]}
// after:   Conv(x, W[:,:,1:2,1:2]) {dilations = [1,1], pads = [0,0,0,0]}
// when:    W is constant; the first or last taps along an axis read nothing but zeros of the
//          padding, whatever the output, and there is as much padding as goes with them. Axes of x
//          whose extent is not known keep their taps. Also FusedConv, unless it repeats its border
//
// DeepLab's parallel dilations are wider than its maps; 3x3 over maps of one row keeps a row.

#include <algorithm>
#include <cstring>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// What is larger is of a broken file.
constexpr std::int64_t kMostExtent = std::int64_t{1} << 31;

struct Axis {
  std::int64_t in = 0, out = 0;  // 0: not known
  std::int64_t stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
  std::int64_t first = 0, taps = 1;  // those that stay

  std::int64_t extent() const { return (taps - 1) * dilation + 1; }
  // Whether the tap `offset` elements after the first meets the input at one of the outputs.
  bool reads_input(std::int64_t offset) const {
    const std::int64_t start = offset - pad_begin;
    const std::int64_t output = start >= 0 ? 0 : (-start + stride - 1) / stride;
    return output < out && output * stride + start < in;
  }
};

// SAME_UPPER, SAME_LOWER: as many outputs as strides begin in the input.
void pad_same(Axis& axis, bool upper) {
  axis.out = (axis.in + axis.stride - 1) / axis.stride;
  const std::int64_t pads =
      std::max<std::int64_t>((axis.out - 1) * axis.stride + axis.extent() - axis.in, 0);
  axis.pad_begin = upper ? pads / 2 : pads - pads / 2;
  axis.pad_end = pads - axis.pad_begin;
}

bool sane(const Ints& values, std::size_t size, std::int64_t least) {
  return values.size() == size && std::all_of(values.begin(), values.end(), [&](auto value) {
           return value >= least && value < kMostExtent;
         });
}

// An attribute that may be missing or empty.
Ints ints_or(const AttributeReader& node, const char* name, std::size_t size,
             std::int64_t fallback) {
  Ints values = node.ints(name);
  return values.empty() ? Ints(size, fallback) : values;
}

// The spatial axes of a convolution; no value where it makes no sense or pads nothing.
std::optional<std::vector<Axis>> axes_of(const Node& conv, const SymShape& x, const Shape& w) {
  const AttributeReader node(conv);
  const std::size_t spatial = w.rank() - 2;
  const Ints strides = ints_or(node, "strides", spatial, 1);
  const Ints dilations = ints_or(node, "dilations", spatial, 1);
  const Ints pads = ints_or(node, "pads", 2 * spatial, 0);
  const std::string auto_pad = node.string("auto_pad", "NOTSET");
  const bool same = auto_pad.starts_with("SAME");
  if (!sane(strides, spatial, 1) || !sane(dilations, spatial, 1) || !sane(pads, 2 * spatial, 0) ||
      auto_pad == "VALID") {
    return std::nullopt;
  }
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < spatial; ++i) {
    Axis axis{.stride = strides[i], .dilation = dilations[i], .taps = w[i + 2]};
    const bool known = x[i + 2].known() && x[i + 2].value() < kMostExtent;
    if (known) axis.in = x[i + 2].value();
    if (same && !known) return std::nullopt;
    if (same) {
      pad_same(axis, auto_pad == "SAME_UPPER");
    } else {
      axis.pad_begin = pads[i];
      axis.pad_end = pads[spatial + i];
      const std::int64_t room = axis.in + axis.pad_begin + axis.pad_end - axis.extent();
      axis.out = room < 0 ? 0 : room / axis.stride + 1;
    }
    axes.push_back(axis);
  }
  return axes;
}

// Drops what reads nothing; one tap stays. The paddings shrink by as much as the kernel, so the
// output keeps its extent. Returns whether something went.
bool trim(Axis& axis) {
  if (axis.in < 1 || axis.out < 1) return false;
  const std::int64_t before = axis.taps;
  while (axis.taps > 1 && axis.pad_begin >= axis.dilation && !axis.reads_input(0)) {
    ++axis.first;
    --axis.taps;
    axis.pad_begin -= axis.dilation;
  }
  while (axis.taps > 1 && axis.pad_end >= axis.dilation &&
         !axis.reads_input((axis.taps - 1) * axis.dilation)) {
    --axis.taps;
    axis.pad_end -= axis.dilation;
  }
  return axis.taps < before;
}

// Elements [first, first + count) along an axis.
Tensor part_of(const Tensor& whole, std::size_t axis, std::int64_t first, std::int64_t count) {
  Shape shape = whole.shape();
  const std::int64_t extent = shape[axis];
  if (count == extent) return whole;
  shape[axis] = count;
  Tensor part(whole.dtype(), shape);
  const std::size_t element =
      dtype_size(whole.dtype()) * static_cast<std::size_t>(shape.elements(axis + 1, shape.rank()));
  const std::size_t bytes = element * static_cast<std::size_t>(count);
  const auto* from =
      static_cast<const std::byte*>(whole.data()) + element * static_cast<std::size_t>(first);
  auto* to = static_cast<std::byte*>(part.mutable_data());
  for (std::int64_t outer = shape.elements(0, axis); outer > 0; --outer) {
    std::memcpy(to, from, bytes);
    from += element * static_cast<std::size_t>(extent);
    to += bytes;
  }
  return part;
}

// Cut out when they are read, so that neither form stays in memory once they are packed.
Tensor trimmed(const Tensor& weights, const std::vector<Axis>& axes) {
  Shape shape = weights.shape();
  for (std::size_t i = 0; i < axes.size(); ++i) shape[i + 2] = axes[i].taps;
  return Tensor::defer(weights.dtype(), shape, [weights = weights.unread(), axes] {
    Tensor part = weights.unread();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      part = part_of(part, i + 2, axes[i].first, axes[i].taps);
    }
    return part.owner();
  });
}

void describe(Attributes& attributes, const std::vector<Axis>& axes) {
  Ints kernel, dilations, begin, end;
  for (const Axis& axis : axes) {
    kernel.push_back(axis.taps);
    dilations.push_back(axis.taps == 1 ? 1 : axis.dilation);
    begin.push_back(axis.pad_begin);
    end.push_back(axis.pad_end);
  }
  begin.insert(begin.end(), end.begin(), end.end());
  attributes["kernel_shape"] = std::move(kernel);
  attributes["dilations"] = std::move(dilations);
  attributes["pads"] = std::move(begin);
  attributes.erase("auto_pad");
}

bool eliminate(Graph& graph, NodeId conv) {
  const ValueId x = graph.input(conv, 0), weights_id = graph.input(conv, 1);
  const Tensor* weights = graph.constant(weights_id);
  const auto rank = rank_of(graph, x);
  if (weights == nullptr || !rank || *rank < 3 || weights->shape().rank() != *rank ||
      weights->elements() == 0 || weights->dtype() == DType::kString ||
      graph.node(conv).attributes.contains("border")) {
    return false;
  }
  auto axes = axes_of(graph.node(conv), *graph.value(x).shape, weights->shape());
  if (!axes) return false;
  bool shrunk = false;
  for (Axis& axis : *axes) shrunk |= trim(axis);
  if (!shrunk) return false;

  describe(graph.node(conv).attributes, *axes);
  Tensor part = trimmed(*weights, *axes);
  graph.set_input(conv, 1,
                  graph.add_constant(graph.value(weights_id).name + "_trimmed", std::move(part)));
  return true;
}

}  // namespace

Result<int> eliminate_dead_taps(Graph& graph, PassContext& context) {
  const auto rewrite = [&](NodeId id) { return eliminate(graph, id); };
  const int plain = rewrite_each(graph, context, "Conv", rewrite);
  return plain + rewrite_each(graph, context, "FusedConv", rewrite, kInternalDomain);
}

}  // namespace mini_infer
