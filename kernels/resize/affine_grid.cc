// AffineGrid: the places that an affine map takes the pixels of an image to, in [-1, 1].
//                                              onnx.ai/onnx/operators/onnx__AffineGrid.html
#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0));
  const auto* size = c.contents(1);
  if (size == nullptr) return ok();
  if (size->size() != 4 && size->size() != 5) {
    return invalid_model("size ", *size, " must be [N,C,H,W] or [N,C,D,H,W]");
  }
  std::vector<Dim> out = *size;
  out.erase(out.begin() + 1);
  out.emplace_back(static_cast<std::int64_t>(size->size()) - 2);
  c.set_output(0, c.dtype(0), SymShape(std::move(out)));
  return ok();
}

// theta: [n][dims][dims + 1], y: [n][extents...][dims]; coordinates count the innermost axis first.
struct Problem {
  std::vector<std::int64_t> extents;
  std::int64_t batches, places = 1;
  bool align_corners;
};

template <class T>
void run(const KernelContext& k, const Problem& p) {
  const std::size_t dims = p.extents.size();
  const T* theta = k.input<T>(0);
  T* y = k.output<T>(0);
  for (std::int64_t i = 0; i < p.batches * p.places; ++i) {
    T coordinates[4] = {1, 1, 1, 1};
    std::int64_t rest = i % p.places;
    for (std::size_t d = 0; d < dims; ++d) {
      const std::int64_t extent = p.extents[dims - 1 - d];
      const auto at = static_cast<T>(rest % extent), length = static_cast<T>(extent);
      rest /= extent;
      if (p.align_corners) {
        coordinates[d] = extent == 1 ? T(-1) : 2 * at / (length - 1) - 1;
      } else {
        coordinates[d] = (2 * at + 1) / length - 1;
      }
    }
    const T* map = theta + i / p.places * static_cast<std::int64_t>(dims * (dims + 1));
    for (std::size_t row = 0; row < dims; ++row) {
      T sum = map[row * (dims + 1) + dims];
      for (std::size_t d = 0; d < dims; ++d) sum += map[row * (dims + 1) + d] * coordinates[d];
      y[i * static_cast<std::int64_t>(dims) + static_cast<std::int64_t>(row)] = sum;
    }
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  if (out.rank() != 4 && out.rank() != 5) return invalid_model("grid of shape ", out);
  const auto dims = static_cast<std::int64_t>(out.rank()) - 2;
  if (c.shape(0) != Shape{out[0], dims, dims + 1}) {
    return invalid_model("theta ", c.shape(0), " does not fit a grid of shape ", out);
  }
  Problem p{.batches = out[0], .align_corners = c.integer("align_corners", 0) != 0};
  for (std::size_t i = 1; i + 1 < out.rank(); ++i) {
    p.extents.push_back(out[i]);
    p.places *= out[i];
  }
  PreparedKernel kernel;
  kernel.name = "affine_grid";
  if (c.dtype(0) == DType::kFloat32) {
    kernel.run = [p](const KernelContext& k) { return run<float>(k, p), ok(); };
  } else if (c.dtype(0) == DType::kFloat64) {
    kernel.run = [p](const KernelContext& k) { return run<double>(k, p), ok(); };
  } else {
    return not_implemented("AffineGrid of ", dtype_name(c.dtype(0)));
  }
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(AffineGrid,
               {.type = "AffineGrid", .since = {20}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
