// Session: a loaded model, ready to run.
//
//   auto session = mini_infer::Session::load("model.onnx");
//   if (!session.ok()) return fail(session.status().message());
//   auto outputs = session->run({{"input", image}});
#pragma once

#include <mini_infer/status.h>
#include <mini_infer/tensor.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace mini_infer {

struct SessionOptions {
  // Threads of one run(); 0 means the physical cores that affinity and the cgroup quota allow.
  int threads = 0;
  // Names of passes to leave out (see `mini-infer inspect`).
  std::vector<std::string> disabled_passes;
  // Names of intermediate values to return as additional outputs, after the model's own.
  std::vector<std::string> extra_outputs;
  // Receives notes and warnings about the model, one line each. Called only from load() and from
  // the first run() with a new input shape. Without it they are dropped.
  std::function<void(const std::string&)> log;
  // Most bytes of tensors that one run may hold, 0 for the default: the larger of 768 MiB and 32
  // times the size of the model file and its inputs. What would need more fails with
  // kResourceExhausted.
  std::size_t memory_limit = 0;
  // Measures, when a plan is made, the two to four kernels that promise most for each distinct
  // convolution, and takes the fastest; without it an estimate decides, which gives bit-equal
  // output for every number of threads. Measured choices depend on CPU, instruction set and
  // threads, and kernels round differently: outputs of a tuned session may differ in the last bits
  // between numbers of threads, and between two measurements.
  bool tune = false;
  // A text file of such measurements: those that it has are used, whether `tune` is set or not, and
  // new ones are added to it, so that a file can be shipped with a model and sessions that share
  // one choose alike. Several processes may use one file at the same time; the last one to write
  // wins.
  std::string tune_cache;
  // Runs the images of a batch apart where nothing else in the model depends on how many there are
  // and their activations are larger than the weights: they stay in the caches then. Threads take
  // whole images where all of them have one to take most of the time.
  bool batch_by_image = true;
  // At most this many rewrites of passes, of load and of a plan together; -1: no limit. With 0
  // every node of the file is a step of the plan, and every value a value of it. For finding a pass
  // that is at fault (`mini-infer compare --bisect`).
  long long max_rewrites = -1;
  // Name of the instruction set for the kernels, see isa_names(); empty: the best, isa_name().
  std::string isa;
};

// One dimension of an input or output as the model declares it: a number, or a name, or neither
// (value -1, no name).
struct DimInfo {
  std::int64_t value = -1;
  std::string name;
};

struct ValueInfo {
  std::string name;
  DType dtype = DType::kUndefined;
  // No value when the model leaves even the rank open.
  std::optional<std::vector<DimInfo>> dims;
  // "[N,3,224,224]"; "[?]" when the rank is open.
  std::string shape_str() const;
};

// What one step of a plan is and costs, for inspect and bench.
struct StepInfo {
  std::string node;    // name of the ONNX node, or of the first of those fused into it
  std::string op;      // "Conv"
  std::string kernel;  // "conv/winograd4x3/avx512"
  std::string why;     // why this kernel was chosen
  std::string output_shape;
  // Names of the values that go in and out, "" where an optional one is left out. A value that a
  // pass kept has the name that it has in the file.
  std::vector<std::string> inputs, outputs;
  double flop = 0;     // floating-point operations of one run
  double seconds = 0;  // time in the profiled runs, all together
  long long runs = 0;  // how many runs that was
};

struct PassInfo {
  std::string name;
  std::string stage;  // "load" or "plan"
  int rewrites = 0;
  double seconds = 0;
  bool disabled = false;
};

// Bytes of the arena, and the steps in which they are taken.
struct ArenaBlock {
  std::string name;  // of the first value that lies there; empty for scratch memory of a step
  std::size_t offset = 0, bytes = 0;
  int first = 0, last = 0;  // indices into PlanInfo::steps; both ends count
};

