// OpDef: what the rest of the engine knows of an operator. OpLookup: how it finds one.
#pragma once

#include <mini_infer/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir/graph.h"

namespace mini_infer {

class OpLookup;
class PrepareContext;   // kernels/op.h
struct PreparedKernel;  // kernels/op.h

// What is known of one input of a node.
struct InferInput {
  bool present = false;
  DType dtype = DType::kUndefined;
  std::optional<SymShape> shape;
  const Tensor* constant = nullptr;  // all contents known
  // Contents of a small integer tensor, symbols included (also given where `constant` is).
  const std::vector<Dim>* contents = nullptr;
};

struct InferOutput {
  DType dtype = DType::kUndefined;
  std::optional<SymShape> shape;
  std::optional<std::vector<Dim>> contents;
};

// Reads attributes. One that is present but of another kind than asked for is remembered as an
// error, see status().
class AttributeReader {
 public:
  explicit AttributeReader(const Node& node) : node_(node) {}
  const Node& node() const { return node_; }

  bool has(std::string_view name) const { return node_.attributes.contains(name); }
  std::int64_t integer(std::string_view name, std::int64_t fallback) const;
  float number(std::string_view name, float fallback) const;
  std::string string(std::string_view name, std::string_view fallback) const;
  Ints ints(std::string_view name, Ints fallback = {}) const;
  Floats floats(std::string_view name, Floats fallback = {}) const;
  Strings strings(std::string_view name) const;
  const Tensor* tensor(std::string_view name) const;
  GraphPtr graph(std::string_view name) const;
  // The first attribute that was asked for and has another kind, as an error.
  const Status& status() const { return status_; }

 private:
  template <class T>
  const T* find(std::string_view name) const;
  const Node& node_;
  mutable Status status_;
};

// What an operator's infer() gets and gives: dtypes and shapes of the outputs from those of the
// inputs. Shapes may be symbolic, of unknown rank, or missing altogether: infer() then says what it
// can.
class InferContext : public AttributeReader {
 public:
  InferContext(const Node& node, std::vector<InferInput> inputs, const OpLookup& ops)
      : AttributeReader(node),
        inputs_(std::move(inputs)),
        outputs_(node.outputs.size()),
        ops_(ops) {}

  int opset() const { return node().opset; }
  const OpLookup& ops() const { return ops_; }
  std::size_t input_count() const { return inputs_.size(); }
  std::size_t output_count() const { return outputs_.size(); }
  bool has_input(std::size_t i) const { return i < inputs_.size() && inputs_[i].present; }
  bool has_output(std::size_t i) const {
    return i < outputs_.size() && node().outputs[i] != kNoValue;
  }
  const InferInput& input(std::size_t i) const;
  DType dtype(std::size_t i) const { return input(i).dtype; }
  // nullptr when the rank is not known or the input is left out.
  const SymShape* shape(std::size_t i) const;
  const Tensor* constant(std::size_t i) const { return input(i).constant; }
  const std::vector<Dim>* contents(std::size_t i) const { return input(i).contents; }
  // The numbers in an integer tensor, when all are known.
  std::optional<Ints> ints_of(std::size_t i) const;

  // At least `least` inputs, those all present, and at most `most`; otherwise an error.
  Status expect_inputs(std::size_t least, std::size_t most) const;
  Status expect_inputs(std::size_t count) const { return expect_inputs(count, count); }

  // Ignored when the node has no such output.
  void set_output(std::size_t i, DType dtype, std::optional<SymShape> shape = {});
  void set_contents(std::size_t i, std::vector<Dim> contents);
  // A dimension that inference cannot express: a symbol of its own, the same each time.
  Dim unknown(std::size_t output, std::size_t axis) const;
  std::vector<InferOutput>& outputs() { return outputs_; }

 private:
  std::vector<InferInput> inputs_;
  std::vector<InferOutput> outputs_;
  const OpLookup& ops_;
};

// What the layout pass asks an operator: which of its values it would take and give in the blocked
// layout (see Layout).
struct LayoutQuery {
  const Graph& graph;
  const Node& node;
  int block;                   // channels in a block
  std::vector<Layout> inputs;  // as they are at present
};
struct LayoutChoice {
  std::vector<Layout>
      inputs;  // one for each input; kPlain for constants, which are never reordered
  std::vector<Layout> outputs;
};

using InferFn = Status (*)(InferContext&);
using PrepareFn = Result<PreparedKernel> (*)(PrepareContext&);
using LayoutFn = LayoutChoice (*)(const LayoutQuery&);

// Traits, or-ed.
enum OpTraits : std::uint32_t {
  kNoTraits = 0,
  kNotDeterministic = 1u << 0,  // never folded, never merged (RandomNormal)
  kElementwise = 1u << 1,       // an output element depends on the input elements at its place only
                                // (broadcasting included)
  kDataShapes = 1u << 2,        // extents that inference leaves open are known after the run only;
                                // what a model declares for them is not relied on (NonZero)
  kMakesOutputs = 1u << 3,  // a run without known shapes needs no inference: it makes its outputs
                            // itself, whatever they are (If)
};

struct OpDef {
  std::string_view domain;
  std::string_view type;
  // Opset versions that changed it, ascending; infer and prepare look at the node's opset.
  std::vector<int> since;
  InferFn infer = nullptr;
  PrepareFn prepare = nullptr;
  LayoutFn layout = nullptr;  // nullptr: all plain
  std::uint32_t traits = kNoTraits;
};

// Interface to the operator registry, handed to the stages that must not include it.
class OpLookup {
 public:
  virtual ~OpLookup() = default;
  // nullptr when there is no such operator, or it is younger than `opset`.
  virtual const OpDef* find(std::string_view domain, std::string_view type, int opset) const = 0;
};

// Runs one node on known tensors, for constant folding; implemented by the engine.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // `inputs[i]` is empty where the node leaves that input out.
  virtual Result<std::vector<Tensor>> evaluate(const Node& node,
                                               std::span<const Tensor> inputs) = 0;
};

using LogFn = std::function<void(const std::string&)>;

// Infers dtype, shape and contents of every value, in order. What inference knows beats what the
// file says; a conflict goes to `log`. All failures come in one Status, a line each.
Status infer_shapes(Graph& graph, const OpLookup& ops, const LogFn& log = {});
// The same for one node.
Status infer_node(Graph& graph, NodeId node, const OpLookup& ops, const LogFn& log = {});
// For control-flow operators: a copy of `graph` with these inputs (dtype, shape, constants),
// inferred. Its outputs tell theirs.
Result<Graph> infer_subgraph(const Graph& graph, std::span<const InferInput> inputs,
                             const OpLookup& ops);

}  // namespace mini_infer
