// Scan: a subgraph over the slices of its inputs.  onnx.ai/onnx/operators/onnx__Scan.html
//
// inputs:  (opset 8: sequence lengths,) states [n], sequences [m], captured values
// body:    states [n], slices [m], captured values -> states [n], slices [q]
// outputs: states [n], sequences [q]
// Opset 8 does that for each element of a batch, which is the first axis of everything.
#include <algorithm>

#include "kernels/control/body.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

constexpr const char* kBody = "body";

// What the attributes say. Axes are those of one batch element.
struct ScanParams {
  bool batched = false;   // opset 8
  std::size_t first = 0;  // input that is the first state
  std::size_t states = 0, sequences = 0, captures = 0;
  Ints input_axes, output_axes;
  Ints input_backwards, output_backwards;  // 0 or 1

  std::size_t first_sequence() const { return first + states; }
  std::size_t first_capture() const { return first + states + sequences; }
};

Result<Ints> list_of(const AttributeReader& a, std::string_view name, std::size_t count) {
  Ints list = a.ints(name);
  if (list.empty()) list.assign(count, 0);
  if (list.size() != count) {
    return invalid_model("attribute '", name, "' has ", list.size(), " values; ", count,
                         " are needed");
  }
  return list;
}

Result<ScanParams> read_params(const AttributeReader& a, std::size_t inputs, std::size_t outputs) {
  ScanParams p;
  p.batched = a.node().opset < 9;
  p.first = p.batched ? 1 : 0;
  p.captures = static_cast<std::size_t>(a.node().captures);
  const std::int64_t sequences = a.integer("num_scan_inputs", 0);
  const std::size_t own = inputs - std::min(inputs, p.captures);
  if (sequences < 1 || own < p.first || static_cast<std::size_t>(sequences) > own - p.first) {
    return invalid_model("num_scan_inputs is ", sequences, "; the node has ", own, " inputs");
  }
  p.sequences = static_cast<std::size_t>(sequences);
  p.states = own - p.first - p.sequences;
  if (outputs < p.states) {
    return invalid_model("body has ", outputs, " outputs; ", p.states, " states are needed");
  }
  const std::size_t stacked = outputs - p.states;
  const char* directions = p.batched ? "directions" : "scan_input_directions";
  MINI_TRY_ASSIGN(p.input_backwards, list_of(a, directions, p.sequences));
  MINI_TRY_ASSIGN(p.input_axes, list_of(a, "scan_input_axes", p.sequences));
  MINI_TRY_ASSIGN(p.output_axes, list_of(a, "scan_output_axes", stacked));
  MINI_TRY_ASSIGN(p.output_backwards, list_of(a, "scan_output_directions", stacked));
  return p;
}

Result<ScanParams> read_params(const AttributeReader& a, std::size_t inputs) {
  const GraphPtr body = a.graph(kBody);
  if (body == nullptr) return invalid_model("attribute 'body' is missing");
  return read_params(a, inputs, body->outputs().size());
}

// --- inference

SymShape without_axis(const SymShape& shape, std::size_t axis) {
  std::vector<Dim> dims = shape.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return SymShape(std::move(dims));
}

SymShape with_axis(const SymShape& shape, std::size_t axis, const Dim& dim) {
  std::vector<Dim> dims = shape.dims();
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), dim);
  return SymShape(std::move(dims));
}

// Extents that the node shares among its inputs.
struct ScanExtents {
  std::optional<Dim> batch, length;
};

