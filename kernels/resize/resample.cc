// Linear and cubic resampling, axis by axis: the last two axes in one pass that blends rows, then
// samples them; further axes in passes of their own before. Nearest is in nearest.cc.
#include "kernels/resize/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/movement/params.h"
#include "kernels/resize/nearest.h"
#include "kernels/resize/sample.simd.h"

namespace mini_infer {
namespace {

// x: [outer][rows.in][cols.in][inner] -> y: [outer][rows.out][cols.out][inner]
struct Pass {
  std::int64_t outer = 1, rows_in = 1, cols_in = 1, inner = 1;
  Taps rows, cols;  // count == 0: that axis stays as it is

  std::int64_t rows_out() const { return rows.count > 0 ? rows.out : rows_in; }
  std::int64_t cols_out() const { return cols.count > 0 ? cols.out : cols_in; }
  std::int64_t in_elements() const { return outer * rows_in * cols_in * inner; }
  std::int64_t out_elements() const { return outer * rows_out() * cols_out() * inner; }
};

// Merges axes that stay into the one before or into inner, and drops extents of 1.
ResizeProblem merged(const ResizeProblem& p) {
  ResizeProblem out = p;
  out.axes.clear();
  bool last_stays = false;
  for (const ResizeAxis& axis : p.axes) {
    const bool stays = axis.identity();
    if (stays && last_stays) {
      out.axes.back().in *= axis.in;
      out.axes.back().out *= axis.out;
    } else {
      out.axes.push_back(axis);
    }
    last_stays = stays;
  }
  if (out.axes.size() > 1 && last_stays) {
    out.inner *= out.axes.back().in;
    out.axes.pop_back();
  }
  return out;
}

std::int64_t product(const std::vector<std::int64_t>& extents, std::size_t first,
                     std::size_t last) {
  std::int64_t n = 1;
  for (std::size_t i = first; i < last; ++i) n *= extents[i];
  return n;
}

// Passes over the axes that change, from the first to the last two.
Result<std::vector<Pass>> make_passes(const ResizeProblem& p) {
  std::vector<std::int64_t> extents;
  std::vector<std::size_t> changing;
  for (const ResizeAxis& axis : p.axes) {
    if (!axis.identity()) changing.push_back(extents.size());
    extents.push_back(axis.in);
  }
  std::vector<Pass> passes;
  const std::size_t rank = extents.size();
  for (std::size_t i = 0; i < changing.size(); ++i) {
    const std::size_t axis = changing[i];
    MINI_TRY_ASSIGN(Taps taps, make_taps(p.rule, p.axes[axis]));
    const bool pair = i + 2 == changing.size() && changing[i + 1] == axis + 1;
    Pass pass{.outer = product(extents, 0, axis), .inner = p.inner};
    if (pair || axis + 1 < rank) {
      pass.rows_in = extents[axis];
      pass.rows = std::move(taps);
      extents[axis] = p.axes[axis].out;
      pass.cols_in = extents[axis + 1];
      pass.inner *= product(extents, axis + 2, rank);
    } else {
      pass.cols_in = extents[axis];
      pass.cols = std::move(taps);
      extents[axis] = p.axes[axis].out;
    }
    if (pair) {
      MINI_TRY_ASSIGN(pass.cols, make_taps(p.rule, p.axes[axis + 1]));
      extents[axis + 1] = p.axes[axis + 1].out;
      ++i;
    }
    passes.push_back(std::move(pass));
  }
  return passes;
}

// A kernel's view of the vector functions, and of the plain ones for double.
template <class T>
struct Sampler;

template <>
struct Sampler<float> {
  simd::blend_rows_fn* blend;
  simd::sample_row_fn* sample;
};

template <>
struct Sampler<double> {
  static void blend(const double* const* rows, const float* weights, int taps, double* out,
                    std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) {
      double sum = 0;
      for (int t = 0; t < taps; ++t) sum += static_cast<double>(weights[t]) * rows[t][i];
      out[i] = sum;
    }
  }
  static void sample(const double* row, const std::int32_t* index, const float* weight, int taps,
                     std::int64_t count, std::int64_t inner, double* out) {
    for (std::int64_t o = 0; o < count * inner; ++o) {
      double sum = 0;
      for (int t = 0; t < taps; ++t) {
        const std::int64_t at = t * count + o / inner;
        sum += static_cast<double>(weight[at]) * row[index[at] * inner + o % inner];
      }
      out[o] = sum;
    }
  }
};

// Taps that are summed at a time when rows are blended.
constexpr int kBlendTaps = 64;

// Row `r` of the output before its columns are sampled: a row of the input, or a blend in `buffer`.
template <class T>
const T* blended_row(const Sampler<T>& f, const Pass& p, const T* plane, std::int64_t r,
                     T* buffer) {
  const std::int64_t row = p.cols_in * p.inner;
  if (p.rows.count == 0) return plane + r * row;
  const T* rows[kBlendTaps];
  float weights[kBlendTaps];
  int used = 0;
  const T* sum = nullptr;
  for (int t = 0; t < p.rows.count; ++t) {
    const auto at = static_cast<std::size_t>(t * p.rows.out + r);
    if (p.rows.weight[at] == 0.f) continue;
    if (used == kBlendTaps) {
      f.blend(rows, weights, used, buffer, row);
      sum = rows[0] = buffer;
      weights[0] = 1.f;
      used = 1;
    }
    rows[used] = plane + p.rows.index[at] * row;
    weights[used++] = p.rows.weight[at];
  }
  if (used == 1 && weights[0] == 1.f && sum == nullptr) return rows[0];
  if (used == 0) {
    std::fill_n(buffer, row, T(0));
  } else {
    f.blend(rows, weights, used, buffer, row);
  }
  return buffer;
}

template <class T>
void run_pass(const KernelContext& k, const Sampler<T>& f, const Pass& p, const T* x, T* y,
              T* buffers) {
  const std::int64_t in_row = p.cols_in * p.inner, out_row = p.cols_out() * p.inner;
  const double work = static_cast<double>(in_row + 2 * out_row);
  k.parallel_for(p.outer * p.rows_out(), work, [&](Range range, int thread) {
    T* buffer = buffers + thread * in_row;
    for (std::int64_t r = range.begin; r < range.end; ++r) {
      const T* plane = x + r / p.rows_out() * p.rows_in * in_row;
      T* out = y + r * out_row;
      if (p.cols.count == 0) {
        const T* row = blended_row(f, p, plane, r % p.rows_out(), out);
        if (row != out) std::copy_n(row, out_row, out);
        continue;
      }
      const T* row = blended_row(f, p, plane, r % p.rows_out(), buffer);
      f.sample(row, p.cols.index.data(), p.cols.weight.data(), p.cols.count, p.cols.out, p.inner,
               out);
    }
  });
}

// Upwards, columns first: a sampled row of the input serves several rows of the output. The last
// rows.count of them are kept; the taps of one output row are neighbours, so that their numbers
// modulo rows.count differ.
constexpr int kKeptRows = 4;

bool samples_first(const Pass& p) {
  return p.rows.count > 0 && p.rows.count <= kKeptRows && p.cols.count > 0 &&
         p.rows.out >= p.rows_in;
}

template <class T>
void run_pass_upwards(const KernelContext& k, const Sampler<T>& f, const Pass& p, const T* x, T* y,
                      T* buffers) {
  const std::int64_t in_row = p.cols_in * p.inner, out_row = p.cols_out() * p.inner;
  const double work = static_cast<double>(2 * out_row);
  k.parallel_for(p.outer * p.rows.out, work, [&](Range range, int thread) {
    T* kept = buffers + thread * p.rows.count * out_row;
    std::array<std::int64_t, kKeptRows> held;
    held.fill(-1);
    for (std::int64_t r = range.begin; r < range.end; ++r) {
      const T* rows[kKeptRows];
      float weights[kKeptRows];
      int used = 0;
      for (int t = 0; t < p.rows.count; ++t) {
        const auto at = static_cast<std::size_t>(t * p.rows.out + r % p.rows.out);
        if (p.rows.weight[at] == 0.f) continue;
        const std::int64_t from = r / p.rows.out * p.rows_in + p.rows.index[at];
        const std::int64_t slot = p.rows.index[at] % p.rows.count;
        if (std::int64_t& row = held[static_cast<std::size_t>(slot)]; row != from) {
          f.sample(x + from * in_row, p.cols.index.data(), p.cols.weight.data(), p.cols.count,
                   p.cols.out, p.inner, kept + slot * out_row);
          row = from;
        }
        rows[used] = kept + slot * out_row;
        weights[used++] = p.rows.weight[at];
      }
      if (used > 0) {
        f.blend(rows, weights, used, y + r * out_row, out_row);
      } else {
        std::fill_n(y + r * out_row, out_row, T(0));
      }
    }
  });
}

// Floats or doubles of a buffer for each thread.
std::int64_t buffer_elements(const Pass& p) {
  return samples_first(p) ? p.rows.count * p.cols_out() * p.inner : p.cols_in * p.inner;
}

// Marks of the axes' output indices that lie outside; empty where none does.
struct Outside {
  std::vector<std::int64_t> extents;
  std::vector<std::vector<std::uint8_t>> marks;
  std::int64_t inner = 1, elements = 1;
};

template <class T>
void extrapolate(const Outside& outside, T value, T* y) {
  for (std::int64_t e = 0; e < outside.elements; ++e) {
    std::int64_t rest = e;
    for (std::size_t i = outside.extents.size(); i-- > 0;) {
      const std::int64_t o = rest % outside.extents[i];
      rest /= outside.extents[i];
      if (!outside.marks[i].empty() && outside.marks[i][static_cast<std::size_t>(o)] != 0) {
        std::fill_n(y + e * outside.inner, outside.inner, value);
        break;
      }
    }
  }
}

template <class T>
T from_float(float value, bool round) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(value);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(value);
  } else if constexpr (std::is_integral_v<T>) {
    const double whole = round ? std::nearbyint(value) : std::trunc(value);
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    const double most = static_cast<double>(std::numeric_limits<T>::max());
    if (!(whole > least)) return std::numeric_limits<T>::min();
    return whole >= most ? std::numeric_limits<T>::max() : static_cast<T>(whole);
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
float as_float(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return to_float(value);
  } else {
    return static_cast<float>(value);
  }
}

