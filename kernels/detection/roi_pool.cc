// RoiAlign and MaxRoiPool: regions of a map brought to one size.
//                                              onnx.ai/onnx/operators/onnx__RoiAlign.html
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// x: [batches][channels][height][width], y: [regions][channels][out_height][out_width]
struct Problem {
  std::int64_t batches, channels, height, width, regions, out_height, out_width;
  float scale;
  std::int64_t sampling = 0;
  float offset = 0.f;
  bool at_least_one = false;  // regions are at least one pixel wide
  bool maximum = false;
};

Status infer_pool(InferContext& c, std::size_t inputs, std::int64_t height, std::int64_t width) {
  MINI_TRY(c.expect_inputs(inputs));
  if (height < 1 || width < 1) return invalid_model("output size ", height, "x", width);
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, 4));
  const SymShape *x = c.shape(0), *rois = c.shape(1);
  if (x == nullptr || rois == nullptr) return ok();
  if (x->rank() != 4 || rois->rank() != 2) {
    return invalid_model("x ", *x, " must have rank 4, rois ", *rois, " rank 2");
  }
  c.set_output(0, c.dtype(0), SymShape{(*rois)[0], (*x)[1], height, width});
  return ok();
}

Status infer_align(InferContext& c) {
  return infer_pool(c, 3, c.integer("output_height", 1), c.integer("output_width", 1));
}

Status infer_max(InferContext& c) {
  const Ints pooled = c.ints("pooled_shape");
  if (pooled.size() != 2) return invalid_model("pooled_shape ", pooled, " must be [H,W]");
  return infer_pool(c, 2, pooled[0], pooled[1]);
}

// One of the four neighbours of a sampling point.
template <class T>
struct Sample {
  std::int64_t place[4];
  T weight[4];
};

// Bilinear taps of (y, x); all weights 0 where the point is more than a pixel outside.
template <class T>
Sample<T> sample_at(const Problem& p, T y, T x) {
  Sample<T> out{};
  if (!(y >= -1 && y <= static_cast<T>(p.height) && x >= -1 && x <= static_cast<T>(p.width))) {
    return out;
  }
  y = std::clamp(y, T(0), static_cast<T>(p.height - 1));
  x = std::clamp(x, T(0), static_cast<T>(p.width - 1));
  const auto y0 = static_cast<std::int64_t>(y), x0 = static_cast<std::int64_t>(x);
  const std::int64_t y1 = std::min(y0 + 1, p.height - 1), x1 = std::min(x0 + 1, p.width - 1);
  const T dy = y - static_cast<T>(y0), dx = x - static_cast<T>(x0);
  out.place[0] = y0 * p.width + x0;
  out.place[1] = y0 * p.width + x1;
  out.place[2] = y1 * p.width + x0;
  out.place[3] = y1 * p.width + x1;
  out.weight[0] = (1 - dy) * (1 - dx);
  out.weight[1] = (1 - dy) * dx;
  out.weight[2] = dy * (1 - dx);
  out.weight[3] = dy * dx;
  return out;
}

// A region in pixels of the map, cut into bins of grid_height x grid_width samples.
template <class T>
struct Region {
  T top, left, bin_height, bin_width;
  std::int64_t grid_height, grid_width;
};

template <class T>
Region<T> region_of(const Problem& p, const T* roi) {
  constexpr T kMostSamples = 1024;
  const T scale = static_cast<T>(p.scale), offset = static_cast<T>(p.offset);
  T width = (roi[2] - roi[0]) * scale, height = (roi[3] - roi[1]) * scale;
  if (p.at_least_one) {
    width = std::max(width, T(1));
    height = std::max(height, T(1));
  }
  const T bin_height = height / static_cast<T>(p.out_height);
  const T bin_width = width / static_cast<T>(p.out_width);
  const auto samples = [&](T bin) {
    if (p.sampling > 0) return p.sampling;
    return static_cast<std::int64_t>(bin > 0 ? std::min(std::ceil(bin), kMostSamples) : T(0));
  };
  return {roi[1] * scale - offset, roi[0] * scale - offset, bin_height, bin_width,
          samples(bin_height),     samples(bin_width)};
}

