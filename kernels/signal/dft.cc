// DFT and STFT: Fourier transforms along an axis, or of a sliding window.
//                                              onnx.ai/onnx/operators/onnx__DFT.html
//
// A tensor's last axis holds real numbers (1) or real and imaginary parts (2).
#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"
#include "kernels/signal/fourier.h"

namespace mini_infer {
namespace {

using Complex = Fourier::Complex;
constexpr std::int64_t kMostLength = std::int64_t{1} << 24;

// Attribute `axis` (1 by default) in opset 17, input 2 (-2 by default) since 20; none where it is
// known at run time only.
template <class Context>
std::optional<std::int64_t> axis_of(const Context& c) {
  if (c.opset() < 20) return c.integer("axis", 1);
  if (!c.has_input(2)) return -2;
  const auto ints = c.ints_of(2);
  return ints && ints->size() == 1 ? std::optional(ints->front()) : std::nullopt;
}

Result<std::size_t> checked_axis(std::int64_t axis, std::size_t rank) {
  MINI_TRY_ASSIGN(const std::size_t a, normalize_axis(axis, rank));
  if (a + 1 == rank) return invalid_model("axis ", axis, " is that of real and imaginary parts");
  return a;
}

Status infer_dft(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 3));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  const auto axis = axis_of(c);
  const bool onesided = c.integer("onesided", 0) != 0, inverse = c.integer("inverse", 0) != 0;
  SymShape out = unknown_shape(c, 0, x->rank());
  if (axis) {
    MINI_TRY_ASSIGN(const std::size_t a, checked_axis(*axis, x->rank()));
    out = *x;
    if (c.has_input(1)) {
      const auto length = c.ints_of(1);
      out[a] = length && length->size() == 1 ? Dim(length->front()) : c.unknown(0, a);
    }
    if (onesided && inverse && !c.has_input(1)) out[a] = (out[a] - Dim(1)) * Dim(2);
    if (onesided && !inverse) out[a] = floor_div(out[a], 2) + Dim(1);
    if (out[a].known() && (out[a].value() < 1 || out[a].value() > kMostLength)) {
      return invalid_model("a transform of length ", out[a]);
    }
  }
  // The inverse of one half of a spectrum is real.
  out[x->rank() - 1] = onesided && inverse ? 1 : 2;
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// x: [outer][in][run][parts] -> y: [outer][out][run][out_parts], transforms of `length`
struct DftProblem {
  std::int64_t outer, in, run, parts, length, out, out_parts;
  bool mirrored;  // the second half of a spectrum is the conjugate of the first
};

// Element t of a line whose elements are `run` apart.
template <class T>
Complex element_of(const T* line, const DftProblem& p, std::int64_t t) {
  const bool mirror = p.mirrored && t > p.length / 2;
  if (mirror) t = p.length - t;
  if (t >= p.in) return {};
  const T* element = line + t * p.run * p.parts;
  const double imaginary = p.parts == 2 ? static_cast<double>(element[1]) : 0;
  return {static_cast<double>(element[0]), mirror ? -imaginary : imaginary};
}

template <class T>
void run_dft(const KernelContext& k, const DftProblem& p, const Fourier& fourier) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  const double work = 20 * static_cast<double>(p.length);
  k.parallel_for(p.outer * p.run, work, [&](Range range, int thread) {
    Complex* line =
        reinterpret_cast<Complex*>(k.scratch) + thread * (p.length + fourier.work_size());
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* from = x + (i / p.run * p.in * p.run + i % p.run) * p.parts;
      T* to = y + (i / p.run * p.out * p.run + i % p.run) * p.out_parts;
      for (std::int64_t t = 0; t < p.length; ++t) line[t] = element_of(from, p, t);
      fourier.transform(line, line + p.length);
      for (std::int64_t t = 0; t < p.out; ++t) {
        T* element = to + t * p.run * p.out_parts;
        element[0] = static_cast<T>(line[t].real());
        if (p.out_parts == 2) element[1] = static_cast<T>(line[t].imag());
      }
    }
  });
}

std::size_t fourier_scratch(const PrepareContext& c, const Fourier& fourier) {
  return static_cast<std::size_t>((fourier.length() + fourier.work_size()) * c.threads()) *
         sizeof(Complex);
}