// All passes of a node, and its memory: buffers of a row for each thread, then two intermediate
// tensors, then the input and output as float where the dtype is neither float nor double.
struct Resample {
  std::vector<Pass> passes;
  Outside outside;
  ResizeRule rule;
  std::int64_t buffer = 0, between = 0, in = 0, out = 0;
  Isa isa = best_isa();
  int threads = 1;

  std::int64_t work_elements() const { return buffer * threads + 2 * between; }

  template <class T>
  void run(const KernelContext& k, const T* x, T* y, T* scratch) const {
    Sampler<T> f{};
    if constexpr (std::is_same_v<T, float>) {
      f = {simd::blend_rows.get(isa), simd::sample_row.get(isa)};
    }
    T* halves[2] = {scratch + buffer * threads, scratch + buffer * threads + between};
    const T* from = x;
    for (std::size_t i = 0; i < passes.size(); ++i) {
      T* to = i + 1 == passes.size() ? y : halves[i % 2];
      if (samples_first(passes[i])) {
        run_pass_upwards(k, f, passes[i], from, to, scratch);
      } else {
        run_pass(k, f, passes[i], from, to, scratch);
      }
      from = to;
    }
    if (!outside.marks.empty()) extrapolate(outside, static_cast<T>(rule.extrapolation), y);
  }

