// What the author of an operator includes: infer() and prepare() contexts, and MINI_DEFINE_OP.
//
// An operator is one file in a family's folder and one line MINI_OP(Name) in ops.def. The file ends
// with
//   MINI_DEFINE_OP(Relu, {.type = "Relu", .since = {1, 6, 13, 14}, .infer = infer, .prepare =
//   prepare})
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/ir/op_def.h"
#include "graph/ir/text.h"
#include "kernels/kernel_context.h"
#include "kernels/simd/isa.h"

namespace mini_infer {

// What may be said about where an output lies, so that the planner can save a copy.
struct Alias {
  enum class Kind {
    kOutputInInput,  // output `output` is bytes of input `input` from `offset` on: Reshape, Slice
                     // of the outermost axis, Split
    kInputInOutput,  // input `input` may be written by its producer straight into output `output`
                     // at `offset`: Concat
    kInPlace,        // output `output` may overwrite input `input` if nobody else needs it: Relu
  };
  Kind kind;
  int output = 0;
  int input = 0;
  std::size_t offset = 0;  // bytes
};
// A kernel must still be right when the planner does not follow the hint: it compares pointers (`if
// (in != out) copy`).

// A kernel chosen for one node, with all it needs but pointers.
struct PreparedKernel {
  std::string name;  // "conv/winograd4x3/avx512"
  // Runs it. Must not throw; does not allocate unless outputs' shapes depend on data. An error says
  // what is wrong with the data (index out of range).
  std::function<Status(const KernelContext&)> run;
  std::size_t scratch_bytes = 0;
  double flop = 0;  // floating-point operations, a multiply-add counted as two
  std::vector<Alias> aliases;
  std::string why;  // why this kernel, in a few words: "3x3 s1, map 56"
};

// Bytes made from a constant once for each session, and shared by its plans and threads.
class PackedBuffer {
 public:
  explicit PackedBuffer(std::size_t bytes)
      : tensor_(DType::kUInt8, Shape{static_cast<std::int64_t>(bytes)}) {}
  // In `memory`: zeros, aligned to 64 bytes.
  PackedBuffer(std::size_t bytes, std::shared_ptr<void> memory)
      : tensor_(Tensor::share(DType::kUInt8, Shape{static_cast<std::int64_t>(bytes)}, memory.get(),
                              memory)) {}
  template <class T = std::byte>
  const T* data() const {
    return static_cast<const T*>(tensor_.data());
  }
  template <class T = std::byte>
  T* mutable_data() {
    return static_cast<T*>(tensor_.mutable_data());
  }
  std::size_t bytes() const { return tensor_.bytes(); }

 private:
  Tensor tensor_;
};

// Finds or makes packed constants; implemented by the engine, thread-safe.
class WeightCache {
 public:
  virtual ~WeightCache() = default;
  virtual std::shared_ptr<const PackedBuffer> get(const Tensor& source, const std::string& key,
                                                  std::size_t bytes,
                                                  FunctionRef<void(std::byte*)> fill) = 0;
};

class PrepareContext;

// One way to compute a node.
struct KernelCandidate {
  std::string name;  // in verdicts: "winograd4x3"
  std::function<PreparedKernel(const PrepareContext&)> prepare;
};

// Says by measurement which kernel to take; implemented by the engine, thread-safe.
class KernelTuner {
 public:
  struct Verdict {
    std::size_t choice;  // of the candidates
    std::string why;     // "tuned: winograd2x3 0.41 ms, direct 0.55 ms"
  };
  virtual ~KernelTuner() = default;
  // `layer` names all that times may depend on, but for CPU, instruction set and threads; equal
  // layers get one verdict. Candidates come in the order of what an estimate thinks of them. No
  // value: the tuner knows nothing of this layer and may not measure.
  virtual std::optional<Verdict> choose(const std::string& layer, const PrepareContext& context,
                                        std::span<const KernelCandidate> candidates) = 0;
};

struct PrepareInput {
  bool present = false;
  DType dtype = DType::kUndefined;
  Shape shape;
  Layout layout = Layout::kPlain;
  const Tensor* constant = nullptr;
  bool transient = false;  // `constant` holds for this run only: what is packed from it is not kept
};
struct PrepareOutput {
  bool present = false;
  DType dtype = DType::kUndefined;
  std::optional<Shape> shape;  // no value: depends on data, the kernel makes the tensor
  Layout layout = Layout::kPlain;
};

// What an operator's prepare() gets: everything about the node, with numbers for shapes.
class PrepareContext : public AttributeReader {
 public:
  struct Environment {
    Isa isa = best_isa();
    int threads = 1;
    int packing_threads = 0;         // 0: as many
    WeightCache* weights = nullptr;  // nullptr: packed() makes a buffer for this kernel alone
    LogFn log;
    // Makes the runner of a subgraph attribute.
    std::function<std::shared_ptr<SubgraphRunner>(const GraphPtr&)> subgraph;
    KernelTuner* tuner = nullptr;  // nullptr: estimates decide
  };