template <class T>
T pool_bin(const Problem& p, const Region<T>& r, const T* plane, std::int64_t oy, std::int64_t ox) {
  T sum = 0, most = std::numeric_limits<T>::lowest();
  const std::int64_t count = r.grid_height * r.grid_width;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto gy = static_cast<T>(i / r.grid_width), gx = static_cast<T>(i % r.grid_width);
    const T y = r.top + static_cast<T>(oy) * r.bin_height +
                (gy + T(0.5)) * r.bin_height / static_cast<T>(r.grid_height);
    const T x = r.left + static_cast<T>(ox) * r.bin_width +
                (gx + T(0.5)) * r.bin_width / static_cast<T>(r.grid_width);
    const Sample<T> s = sample_at(p, y, x);
    for (int t = 0; t < 4; ++t) {
      const T value = s.weight[t] * plane[s.place[t]];
      sum += value;
      most = std::max(most, value);
    }
  }
  if (count == 0) return 0;
  return p.maximum ? most : sum / static_cast<T>(count);
}

template <class T>
Status run_align(const KernelContext& k, const Problem& p, DType index_dtype) {
  const T *x = k.input<T>(0), *rois = k.input<T>(1);
  for (std::int64_t r = 0; r < p.regions; ++r) {
    const std::int64_t batch = index_at(k.inputs[2], index_dtype, r);
    if (batch < 0 || batch >= p.batches) {
      return error(Code::kInvalidArgument, "batch_indices[", r, "] is ", batch,
                   "; it must be in [0,", p.batches - 1, "]");
    }
  }
  const std::int64_t bins = p.out_height * p.out_width;
  k.parallel_for(p.regions * p.channels, static_cast<double>(bins * 16), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t r = i / p.channels;
      const std::int64_t batch = index_at(k.inputs[2], index_dtype, r);
      const T* plane = x + (batch * p.channels + i % p.channels) * p.height * p.width;
      const Region<T> region = region_of(p, rois + r * 4);
      for (std::int64_t bin = 0; bin < bins; ++bin) {
        k.output<T>(0)[i * bins + bin] =
            pool_bin(p, region, plane, bin / p.out_width, bin % p.out_width);
      }
    }
  });
  return ok();
}

// The pixels [first, last) of one bin of `bins` over the pixels [start, start + length) of an axis.
struct Span {
  std::int64_t first, last;
};
Span bin_span(std::int64_t bin, std::int64_t bins, std::int64_t start, std::int64_t length,
              std::int64_t extent) {
  const float size = static_cast<float>(length) / static_cast<float>(bins);
  const auto first = static_cast<std::int64_t>(std::floor(static_cast<float>(bin) * size));
  const auto last = static_cast<std::int64_t>(std::ceil(static_cast<float>(bin + 1) * size));
  return {std::clamp<std::int64_t>(first + start, 0, extent),
          std::clamp<std::int64_t>(last + start, 0, extent)};
}

template <class T>
T max_of(const T* plane, const Problem& p, Span rows, Span cols) {
  if (rows.first >= rows.last || cols.first >= cols.last) return 0;
  T most = std::numeric_limits<T>::lowest();
  for (std::int64_t y = rows.first; y < rows.last; ++y) {
    for (std::int64_t x = cols.first; x < cols.last; ++x) {
      most = std::max(most, plane[y * p.width + x]);
    }
  }
  return most;
}

