// ReverseSequence: the first elements of each sequence, turned round.
//                                              onnx.ai/onnx/operators/onnx__ReverseSequence.html
#include "kernels/movement/element.h"
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

struct AxisPair {
  std::int64_t batch, time;
};
Result<AxisPair> axes_of(const AttributeReader& c) {
  const AxisPair axes{c.integer("batch_axis", 1), c.integer("time_axis", 0)};
  if ((axes.batch == 0 && axes.time == 1) || (axes.batch == 1 && axes.time == 0)) return axes;
  return invalid_model("batch_axis ", axes.batch, " and time_axis ", axes.time,
                       " must be 0 and 1 in some order");
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  MINI_TRY(axes_of(c).status());
  c.set_output(0, c.dtype(0));
  if (c.shape(0) == nullptr) return ok();
  if (c.shape(0)->rank() < 2) {
    return invalid_model("input has shape ", *c.shape(0), "; it must have at least rank 2");
  }
  c.set_output(0, c.dtype(0), *c.shape(0));
  return ok();
}

// x: [dims[0]][dims[1]][run], one of them the batch, the other the time
struct Problem {
  std::int64_t dims[2], run;
  bool batch_first;
};

Status check_lengths(const std::int64_t* lengths, std::int64_t batch, std::int64_t time) {
  for (std::int64_t b = 0; b < batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > time) {
      return error(Code::kInvalidArgument, "sequence_lens[", b, "] is ", lengths[b],
                   "; it must be in [0,", time, "]");
    }
  }
  return ok();
}

template <class T>
void reverse(const KernelContext& k, const Problem& p, const std::int64_t* lengths) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  k.parallel_for(p.dims[0] * p.dims[1], static_cast<double>(p.run), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t outer = i / p.dims[1], inner = i % p.dims[1];
      const std::int64_t length = lengths[p.batch_first ? outer : inner];
      const std::int64_t t = p.batch_first ? inner : outer;
      const std::int64_t from_t = t < length ? length - 1 - t : t;
      const std::int64_t from =
          p.batch_first ? outer * p.dims[1] + from_t : from_t * p.dims[1] + inner;
      copy_run(x + from * p.run, y + i * p.run, p.run);
    }
  });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const AxisPair axes, axes_of(c));
  const Problem p{{x[0], x[1]}, x.elements(2, x.rank()), axes.batch == 0};
  const std::int64_t batch = p.dims[axes.batch], time = p.dims[axes.time];
  if (c.dtype(1) != DType::kInt64 || c.shape(1).elements() != batch) {
    return invalid_model("sequence_lens ", c.shape(1), " must be int64[", batch, "]");
  }
  PreparedKernel kernel;
  kernel.name = "reverse_sequence";
  kernel.run = [p, batch, time, dtype = c.dtype(0)](const KernelContext& k) {
    const auto* lengths = k.input<std::int64_t>(1);
    MINI_TRY(check_lengths(lengths, batch, time));
    if (batch * time * p.run == 0) return ok();
    dispatch_element(dtype, [&]<class T>() { reverse<T>(k, p, lengths); });
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(ReverseSequence,
               {.type = "ReverseSequence", .since = {10}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
