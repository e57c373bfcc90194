// Loop: a subgraph, again and again.  onnx.ai/onnx/operators/onnx__Loop.html
//
// inputs:  trip count, condition, states [n], captured values
// body:    iteration, condition, states [n], captured values -> condition, states [n], slices [m]
// outputs: states [n] after the last iteration, slices [m] stacked along a new first axis
#include <algorithm>
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/control/body.h"

namespace mini_infer {
namespace {

constexpr const char* kBody = "body";
constexpr std::size_t kFirstState = 2;  // of the node and of the body: two scalars stand before

std::size_t state_count(std::size_t inputs, int captures) {
  return inputs - kFirstState - static_cast<std::size_t>(captures);
}

Status check_counts(std::size_t inputs, int captures) {
  if (inputs >= kFirstState + static_cast<std::size_t>(captures)) return ok();
  return invalid_model("a Loop needs the inputs 'M' and 'cond', even if they are left out by ''");
}

// --- inference

InferInput scalar_input(DType dtype) {
  return {.present = true, .dtype = dtype, .shape = SymShape()};
}

// Infers the body with shapes for the states that hold in every iteration: an extent that an
// iteration changes is unknown.
Result<Graph> infer_steady_body(InferContext& c, std::vector<InferInput>& inputs,
                                std::size_t states) {
  constexpr int kMostRounds = 4;
  for (int round = 0;; ++round) {
    MINI_TRY_ASSIGN(Graph graph, infer_body(c, kBody, inputs));
    if (graph.outputs().size() < 1 + states) {
      return invalid_model("body has ", graph.outputs().size(), " outputs; a condition and ",
                           states, " states are needed");
    }
    bool steady = true;
    for (std::size_t i = 0; i < states; ++i) {
      InferInput& state = inputs[kFirstState + i];
      const Value& next = output_value(graph, 1 + i);
      if (state.dtype == DType::kUndefined) state.dtype = next.dtype;
      std::optional<SymShape> common = common_shape(c, i, state.shape, next.shape);
      if (round + 1 >= kMostRounds) common.reset();
      if (common == state.shape) continue;
      state.shape = std::move(common);
      steady = false;
    }
    if (steady || round > kMostRounds) return graph;
  }
}

// How often the body runs: the trip count, if the condition is never false.
std::optional<Dim> infer_trips(const InferContext& c, const Graph& body) {
  const std::vector<Dim>* trips = c.contents(0);
  const std::optional<Ints> number = c.has_input(0) ? c.ints_of(0) : std::nullopt;
  if (!number && (trips == nullptr || trips->size() != 1)) return std::nullopt;
  const auto is_true = [](const Tensor* tensor) {
    const auto value = tensor != nullptr ? single_number(*tensor) : std::nullopt;
    return value && *value != 0;
  };
  if (c.has_input(1) && !is_true(c.constant(1))) return std::nullopt;
  const ValueId next = body.outputs()[0].value;
  if (next != body.inputs[1] && !is_true(body.constant(next))) {
    // A copy of the condition, which is true.
    const NodeId identity = body.producer_of_type(next, "Identity");
    if (identity == kNoNode || body.input(identity, 0) != body.inputs[1]) return std::nullopt;
  }
  if (number && number->size() == 1) return Dim(std::max<std::int64_t>(number->front(), 0));
  return trips != nullptr ? std::optional(trips->front()) : std::nullopt;
}

Status infer(InferContext& c) {
  const int captures = c.node().captures;
  MINI_TRY(check_counts(c.input_count(), captures));
  const std::size_t states = state_count(c.input_count(), captures);
  std::vector<InferInput> inputs = {scalar_input(DType::kInt64), scalar_input(DType::kBool)};
  for (std::size_t i = kFirstState; i < c.input_count(); ++i) {
    inputs.push_back(c.input(i));
    if (i >= kFirstState + states) continue;
    inputs.back().constant = nullptr;
    inputs.back().contents = nullptr;
  }
  MINI_TRY_ASSIGN(const Graph body, infer_steady_body(c, inputs, states));
  for (std::size_t i = 0; i < std::min(states, c.output_count()); ++i) {
    c.set_output(i, inputs[kFirstState + i].dtype, inputs[kFirstState + i].shape);
  }
  const std::optional<Dim> trips = infer_trips(c, body);
  for (std::size_t i = states; i < c.output_count(); ++i) {
    if (1 + i >= body.outputs().size()) {
      return invalid_model("the node has ", c.output_count(), " outputs; its body gives ",
                           body.outputs().size() - 1);
    }
    const Value& slice = output_value(body, 1 + i);
    std::optional<SymShape> shape;
    if (slice.shape) {
      shape = SymShape{trips ? *trips : c.unknown(i, 0)};
      for (const Dim& dim : *slice.shape) {
        shape->push_back(dim.known() ? dim : c.unknown(i, shape->rank()));
      }
    }
    c.set_output(i, slice.dtype, std::move(shape));
  }
  return ok();
}

// --- running

struct LoopNode {
  Body body;
  std::size_t states = 0;
  std::vector<Port> inputs;
  std::vector<OutputPort> outputs;
};

// Bytes that the slices of outputs without a known shape may take: an endless loop must not fill
// the memory. The rule is that of SessionOptions::memory_limit.
std::size_t slice_budget(const LoopNode& p) {
  constexpr std::size_t kLeast = std::size_t{768} << 20, kTimes = 32;
  std::size_t given = 0;
  for (const Port& port : p.inputs) {
    given += static_cast<std::size_t>(port.shape.elements()) * dtype_size(port.dtype);
  }
  return std::max(kLeast, kTimes * given);
}

// The slices of one output, stacked as they come where the shape is known, else at the end.
class Stack {
 public:
  // `budget` loses what the slice takes.
  Status add(const KernelContext& k, const LoopNode& p, std::size_t output, const Tensor& slice,
             std::size_t& budget) {
    if (output >= p.outputs.size() || !p.outputs[output].present) return ok();
    const OutputPort& port = p.outputs[output];
    if (!port.shape) {
      // Also what keeps track of a slice counts: it may be empty.
      const std::size_t bytes = slice.bytes() + sizeof(Tensor) + kBytesOfOwner;
      if (bytes > budget) {
        return error(Code::kResourceExhausted, "output ", output, " has more than ", slices_.size(),
                     " slices of shape ", slice.shape(),
                     ", which is more memory than a loop may fill");
      }
      budget -= bytes;
      slices_.push_back(slice.owner() != nullptr ? slice : slice.clone());
      return slice.shape() == slices_.front().shape() ? ok() : differs(output, slice);
    }
    const std::int64_t size = slice.elements();
    Shape expected;
    for (std::size_t axis = 1; axis < port.shape->rank(); ++axis) {
      expected.push_back((*port.shape)[axis]);
    }
    if (port.shape->rank() == 0 || slice.shape() != expected || slice.dtype() != port.dtype ||
        (count_ + 1) * size > port.shape->elements()) {
      return differs(output, slice);
    }
    auto* to = static_cast<std::byte*>(k.outputs[output]) +
               static_cast<std::size_t>(count_++ * size) * dtype_size(port.dtype);
    copy_elements(port.dtype, slice.data(), to, size);
    return ok();
  }

