// Operators that opset 1 had as experiments and old converters still write: ImageScaler, Affine,
// Crop.
#include <algorithm>

#include "kernels/norm/norm.h"
#include "kernels/norm/norm.simd.h"

namespace mini_infer {
namespace {

Status infer_same(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

Status expect_float_image(const PrepareContext& c) {
  if (c.dtype(0) != DType::kFloat32)
    return not_implemented(c.node().op_type, " of ", c.dtype(0), "; it takes float32");
  if (c.shape(0).rank() != 4)
    return invalid_model("the input has shape ", c.shape(0), "; it must be [N,C,H,W]");
  return ok();
}

// ImageScaler: y = x * scale + bias[c]
Result<PreparedKernel> prepare_image_scaler(PrepareContext& c) {
  MINI_TRY(expect_float_image(c));
  const NormPlanes planes = planes_of(c.shape(0));
  Floats bias = c.floats("bias", Floats(static_cast<std::size_t>(planes.channels), 0.f));
  if (static_cast<std::int64_t>(bias.size()) != planes.channels) {
    return invalid_model("bias holds ", bias.size(), " values; the input has ", planes.channels,
                         " channels");
  }
  const ScaleShift s{.k = Floats(bias.size(), c.number("scale", 1.f)), .b = bias};
  return PreparedKernel{
      .name = c.with_isa("image_scaler"),
      .run = [=, per_image = std::vector<ScaleShift>{s}, isa = c.isa()](const KernelContext& k) {
        apply_scale_shift(k, isa, Layout::kPlain, planes, per_image, k.input<float>(0),
                          k.output<float>(0));
        return ok();
      }};
}

// Crop: border = [left, top, right, bottom] cut off, or `scale` = [height, width] kept from (left,
// top) on.
struct CropBox {
  Dim top, left, height, width;
};
Result<CropBox> crop_box(const AttributeReader& node, const Dim& h, const Dim& w) {
  const Ints border = node.ints("border"), scale = node.ints("scale");
  if (border.size() != 4)
    return invalid_model("border holds ", border.size(),
                         " values; it must be [left,top,right,bottom]");
  if (!scale.empty() && scale.size() != 2)
    return invalid_model("scale holds ", scale.size(), " values; it must be [height,width]");
  CropBox box{.top = border[1],
              .left = border[0],
              .height = h - Dim(border[1]) - Dim(border[3]),
              .width = w - Dim(border[0]) - Dim(border[2])};
  if (!scale.empty()) {
    box.height = scale[0];
    box.width = scale[1];
  }
  return box;
}

Status infer_crop(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (x->rank() != 4) return invalid_model("the input has shape ", *x, "; it must be [N,C,H,W]");
  MINI_TRY_ASSIGN(const CropBox box, crop_box(c, (*x)[2], (*x)[3]));
  c.set_output(0, c.dtype(0), SymShape{(*x)[0], (*x)[1], box.height, box.width});
  return ok();
}

Result<PreparedKernel> prepare_crop(PrepareContext& c) {
  MINI_TRY(expect_float_image(c));
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const CropBox box, crop_box(c, x[2], x[3]));
  const std::int64_t top = box.top.value(), left = box.left.value(), h = box.height.value(),
                     w = box.width.value();
  if (top < 0 || left < 0 || h < 0 || w < 0 || top > x[2] - h || left > x[3] - w) {
    return invalid_model("the crop of ", h, "x", w, " at (", top, ",", left,
                         ") does not lie in the input ", x);
  }
  return PreparedKernel{
      .name = "crop",
      .run = [=, planes = x[0] * x[1], ih = x[2], iw = x[3]](const KernelContext& k) {
        const float* in = k.input<float>(0);
        float* out = k.output<float>(0);
        k.parallel_for(planes, static_cast<double>(h * w), [&](Range range, int) {
          for (std::int64_t i = range.begin * h; i < range.end * h; ++i) {
            const float* row =
                in + ((i / std::max<std::int64_t>(h, 1)) * ih + top + i % h) * iw + left;
            std::copy_n(row, w, out + i * w);
          }
        });
        return ok();
      }};
}

}  // namespace

MINI_DEFINE_OP(ImageScaler, {.type = "ImageScaler",
                             .since = {1},
                             .infer = infer_same,
                             .prepare = prepare_image_scaler})
MINI_DEFINE_OP(Crop, {.type = "Crop", .since = {1}, .infer = infer_crop, .prepare = prepare_crop})

}  // namespace mini_infer