struct PlanInfo {
  std::vector<StepInfo> steps;
  std::vector<PassInfo> passes;
  std::size_t arena_bytes = 0;
  std::vector<ArenaBlock> arena;
  std::size_t weight_bytes = 0;  // packed weights and other constants that the plan holds
  int timed_layers = 0;  // layers that the session has measured so far (SessionOptions::tune)
  double flop = 0;
  // More than 1: the steps are those of one image of the batch, and are run for each. `flop` and
  // the times count all.
  std::int64_t images = 1;
  // Threads that take whole images, which have one thread each then, and an arena; 1: all threads
  // share one image after the other. Session::profile() takes one image after the other.
  int image_threads = 1;
};

struct ModelInfo {
  std::int64_t ir_version = 0;
  std::string producer;
  std::map<std::string, std::int64_t> opsets;  // by domain, "" for ONNX's own
  std::map<std::string, std::string> metadata;
  std::map<std::string, int> op_counts;  // of the file, before passes
  std::set<DType> tensor_dtypes;         // element types of all inputs, outputs and initialisers
  std::int64_t parameters = 0;           // elements of all initialisers and Constant nodes
  std::size_t file_bytes = 0;
};

using TensorMap = std::map<std::string, Tensor>;

// Receives what a step has computed: its index in PlanInfo::steps and a tensor for each of its
// outputs, empty where the node leaves it out. The tensors are views that hold until it returns. A
// failure ends the run.
using StepObserver = std::function<Status(std::size_t, std::span<const Tensor>)>;

struct ImportedModel;  // internal

// A model with its plans. Movable. All const members may be called from several threads at once on
// one Session; each run takes memory of its own, and packed weights are shared.
class Session {
 public:
  // Reads the file, simplifies the graph. Problems of the model come all together in one message, a
  // line each. The file stays mapped, and must not be changed while the session lives: weights are
  // read from it and packed at the first run() or plan(), and again where other input shapes need
  // another packing.
  static Result<Session> load(const std::string& path, const SessionOptions& options = {});
  // The same from memory; the bytes may be freed afterwards. External data is not available.
  static Result<Session> load(std::span<const std::byte> model, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;
  const ModelInfo& model() const;

  // Runs the model. Every input must be given by its name with the declared dtype and shape; the
  // first run with new input shapes makes a plan. The outputs are owned by the caller, by name,
  // every declared output present.
  Result<TensorMap> run(const TensorMap& inputs) const;
  // The same by position, in the order of inputs() and outputs(): no look-ups.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) const;

  // Makes the plan for these input shapes without running it, and describes it.
  Result<PlanInfo> plan(std::span<const Shape> input_shapes) const;
  // As run(), and adds the time of each step to `profile`, which must come from plan() for the same
  // shapes.
  Result<std::vector<Tensor>> profile(std::span<const Tensor> inputs, PlanInfo& profile) const;
  // As run(), and shows the outputs of each step to `observer` as soon as they are computed. The
  // steps are those of plan() for the same shapes. Memory is that of run(). Needs batch_by_image
  // false where the plan would run image by image.
  Result<std::vector<Tensor>> trace(std::span<const Tensor> inputs,
                                    const StepObserver& observer) const;
  // The simplified graph as text.
  std::string print() const;

  int threads() const;

 private:
  struct Impl;
  static Result<Session> load(ImportedModel&& model, const SessionOptions& options);
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Name of the instruction set that kernels use: "avx512", "neon", ... MINI_ISA=<name> in the
// environment forces a lower one.
std::string isa_name();
// The instruction sets that this CPU has, worst first.
std::vector<std::string> isa_names();
// One line for each operator that is implemented: domain, type and the opset versions that changed
// it.
struct OperatorInfo {
  std::string domain, type;
  std::vector<int> since;
};
std::vector<OperatorInfo> supported_operators();
// Threads used when SessionOptions::threads is 0.
int default_threads();

}  // namespace mini_infer