template <class T>
Status run_max(const KernelContext& k, const Problem& p) {
  const T *x = k.input<T>(0), *rois = k.input<T>(1);
  for (std::int64_t r = 0; r < p.regions; ++r) {
    const T batch = rois[r * 5];
    if (!(batch >= 0 && batch < static_cast<T>(p.batches))) {
      return error(Code::kInvalidArgument, "region ", r, " is of image ", batch, "; there are ",
                   p.batches);
    }
  }
  const auto pixel = [&](T coordinate) {
    const T scaled = std::round(coordinate * static_cast<T>(p.scale));
    return static_cast<std::int64_t>(std::clamp(scaled, T(-1e6), T(1e6)));
  };
  const std::int64_t bins = p.out_height * p.out_width;
  k.parallel_for(p.regions * p.channels, static_cast<double>(bins * 16), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const T* roi = rois + i / p.channels * 5;
      const std::int64_t plane = static_cast<std::int64_t>(roi[0]) * p.channels + i % p.channels;
      const std::int64_t left = pixel(roi[1]), top = pixel(roi[2]);
      const std::int64_t width = std::max<std::int64_t>(pixel(roi[3]) - left + 1, 1);
      const std::int64_t height = std::max<std::int64_t>(pixel(roi[4]) - top + 1, 1);
      for (std::int64_t bin = 0; bin < bins; ++bin) {
        const Span rows = bin_span(bin / p.out_width, p.out_height, top, height, p.height);
        const Span cols = bin_span(bin % p.out_width, p.out_width, left, width, p.width);
        k.output<T>(0)[i * bins + bin] = max_of(x + plane * p.height * p.width, p, rows, cols);
      }
    }
  });
  return ok();
}

Result<Problem> problem_of(const PrepareContext& c, std::int64_t roi_size) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape &x = c.shape(0), &rois = c.shape(1);
  if (x.rank() != 4 || rois.rank() != 2 || rois[1] != roi_size || c.dtype(1) != c.dtype(0) ||
      x.elements() == 0) {
    return invalid_model("rois ", rois, " do not fit x ", x);
  }
  return Problem{.batches = x[0],
                 .channels = x[1],
                 .height = x[2],
                 .width = x[3],
                 .regions = rois[0],
                 .out_height = out[2],
                 .out_width = out[3],
                 .scale = c.number("spatial_scale", 1.f)};
}

Result<PreparedKernel> prepare_align(PrepareContext& c) {
  MINI_TRY_ASSIGN(Problem p, problem_of(c, 4));
  MINI_TRY(expect_indices(c.dtype(2), "batch_indices"));
  if (c.shape(2).elements() != p.regions) {
    return invalid_model("batch_indices ", c.shape(2), " must name an image for each of ",
                         p.regions, " regions");
  }
  const std::string mode = c.string("mode", "avg");
  const std::string coordinates = c.string("coordinate_transformation_mode",
                                           c.opset() < 16 ? "output_half_pixel" : "half_pixel");
  if (mode != "avg" && mode != "max") return not_implemented("mode '", mode, "'");
  if (coordinates != "half_pixel" && coordinates != "output_half_pixel") {
    return not_implemented("coordinate_transformation_mode '", coordinates, "'");
  }
  p.maximum = mode == "max";
  p.sampling = std::min<std::int64_t>(c.integer("sampling_ratio", 0), INT16_MAX);
  p.offset = coordinates == "half_pixel" ? 0.5f : 0.f;
  p.at_least_one = coordinates != "half_pixel";
  PreparedKernel kernel;
  kernel.name = "roi_align";
  if (c.dtype(0) == DType::kFloat32) {
    kernel.run = [p, dtype = c.dtype(2)](const KernelContext& k) {
      return run_align<float>(k, p, dtype);
    };
  } else if (c.dtype(0) == DType::kFloat64) {
    kernel.run = [p, dtype = c.dtype(2)](const KernelContext& k) {
      return run_align<double>(k, p, dtype);
    };
  } else {
    return not_implemented("RoiAlign of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

Result<PreparedKernel> prepare_max(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Problem p, problem_of(c, 5));
  PreparedKernel kernel;
  kernel.name = "max_roi_pool";
  if (c.dtype(0) == DType::kFloat32) {
    kernel.run = [p](const KernelContext& k) { return run_max<float>(k, p); };
  } else if (c.dtype(0) == DType::kFloat64) {
    kernel.run = [p](const KernelContext& k) { return run_max<double>(k, p); };
  } else {
    return not_implemented("MaxRoiPool of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MaxRoiPool,
               {.type = "MaxRoiPool", .since = {1, 22}, .infer = infer_max, .prepare = prepare_max})
MINI_DEFINE_OP(RoiAlign, {.type = "RoiAlign",
                          .since = {10, 16, 22},
                          .infer = infer_align,
                          .prepare = prepare_align})

}  // namespace mini_infer