Result<PreparedKernel> prepare_dft(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const auto axis = axis_of(c);
  const auto length = c.has_input(1) ? c.ints_of(1) : std::optional(Ints());
  if (!axis || !length) return not_implemented("an axis or a length that is not constant");
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const std::size_t a, checked_axis(*axis, x.rank()));
  const std::int64_t parts = x[x.rank() - 1];
  DftProblem p{.outer = x.elements(0, a),
               .in = x[a],
               .run = x.elements(a + 1, x.rank() - 1),
               .parts = parts,
               .length = length->empty() ? x[a] : length->front(),
               .out = out[a],
               .out_parts = out[out.rank() - 1],
               .mirrored = out[out.rank() - 1] == 1};
  if (p.mirrored && length->empty()) p.length = 2 * (x[a] - 1);
  if ((parts != 1 && parts != 2) || p.length < 1 || p.length > kMostLength || p.out > p.length) {
    return invalid_model("a transform of length ", p.length, " of input ", x);
  }
  const Fourier fourier(p.length, c.integer("inverse", 0) != 0);
  PreparedKernel kernel;
  kernel.name = "dft";
  kernel.scratch_bytes = fourier_scratch(c, fourier);
  if (c.dtype(0) == DType::kFloat32) {
    kernel.run = [=](const KernelContext& k) { return run_dft<float>(k, p, fourier), ok(); };
  } else if (c.dtype(0) == DType::kFloat64) {
    kernel.run = [=](const KernelContext& k) { return run_dft<double>(k, p, fourier), ok(); };
  } else {
    return not_implemented("DFT of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

// Inputs of STFT: signal [batch, length] or [batch, length, parts], frame_step, window,
// frame_length.
template <class Context>
std::optional<std::int64_t> whole_input(const Context& c, std::size_t i) {
  const auto ints = c.ints_of(i);
  return ints && ints->size() == 1 ? std::optional(ints->front()) : std::nullopt;
}

Status infer_stft(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 4));
  SymShape out = unknown_shape(c, 0, 4);
  out[3] = 2;
  const SymShape* x = c.shape(0);
  if (x != nullptr && x->rank() < 2) return invalid_model("signal has shape ", *x);
  if (x != nullptr) out[0] = (*x)[0];
  const auto step = whole_input(c, 1);
  std::optional<std::int64_t> length;
  if (c.has_input(3)) {
    length = whole_input(c, 3);
  } else if (c.shape(2) != nullptr && c.shape(2)->rank() == 1 && (*c.shape(2))[0].known()) {
    length = (*c.shape(2))[0].value();
  }
  if (step && *step < 1) return invalid_model("frame_step ", *step, " must be positive");
  if (length && (*length < 1 || *length > kMostLength)) {
    return invalid_model("frame_length ", *length);
  }
  if (length) out[2] = c.integer("onesided", 1) != 0 ? *length / 2 + 1 : *length;
  if (length && step && x != nullptr) {
    if ((*x)[1].known() && (*x)[1].value() < *length) {
      return invalid_model("signal ", *x, " is shorter than a frame of ", *length);
    }
    out[1] = floor_div((*x)[1] - Dim(*length), *step) + Dim(1);
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// x: [batches][length][parts], window: [frame], y: [batches][frames][bins][2]
struct StftProblem {
  std::int64_t batches, length, parts, frame, step, frames, bins;
  bool windowed;
};

template <class T>
void run_stft(const KernelContext& k, const StftProblem& p, const Fourier& fourier) {
  const T *x = k.input<T>(0), *window = k.input<T>(2);
  T* y = k.output<T>(0);
  const double work = 20 * static_cast<double>(p.frame);
  k.parallel_for(p.batches * p.frames, work, [&](Range range, int thread) {
    Complex* line =
        reinterpret_cast<Complex*>(k.scratch) + thread * (p.frame + fourier.work_size());
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t start = i / p.frames * p.length + i % p.frames * p.step;
      for (std::int64_t t = 0; t < p.frame; ++t) {
        const T* element = x + (start + t) * p.parts;
        const Complex value(static_cast<double>(element[0]),
                            p.parts == 2 ? static_cast<double>(element[1]) : 0);
        line[t] = p.windowed ? value * static_cast<double>(window[t]) : value;
      }
      fourier.transform(line, line + p.frame);
      T* to = y + i * p.bins * 2;
      for (std::int64_t t = 0; t < p.bins; ++t) {
        to[2 * t] = static_cast<T>(line[t].real());
        to[2 * t + 1] = static_cast<T>(line[t].imag());
      }
    }
  });
}

Result<PreparedKernel> prepare_stft(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  const auto step = whole_input(c, 1);
  const auto length = c.has_input(3) ? whole_input(c, 3) : std::optional(c.shape(2).elements());
  if (!step || !length) return not_implemented("frame_step or frame_length that is not constant");
  const std::int64_t parts = x.rank() == 3 ? x[2] : 1;
  const StftProblem p{.batches = x[0],
                      .length = x[1],
                      .parts = parts,
                      .frame = *length,
                      .step = *step,
                      .frames = out[1],
                      .bins = out[2],
                      .windowed = c.has_input(2)};
  if (x.rank() > 3 || (parts != 1 && parts != 2) || p.frame < 1 || p.frame > p.length ||
      p.bins > p.frame || (p.frames - 1) * p.step + p.frame > p.length ||
      (p.windowed && (c.shape(2).elements() != p.frame || c.dtype(2) != c.dtype(0)))) {
    return invalid_model("frames of ", p.frame, " at steps of ", p.step, " of the signal ", x);
  }
  const Fourier fourier(p.frame, false);
  PreparedKernel kernel;
  kernel.name = "stft";
  kernel.scratch_bytes = fourier_scratch(c, fourier);
  if (c.dtype(0) == DType::kFloat32) {
    kernel.run = [=](const KernelContext& k) { return run_stft<float>(k, p, fourier), ok(); };
  } else if (c.dtype(0) == DType::kFloat64) {
    kernel.run = [=](const KernelContext& k) { return run_stft<double>(k, p, fourier), ok(); };
  } else {
    return not_implemented("STFT of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(DFT, {.type = "DFT", .since = {17, 20}, .infer = infer_dft, .prepare = prepare_dft})
MINI_DEFINE_OP(STFT, {.type = "STFT", .since = {17}, .infer = infer_stft, .prepare = prepare_stft})

}  // namespace mini_infer
