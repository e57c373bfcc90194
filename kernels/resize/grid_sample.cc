// GridSample: pixels picked at the places that a grid names; AffineGrid: the grid of an affine map.
//                                              onnx.ai/onnx/operators/onnx__GridSample.html
//
// For each place of the grid, taps (offsets in a plane, with weights) are made once and used for
// all channels.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

enum class Mode { kNearest, kLinear, kCubic };
enum class Padding { kZeros, kBorder, kReflection };
constexpr std::size_t kMostDims = 3;
constexpr int kMostTaps = 64;  // 4 for each axis

struct Rule {
  Mode mode;
  Padding padding;
  bool align_corners;
};

Result<Rule> rule_of(const AttributeReader& c) {
  static const std::map<std::string, Mode, std::less<>> modes = {{"nearest", Mode::kNearest},
                                                                 {"linear", Mode::kLinear},
                                                                 {"bilinear", Mode::kLinear},
                                                                 {"cubic", Mode::kCubic},
                                                                 {"bicubic", Mode::kCubic}};
  static const std::map<std::string, Padding, std::less<>> paddings = {
      {"zeros", Padding::kZeros},
      {"border", Padding::kBorder},
      {"reflection", Padding::kReflection}};
  const std::string mode = c.string("mode", "linear"), padding = c.string("padding_mode", "zeros");
  if (!modes.contains(mode)) return not_implemented("mode '", mode, "'");
  if (!paddings.contains(padding)) return not_implemented("padding_mode '", padding, "'");
  return Rule{modes.at(mode), paddings.at(padding), c.integer("align_corners", 0) != 0};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  MINI_TRY(rule_of(c).status());
  c.set_output(0, c.dtype(0));
  const SymShape *x = c.shape(0), *grid = c.shape(1);
  if (x == nullptr || grid == nullptr) return ok();
  if (x->rank() < 3 || x->rank() != grid->rank()) {
    return invalid_model("x ", *x, " and grid ", *grid, " must have the same rank, at least 3");
  }
  SymShape out = *grid;
  out[0] = unify((*x)[0], (*grid)[0]).value_or((*x)[0]);
  for (std::size_t i = grid->rank() - 1; i > 1; --i) out[i] = out[i - 1];
  out[1] = (*x)[1];
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// Mirrors x at both ends of [least, most] until it lies inside.
template <class T>
T reflected(T x, T least, T most) {
  const T width = most - least;
  if (width <= 0) return least;
  const T distance = std::abs(x < least ? least - x : x - least);
  const T rest = std::fmod(distance, 2 * width);
  return rest <= width ? least + rest : most - (rest - width);
}

// Places and weights of one axis' taps.
template <class T>
struct AxisTaps {
  int count = 0;
  std::array<std::int64_t, 4> place{};  // -1: outside, reads as zero
  std::array<T, 4> weight{};
};

template <class T>
class Sampler {
 public:
  Sampler(const Rule& rule, std::int64_t extent)
      : rule_(rule),
        extent_(extent),
        least_(rule.align_corners ? T(0) : T(-0.5)),
        most_(rule.align_corners ? static_cast<T>(extent - 1) : static_cast<T>(extent) - T(0.5)) {}

  // Taps for the grid coordinate g in [-1, 1].
  AxisTaps<T> taps(T g) const {
    const auto length = static_cast<T>(extent_);
    T x = rule_.align_corners ? (g + 1) / 2 * (length - 1) : ((g + 1) * length - 1) / 2;
    AxisTaps<T> out;
    if (!(std::abs(x) < T(1e9))) x = T(-1e6);  // NaN and what no index can be made of
    if (rule_.mode == Mode::kNearest) x = std::nearbyint(x);
    if (x < least_ || x > most_) {
      if (rule_.padding == Padding::kBorder) x = std::clamp(x, T(0), length - 1);
      if (rule_.padding == Padding::kReflection) x = reflected(x, least_, most_);
    }
    if (rule_.mode == Mode::kNearest) {
      add(out, static_cast<std::int64_t>(std::nearbyint(x)), T(1));
      return out;
    }
    const T base = std::floor(x), t = x - base;
    const auto first = static_cast<std::int64_t>(base);
    if (rule_.mode == Mode::kLinear) {
      add(out, first, 1 - t);
      add(out, first + 1, t);
    } else {
      for (int i = -1; i <= 2; ++i) add(out, first + i, cubic(std::abs(t - static_cast<T>(i))));
    }
    return out;
  }

 private:
  static T cubic(T x) {
    constexpr T a = T(-0.75);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : T(0);
  }

  void add(AxisTaps<T>& taps, std::int64_t i, T weight) const {
    if (i < 0 || i >= extent_) {
      if (rule_.padding == Padding::kZeros) {
        i = -1;
      } else {
        if (rule_.padding == Padding::kReflection) {
          i = static_cast<std::int64_t>(reflected(static_cast<T>(i), least_, most_));
        }
        i = std::clamp<std::int64_t>(i, 0, extent_ - 1);
      }
    }
    const auto n = static_cast<std::size_t>(taps.count++);
    taps.place[n] = i;
    taps.weight[n] = weight;
  }

  Rule rule_;
  std::int64_t extent_;
  T least_, most_;
};

// x: [n][channels][in...], grid: [n][out...][dims], y: [n][channels][out...]
struct Problem {
  Rule rule;
  std::int64_t batches, channels, plane = 1, places = 1;
  std::vector<std::int64_t> in;  // spatial extents, outermost first
};

// All combinations of the axes' taps that lie inside.
template <class T>
int combine(const Problem& p, const std::array<AxisTaps<T>, kMostDims>& axes, std::int64_t* offsets,
            T* weights) {
  int count = 1;
  offsets[0] = 0;
  weights[0] = T(1);
  for (std::size_t d = 0; d < p.in.size(); ++d) {
    std::array<std::int64_t, kMostTaps> old_offsets;
    std::array<T, kMostTaps> old_weights;
    std::copy_n(offsets, count, old_offsets.begin());
    std::copy_n(weights, count, old_weights.begin());
    const int old = count;
    count = 0;
    for (int i = 0; i < old; ++i) {
      for (int t = 0; t < axes[d].count; ++t) {
        const auto tap = static_cast<std::size_t>(t), from = static_cast<std::size_t>(i);
        if (axes[d].place[tap] < 0) continue;
        offsets[count] = old_offsets[from] * p.in[d] + axes[d].place[tap];
        weights[count++] = old_weights[from] * axes[d].weight[tap];
      }
    }
  }
  return count;
}

template <class T>
void sample_place(const Problem& p, const std::vector<Sampler<T>>& samplers, const T* x,
                  const T* coordinates, T* y) {
  const std::size_t dims = p.in.size();
  std::array<AxisTaps<T>, kMostDims> axes;
  // The grid names the innermost axis first.
  for (std::size_t d = 0; d < dims; ++d) axes[d] = samplers[d].taps(coordinates[dims - 1 - d]);
  std::int64_t offsets[kMostTaps];
  T weights[kMostTaps];
  const int count = combine(p, axes, offsets, weights);
  for (std::int64_t channel = 0; channel < p.channels; ++channel) {
    const T* plane = x + channel * p.plane;
    T sum = T(0);
    for (int t = 0; t < count; ++t) sum += weights[t] * plane[offsets[t]];
    y[channel * p.places] = sum;
  }
}

template <class T>
void run(const KernelContext& k, const Problem& p, const std::vector<Sampler<T>>& samplers) {
  const T *x = k.input<T>(0), *grid = k.input<T>(1);
  T* y = k.output<T>(0);
  const auto dims = static_cast<std::int64_t>(p.in.size());
  k.parallel_for(p.batches * p.places, static_cast<double>(8 * p.channels), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t n = i / p.places;
      sample_place(p, samplers, x + n * p.channels * p.plane, grid + i * dims,
                   y + n * p.channels * p.places + i % p.places);
    }
  });
}