  PrepareContext(const Node& node, std::vector<PrepareInput> inputs,
                 std::vector<PrepareOutput> outputs, const Environment& environment)
      : AttributeReader(node),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        environment_(environment),
        is_packed_(inputs_.size(), false) {}
  // The same node in another environment.
  PrepareContext(const PrepareContext& other, const Environment& environment)
      : PrepareContext(other.node(), other.inputs_, other.outputs_, environment) {}

  int opset() const { return node().opset; }
  Isa isa() const { return environment_.isa; }
  int lanes() const { return isa_lanes(environment_.isa); }
  int threads() const { return environment_.threads; }
  // For what is done while a plan is made.
  int packing_threads() const {
    return environment_.packing_threads > 0 ? environment_.packing_threads : environment_.threads;
  }
  KernelTuner* tuner() const { return environment_.tuner; }

  std::size_t input_count() const { return inputs_.size(); }
  std::size_t output_count() const { return outputs_.size(); }
  bool has_input(std::size_t i) const { return i < inputs_.size() && inputs_[i].present; }
  bool has_output(std::size_t i) const { return i < outputs_.size() && outputs_[i].present; }
  const PrepareInput& input(std::size_t i) const;
  const PrepareOutput& output(std::size_t i) const;
  DType dtype(std::size_t i) const { return input(i).dtype; }
  const Shape& shape(std::size_t i) const { return input(i).shape; }
  Layout layout(std::size_t i) const { return input(i).layout; }
  // The tensor of a constant input, else nullptr.
  const Tensor* constant(std::size_t i) const { return input(i).constant; }
  // The numbers of an integer tensor that is constant (int32 or int64).
  std::optional<Ints> ints_of(std::size_t i) const;
  DType output_dtype(std::size_t i = 0) const { return output(i).dtype; }
  // The shape of an output that is known before the run; empty shape otherwise (look at
  // output(i).shape).
  const Shape& output_shape(std::size_t i = 0) const;
  Layout output_layout(std::size_t i = 0) const { return output(i).layout; }
  // Bytes of a value in its layout (channels rounded up to whole blocks).
  std::size_t storage_elements(const Shape& shape, Layout layout) const;

  // `fill` writes `bytes` bytes made from constant input `i`; called once for each session, key and
  // constant. `key` names the format with all its parameters: "gemm_b/avx512/trans". For inputs
  // that are not constant, call the packing yourself at run time. The kernel must not read input
  // `i` itself any more: the planner drops what is only packed.
  std::shared_ptr<const PackedBuffer> packed(std::size_t i, const std::string& key,
                                             std::size_t bytes,
                                             FunctionRef<void(std::byte*)> fill) const;
  bool is_packed(std::size_t i) const { return i < is_packed_.size() && is_packed_[i]; }
  std::shared_ptr<SubgraphRunner> subgraph(std::string_view attribute) const;
  void warn(const std::string& message) const;
  // "gemm" -> "gemm/avx512"
  std::string with_isa(const std::string& kernel) const { return kernel + "/" + isa_name(isa()); }

 private:
  std::vector<PrepareInput> inputs_;
  std::vector<PrepareOutput> outputs_;
  const Environment& environment_;
  mutable std::vector<bool> is_packed_;  // by input
};

// Extent of a blocked value in elements: channels rounded up to a multiple of `block`.
std::int64_t blocked_elements(const Shape& shape, int block);

// Defines the function that ops.def's line MINI_OP(name) refers to. (A line without a file is a
// link error; tests/lint finds a file without a line.)
#define MINI_DEFINE_OP(name, ...)       \
  const OpDef& op_##name();             \
  const OpDef& op_##name() {            \
    static const OpDef def __VA_ARGS__; \
    return def;                         \
  }

}  // namespace mini_infer