// What the body gets: the inputs without the axes that are gone through.
Result<std::vector<InferInput>> body_inputs(const InferContext& c, const ScanParams& p,
                                            ScanExtents& extents) {
  std::vector<InferInput> inputs = inputs_from(c, p.first);
  for (std::size_t i = 0; i < p.states + p.sequences; ++i) {
    InferInput& input = inputs[i];
    input.constant = nullptr;
    input.contents = nullptr;
    if (!input.shape) continue;
    if (p.batched) {
      if (input.shape->rank() == 0)
        return invalid_model("input ", p.first + i, " has no batch axis");
      extents.batch = (*input.shape)[0];
      input.shape = without_axis(*input.shape, 0);
    }
    if (i < p.states) continue;
    MINI_TRY_ASSIGN(const std::size_t axis,
                    normalize_axis(p.input_axes[i - p.states], input.shape->rank()));
    const Dim& length = (*input.shape)[axis];
    if (!extents.length || !extents.length->known()) extents.length = length;
    if (length.known() && extents.length->known() && length != *extents.length) {
      return invalid_model("input ", p.first + i, " has ", length, " slices, another one ",
                           *extents.length);
    }
    input.shape = without_axis(*input.shape, axis);
  }
  return inputs;
}

Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(const ScanParams p, read_params(c, c.input_count()));
  ScanExtents extents;
  MINI_TRY_ASSIGN(const std::vector<InferInput> inputs, body_inputs(c, p, extents));
  MINI_TRY_ASSIGN(const Graph body, infer_body(c, kBody, inputs));
  if (c.output_count() > body.outputs().size()) {
    return invalid_model("the node has ", c.output_count(), " outputs, its body ",
                         body.outputs().size());
  }
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    const Value& value = output_value(body, i);
    std::optional<SymShape> shape = value.shape;
    if (shape) {
      for (std::size_t axis = 0; axis < shape->rank(); ++axis) {
        if ((*shape)[axis].made_up()) (*shape)[axis] = c.unknown(i, axis + 2);
      }
    }
    if (shape && i >= p.states) {
      MINI_TRY_ASSIGN(const std::size_t axis,
                      normalize_axis(p.output_axes[i - p.states], shape->rank() + 1));
      shape = with_axis(*shape, axis, extents.length ? *extents.length : c.unknown(i, 0));
    }
    if (shape && p.batched) {
      shape = with_axis(*shape, 0, extents.batch ? *extents.batch : c.unknown(i, 1));
    }
    c.set_output(i, value.dtype, std::move(shape));
  }
  return ok();
}

// --- running

struct ScanNode {
  ScanParams params;
  Body body;
  std::int64_t batch = 1, length = 0;
  std::vector<Port> inputs;
  std::vector<OutputPort> outputs;
};

// Rows of a tensor along an axis: [outer][extent][inner]
struct Rows {
  std::int64_t outer, extent, inner;
};
Rows rows_of(const Shape& shape, std::size_t axis) {
  return {shape.elements(0, axis), shape[axis], shape.elements(axis + 1, shape.rank())};
}

Shape without_axis(const Shape& shape, std::size_t axis) {
  std::vector<std::int64_t> dims = shape.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return Shape(std::move(dims));
}

const std::byte* at(const Tensor& tensor, std::int64_t element) {
  return static_cast<const std::byte*>(tensor.data()) +
         static_cast<std::size_t>(element) * dtype_size(tensor.dtype());
}

// Slice t of `tensor`: a view where it lies in one piece.
Result<Tensor> slice_of(const Tensor& tensor, std::size_t axis, std::int64_t t) {
  const Rows rows = rows_of(tensor.shape(), axis);
  const Shape shape = without_axis(tensor.shape(), axis);
  if (rows.outer == 1) return part_of(tensor, t * rows.inner, shape);
  MINI_TRY_ASSIGN(Tensor slice, Tensor::allocate(tensor.dtype(), shape));
  for (std::int64_t i = 0; i < rows.outer; ++i) {
    copy_elements(tensor.dtype(), at(tensor, (i * rows.extent + t) * rows.inner),
                  const_cast<std::byte*>(at(slice, i * rows.inner)), rows.inner);
  }
  return slice;
}

void put_slice(const Tensor& slice, std::size_t axis, std::int64_t t, const Tensor& tensor) {
  const Rows rows = rows_of(tensor.shape(), axis);
  for (std::int64_t i = 0; i < rows.outer; ++i) {
    copy_elements(tensor.dtype(), at(slice, i * rows.inner),
                  const_cast<std::byte*>(at(tensor, (i * rows.extent + t) * rows.inner)),
                  rows.inner);
  }
}

// The outputs of a run, made when their shapes are known. made[i]: [batch,] and the axis of the
// slices where it is a sequence.
struct Results {
  std::vector<Tensor> made;
};