template <class T>
PreparedKernel sample_kernel(const Problem& p) {
  std::vector<Sampler<T>> samplers;
  for (const std::int64_t extent : p.in) samplers.emplace_back(p.rule, extent);
  PreparedKernel kernel;
  kernel.name = "grid_sample";
  kernel.run = [p, samplers = std::move(samplers)](const KernelContext& k) {
    run(k, p, samplers);
    return ok();
  };
  return kernel;
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &x = c.shape(0), &grid = c.shape(1);
  const std::size_t dims = x.rank() - 2;
  if (x.rank() < 3 || x.rank() != grid.rank() || dims > kMostDims || grid[0] != x[0] ||
      grid[dims + 1] != static_cast<std::int64_t>(dims)) {
    return invalid_model("grid ", grid, " does not fit x ", x);
  }
  Problem p{.batches = x[0], .channels = x[1]};
  MINI_TRY_ASSIGN(p.rule, rule_of(c));
  for (std::size_t d = 0; d < dims; ++d) {
    if (x[d + 2] < 1) return invalid_model("x ", x, " has no pixels");
    p.in.push_back(x[d + 2]);
    p.plane *= x[d + 2];
    p.places *= grid[d + 1];
  }
  if (c.dtype(1) != c.dtype(0)) return not_implemented("grid and x of different dtypes");
  if (c.dtype(0) == DType::kFloat32) return sample_kernel<float>(p);
  if (c.dtype(0) == DType::kFloat64) return sample_kernel<double>(p);
  return not_implemented("GridSample of ", dtype_name(c.dtype(0)));
}

}  // namespace

MINI_DEFINE_OP(GridSample,
               {.type = "GridSample", .since = {16, 20, 22}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