  // Through float.
  template <class T>
  void convert_and_run(const KernelContext& k) const {
    float* x = reinterpret_cast<float*>(k.scratch) + work_elements();
    float* y = x + in;
    for (std::int64_t i = 0; i < in; ++i) x[i] = as_float(k.input<T>(0)[i]);
    run(k, x, y, reinterpret_cast<float*>(k.scratch));
    for (std::int64_t i = 0; i < out; ++i) {
      k.output<T>(0)[i] = from_float<T>(y[i], rule.antialias);
    }
  }
};

Outside outside_of(const ResizeProblem& p, const std::vector<Taps>& taps) {
  Outside outside{.inner = p.inner};
  bool any = false;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    any |= !taps[i].outside.empty();
    outside.extents.push_back(p.axes[i].out);
    outside.elements *= p.axes[i].out;
    outside.marks.push_back(taps[i].outside);
  }
  if (!any) outside.marks.clear();
  return outside;
}

Result<std::vector<Taps>> all_taps(const ResizeProblem& p) {
  std::vector<Taps> all;
  for (const ResizeAxis& axis : p.axes) {
    MINI_TRY_ASSIGN(Taps taps, make_taps(p.rule, axis));
    all.push_back(std::move(taps));
  }
  return all;
}

PreparedKernel nearest_kernel(const ResizeProblem& p, std::vector<Taps> taps) {
  std::vector<std::int64_t> in_extents;
  for (const ResizeAxis& axis : p.axes) in_extents.push_back(axis.in);
  Outside outside = outside_of(p, taps);
  NearestPlan plan = make_nearest(std::move(taps), std::move(in_extents), p.inner);
  PreparedKernel kernel;
  kernel.name = plan.factor > 0 ? cat("resize/nearest_x", plan.factor) : "resize/nearest";
  kernel.run = [plan = std::move(plan), outside = std::move(outside), dtype = p.dtype,
                value = p.rule.extrapolation](const KernelContext& k) {
    run_nearest(k, plan, dtype, k.inputs[0], k.outputs[0]);
    if (outside.marks.empty()) return ok();
    dispatch_dtype(dtype, [&]<class T>() {
      extrapolate(outside, from_float<T>(value, false), k.output<T>(0));
    });
    return ok();
  };
  return kernel;
}

}  // namespace