std::size_t output_axis(const ScanNode& p, std::size_t i, std::size_t slice_rank) {
  const std::int64_t axis = p.params.output_axes[i - p.params.states];
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(slice_rank) + 1
                                           : axis);
}

// The whole output `i` for parts (a final state, or one slice) of this shape.
Result<Tensor> make_output(const KernelContext& k, const ScanNode& p, std::size_t i, DType dtype,
                           const Shape& part) {
  std::vector<std::int64_t> dims = part.dims();
  if (i >= p.params.states) {
    MINI_TRY(normalize_axis(p.params.output_axes[i - p.params.states], part.rank() + 1).status());
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(output_axis(p, i, part.rank())),
                p.length);
  }
  if (p.params.batched) dims.insert(dims.begin(), p.batch);
  MINI_TRY_ASSIGN(Tensor made, output_memory(k, p.outputs, i, dtype, Shape(std::move(dims))));
  // Slices past the end of a shorter sequence are zero.
  if (p.params.batched && dtype != DType::kString) {
    std::fill_n(static_cast<std::byte*>(made.mutable_data()), made.bytes(), std::byte{0});
  }
  return made;
}

// Puts a final state or a slice (at `t`) of batch element b into output i.
Status put(const KernelContext& k, const ScanNode& p, Results& results, std::size_t i,
           std::int64_t b, std::int64_t t, const Tensor& value) {
  if (i >= p.outputs.size() || !p.outputs[i].present) return ok();
  Tensor& made = results.made[i];
  if (made.empty()) {
    MINI_TRY_ASSIGN(made, make_output(k, p, i, value.dtype(), value.shape()));
  }
  const std::size_t lead = p.params.batched ? 1 : 0;
  Shape expected = made.shape();
  if (lead == 1) expected = without_axis(expected, 0);
  const Tensor part = part_of(made, b * expected.elements(), expected);
  const bool state = i < p.params.states;
  const std::size_t axis = state ? 0 : output_axis(p, i, value.shape().rank());
  const bool same_rank = expected.rank() == value.shape().rank() + (state ? 0 : 1);
  if (value.dtype() != made.dtype() || !same_rank ||
      (state ? expected : without_axis(expected, axis)) != value.shape()) {
    return invalid_model("output ", i, " of the body is ", value.dtype(), value.shape(),
                         " in one iteration and was different before");
  }
  if (state) {
    copy_elements(value.dtype(), value.data(), const_cast<void*>(part.data()), value.elements());
  } else {
    put_slice(value, axis, t, part);
  }
  return ok();
}

// One batch element, `length` slices.
Status run_element(const KernelContext& k, const ScanNode& p, std::int64_t b, std::int64_t length,
                   Results& results) {
  const ScanParams& params = p.params;
  std::vector<Tensor> whole;  // states and sequences of this element
  for (std::size_t i = 0; i < params.states + params.sequences; ++i) {
    const Tensor input = input_tensor(k, p.inputs, params.first + i);
    if (params.batched) {
      const Shape element = without_axis(input.shape(), 0);
      whole.push_back(part_of(input, b * element.elements(), element));
    } else {
      whole.push_back(input);
    }
  }
  std::vector<Tensor> values = whole;
  append_inputs(k, p.inputs, params.first_capture(), p.inputs.size(), values);
  for (std::int64_t step = 0; step < length; ++step) {
    for (std::size_t i = 0; i < params.sequences; ++i) {
      const Tensor& sequence = whole[params.states + i];
      MINI_TRY_ASSIGN(const std::size_t axis,
                      normalize_axis(params.input_axes[i], sequence.shape().rank()));
      const std::int64_t t = params.input_backwards[i] != 0 ? length - 1 - step : step;
      MINI_TRY_ASSIGN(values[params.states + i], slice_of(sequence, axis, t));
    }
    MINI_TRY_ASSIGN(std::vector<Tensor> outputs, p.body.run(values));
    for (std::size_t i = 0; i < params.states; ++i) values[i] = std::move(outputs[i]);
    for (std::size_t i = params.states; i < outputs.size(); ++i) {
      const bool backwards = params.output_backwards[i - params.states] != 0;
      MINI_TRY(put(k, p, results, i, b, backwards ? length - 1 - step : step, outputs[i]));
    }
  }
  for (std::size_t i = 0; i < params.states; ++i) {
    MINI_TRY(put(k, p, results, i, b, 0, values[i]));
  }
  return ok();
}