  // `none` is the shape of a slice where there was no iteration.
  Status finish(const KernelContext& k, const LoopNode& p, std::size_t output, const Value& none) {
    if (output >= p.outputs.size() || !p.outputs[output].present) return ok();
    const OutputPort& port = p.outputs[output];
    if (port.shape) {
      const std::int64_t expected = port.shape->rank() > 0 ? (*port.shape)[0] : 0;
      if (count_ == expected || port.shape->elements() == 0) return ok();
      return invalid_model("output ", output, " has ", count_, " slices; inferred was ",
                           *port.shape);
    }
    Shape shape = {static_cast<std::int64_t>(slices_.size())};
    if (slices_.empty()) {
      if (none.shape) {
        for (const Dim& dim : *none.shape) shape.push_back(dim.known() ? dim.value() : 0);
      }
    } else {
      for (const std::int64_t dim : slices_.front().shape()) shape.push_back(dim);
    }
    MINI_TRY_ASSIGN(Tensor stacked, Tensor::allocate(port.dtype, shape));
    std::int64_t at = 0;
    for (const Tensor& slice : slices_) {
      Tensor part = part_of(stacked, at, slice.shape());
      copy_elements(port.dtype, slice.data(), part.mutable_data(), slice.elements());
      at += slice.elements();
    }
    k.set_output(output, std::move(stacked));
    return ok();
  }