Result<PreparedKernel> prepare_resample(const PrepareContext& c, ResizeProblem problem) {
  const ResizeProblem p = merged(problem);
  if (c.output_shape().elements() == 0) {
    return PreparedKernel{.name = "nothing", .run = [](const KernelContext&) { return ok(); }};
  }
  if (p.rule.mode == ResizeMode::kNearest) {
    MINI_TRY_ASSIGN(std::vector<Taps> taps, all_taps(p));
    return nearest_kernel(p, std::move(taps));
  }
  Resample r{.rule = p.rule, .isa = c.isa(), .threads = c.threads()};
  MINI_TRY_ASSIGN(r.passes, make_passes(p));
  if (r.passes.empty()) return view_kernel(c, "view");
  if (p.rule.coordinates == Coordinates::kTfCropAndResize) {
    MINI_TRY_ASSIGN(const std::vector<Taps> taps, all_taps(p));
    r.outside = outside_of(p, taps);
  }
  for (std::size_t i = 0; i < r.passes.size(); ++i) {
    const Pass& pass = r.passes[i];
    r.buffer = std::max(r.buffer, buffer_elements(pass));
    if (i + 1 < r.passes.size()) r.between = std::max(r.between, pass.out_elements());
  }
  r.in = c.shape(0).elements();
  r.out = c.output_shape().elements();
  PreparedKernel kernel;
  kernel.name = c.with_isa(p.rule.mode == ResizeMode::kCubic ? "resize/cubic" : "resize/linear");
  const auto work = static_cast<std::size_t>(r.work_elements());
  if (p.dtype == DType::kFloat32 || p.dtype == DType::kFloat64) {
    kernel.scratch_bytes = work * dtype_size(p.dtype);
    kernel.run = [r = std::move(r), dtype = p.dtype](const KernelContext& k) {
      if (dtype == DType::kFloat32) {
        r.run(k, k.input<float>(0), k.output<float>(0), reinterpret_cast<float*>(k.scratch));
      } else {
        r.run(k, k.input<double>(0), k.output<double>(0), reinterpret_cast<double*>(k.scratch));
      }
      return ok();
    };
    return kernel;
  }
  kernel.scratch_bytes = (work + static_cast<std::size_t>(r.in + r.out)) * sizeof(float);
  const bool known = dispatch_dtype(p.dtype, [&]<class T>() {
    kernel.run = [r](const KernelContext& k) {
      r.convert_and_run<T>(k);
      return ok();
    };
  });
  if (!known) return not_implemented("interpolation of ", dtype_name(p.dtype));
  return kernel;
}

}  // namespace mini_infer