// Without any slice there is no value that says what shape an output of the body has.
Status make_empty_outputs(const KernelContext& k, const ScanNode& p, Results& results) {
  for (std::size_t i = 0; i < p.outputs.size(); ++i) {
    if (!p.outputs[i].present || !results.made[i].empty()) continue;
    const Value& value = output_value(*p.body.graph, i);
    Shape part;
    if (value.shape) {
      for (const Dim& dim : *value.shape) part.push_back(dim.known() ? dim.value() : 0);
    }
    if (p.outputs[i].shape) continue;
    MINI_TRY_ASSIGN(results.made[i], make_output(k, p, i, p.outputs[i].dtype, part));
  }
  return ok();
}

Status run(const KernelContext& k, const ScanNode& p) {
  Results results{std::vector<Tensor>(p.outputs.size())};
  for (std::int64_t b = 0; b < p.batch; ++b) {
    std::int64_t length = p.length;
    if (p.params.batched && p.inputs[0].present) {
      const Tensor lengths = input_tensor(k, p.inputs, 0);
      length = index_at(lengths.data(), lengths.dtype(), b);
      if (length < 0 || length > p.length) {
        return invalid_model("sequence length ", length, " of batch element ", b,
                             " is outside of [0,", p.length, "]");
      }
    }
    MINI_TRY(run_element(k, p, b, length, results));
  }
  MINI_TRY(make_empty_outputs(k, p, results));
  for (std::size_t i = 0; i < p.outputs.size(); ++i) {
    if (p.outputs[i].present && !p.outputs[i].shape) k.set_output(i, results.made[i]);
  }
  return ok();
}

// Batch and length, which must be the same for all inputs.
Status read_extents(const PrepareContext& c, ScanNode& p) {
  const ScanParams& params = p.params;
  const std::size_t lead = params.batched ? 1 : 0;
  bool first = true;
  for (std::size_t i = params.first; i < params.first_capture(); ++i) {
    const bool sequence = i >= params.first_sequence();
    const Shape& shape = c.shape(i);
    if (!c.has_input(i) || shape.rank() < lead + (sequence ? 1 : 0)) {
      return invalid_model("input ", i, " has shape ", shape, "; an axis is missing");
    }
    if (params.batched && i > params.first && shape[0] != p.batch) {
      return invalid_model("input ", i, " has the batch ", shape[0], ", another one ", p.batch);
    }
    if (params.batched) p.batch = shape[0];
    if (!sequence) continue;
    MINI_TRY_ASSIGN(
        const std::size_t axis,
        normalize_axis(params.input_axes[i - params.first_sequence()], shape.rank() - lead));
    const std::int64_t length = shape[lead + axis];
    if (!first && length != p.length) {
      return invalid_model("input ", i, " has ", length, " slices, another one ", p.length);
    }
    p.length = length;
    first = false;
  }
  if (!params.batched || !c.has_input(0)) return ok();
  MINI_TRY(expect_indices(c.dtype(0), "sequence_lens"));
  if (c.shape(0) == Shape{p.batch}) return ok();
  return invalid_model("sequence_lens has shape ", c.shape(0), "; the batch is ", p.batch);
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  ScanNode p{.inputs = input_ports(c), .outputs = output_ports(c)};
  MINI_TRY_ASSIGN(p.params, read_params(c, c.input_count()));
  const std::size_t outputs = c.graph(kBody)->outputs().size();
  MINI_TRY_ASSIGN(p.body, Body::prepare(c, kBody, c.input_count() - p.params.first,
                                        std::max(outputs, c.output_count())));
  MINI_TRY(read_extents(c, p));
  PreparedKernel kernel;
  kernel.name = "scan/subgraph";
  kernel.run = [p = std::move(p)](const KernelContext& k) { return run(k, p); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Scan, {.type = "Scan",
                      .since = {8, 9, 11, 16, 19, 21, 23, 24, 25},
                      .infer = infer,
                      .prepare = prepare})

}  // namespace mini_infer