 private:
  static Status differs(std::size_t output, const Tensor& slice) {
    return invalid_model("a slice of output ", output, " is ", slice.dtype(), slice.shape(),
                         ", unlike the others");
  }

  static constexpr std::size_t kBytesOfOwner = 128;  // about

  std::int64_t count_ = 0;
  std::vector<Tensor> slices_;
};

Status run(const KernelContext& k, const LoopNode& p) {
  std::int64_t trips = std::numeric_limits<std::int64_t>::max();
  std::int64_t condition = 1;
  if (p.inputs[0].present) {
    MINI_TRY_ASSIGN(trips, scalar_of(input_tensor(k, p.inputs, 0), "M"));
  }
  if (p.inputs[1].present) {
    MINI_TRY_ASSIGN(condition, scalar_of(input_tensor(k, p.inputs, 1), "cond"));
  }
  // iteration, condition, states, captured values
  std::vector<Tensor> values = {Tensor::scalar<std::int64_t>(0), Tensor::scalar<bool>(true)};
  append_inputs(k, p.inputs, kFirstState, p.inputs.size(), values);
  std::size_t budget = slice_budget(p);
  std::vector<Stack> stacks(p.body.graph->outputs().size() - 1 - p.states);
  for (std::int64_t i = 0; i < trips && condition != 0; ++i) {
    values[0].mutable_data<std::int64_t>()[0] = i;
    values[1].mutable_data<bool>()[0] = true;
    MINI_TRY_ASSIGN(std::vector<Tensor> results, p.body.run(values));
    MINI_TRY_ASSIGN(condition, scalar_of(results[0], "the body's condition"));
    for (std::size_t s = 0; s < p.states; ++s) values[kFirstState + s] = std::move(results[1 + s]);
    for (std::size_t s = 0; s < stacks.size(); ++s) {
      MINI_TRY(stacks[s].add(k, p, p.states + s, results[1 + p.states + s], budget));
    }
  }
  for (std::size_t s = 0; s < p.states; ++s) {
    MINI_TRY(hand_over(k, p.outputs, s, values[kFirstState + s]));
  }
  for (std::size_t s = 0; s < stacks.size(); ++s) {
    const Value& none = output_value(*p.body.graph, 1 + p.states + s);
    MINI_TRY(stacks[s].finish(k, p, p.states + s, none));
  }
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const int captures = c.node().captures;
  MINI_TRY(check_counts(c.input_count(), captures));
  LoopNode p{.states = state_count(c.input_count(), captures),
             .inputs = input_ports(c),
             .outputs = output_ports(c)};
  const GraphPtr graph = c.graph(kBody);
  const std::size_t outputs = graph != nullptr ? graph->outputs().size() : 0;
  const std::size_t least = 1 + std::max(p.states, c.output_count());
  MINI_TRY_ASSIGN(p.body, Body::prepare(c, kBody, c.input_count(), std::max(outputs, least)));
  PreparedKernel kernel;
  kernel.name = "loop/subgraph";
  kernel.run = [p = std::move(p)](const KernelContext& k) { return run(k, p); };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(Loop, {.type = "Loop",
                      .since = {1, 11, 13, 16, 19, 21, 23, 24, 25},
                      .infer = infer,
                      .prepare = prepare})

}  // namespace mini_infer
