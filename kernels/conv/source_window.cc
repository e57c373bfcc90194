#include "kernels/conv/source_window.h"

#include <algorithm>
#include <cstring>

#include "kernels/movement/transpose.simd.h"

namespace mini_infer {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t kernel_extent_h(const ConvShape& s) { return (s.kh - 1) * s.dilation_h + 1; }
std::int64_t window_width(const ConvShape& s) {
  return (s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1;
}

// Every `stride`-th pixel.
template <int kLanes>
void copy_strided(const float* from, std::int64_t count, std::int64_t stride, float* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * kLanes, from + i * stride * kLanes, kLanes * sizeof(float));
  }
}

void copy_pixels(const float* from, std::int64_t count, std::int64_t stride, int lanes, float* to) {
  if (count <= 0) return;
  if (stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count * lanes) * sizeof(float));
    return;
  }
  switch (lanes) {
    case 1:
      return copy_strided<1>(from, count, stride, to);
    case 4:
      return copy_strided<4>(from, count, stride, to);
    case 8:
      return copy_strided<8>(from, count, stride, to);
    default:
      return copy_strided<16>(from, count, stride, to);
  }
}

}  // namespace

SourceWindow::SourceWindow(const ConvShape& shape, std::int64_t out_rows, int lanes,
                           Columns columns)
    : shape_(shape),
      lanes_(lanes),
      modulus_(columns == Columns::kSorted ? shape.stride_w : 1),
      phases_(std::min(modulus_, window_width(shape))),
      pitch_(ceil_div(window_width(shape), modulus_)),
      rows_((out_rows - 1) * shape.stride_h + kernel_extent_h(shape)),
      row_(phases_ * pitch_ * lanes),
      phase_used_(static_cast<std::size_t>(phases_), 0) {
  for (std::int64_t kx = 0; kx < shape.kw; ++kx) {
    phase_used_[static_cast<std::size_t>(kx * shape.dilation_w % modulus_)] = 1;
  }
  if (lanes == 1 && modulus_ > 1) {
    whole_first_ = std::min(pitch_, ceil_div(shape.pad_left, modulus_));
    const std::int64_t inside = shape.iw + shape.pad_left - (phases_ - 1);
    whole_last_ = inside <= 0 ? 0 : std::min(pitch_, ceil_div(inside, modulus_));
  }
}

std::int64_t SourceWindow::rows_within(const ConvShape& shape, std::int64_t planes, int lanes,
                                       std::size_t bytes) {
  const std::int64_t phases = std::min(shape.stride_w, window_width(shape));
  const std::int64_t row = planes * phases * ceil_div(window_width(shape), shape.stride_w) * lanes *
                           static_cast<std::int64_t>(sizeof(float));
  const std::int64_t in_rows = static_cast<std::int64_t>(bytes) / row;
  const std::int64_t most = std::clamp((in_rows - kernel_extent_h(shape)) / shape.stride_h + 1,
                                       std::int64_t{1}, shape.oh);
  return ceil_div(shape.oh, ceil_div(shape.oh, most));
}

std::ptrdiff_t SourceWindow::tap(std::int64_t ky, std::int64_t kx) const {
  const std::int64_t column = kx * shape_.dilation_w;
  return ky * shape_.dilation_h * row_ + (column % modulus_ * pitch_ + column / modulus_) * lanes_;
}

void SourceWindow::copy_border(const float* input_row, std::int64_t offset, std::int64_t first,
                               std::int64_t last, float* row) const {
  for (std::int64_t j = first; j < last; ++j) {
    const std::int64_t ix = border_source(shape_.border, j * modulus_ + offset, shape_.iw);
    if (ix < 0) {
      std::fill_n(row + j * lanes_, lanes_, 0.f);
    } else {
      std::copy_n(input_row + ix * lanes_, lanes_, row + j * lanes_);
    }
  }
}

void SourceWindow::copy_sorted(const float* input_row, float* row) const {
  const auto* const from =
      reinterpret_cast<const std::uint32_t*>(input_row + whole_first_ * modulus_ - shape_.pad_left);
  auto* const to = reinterpret_cast<std::uint32_t*>(row + whole_first_);
  simd::transpose_32.get()(from, modulus_, to, pitch_, phases_, whole_last_ - whole_first_);
}

void SourceWindow::copy_row(const float* input_row, float* row) const {
  if (whole_first_ < whole_last_) copy_sorted(input_row, row);
  if (whole_first_ == 0 && whole_last_ == pitch_) return;
  for (std::int64_t phase = 0; phase < phases_; ++phase, row += pitch_ * lanes_) {
    if (!phase_used_[static_cast<std::size_t>(phase)]) continue;
    // Columns j with 0 <= j * stride + offset < iw.
    const std::int64_t offset = phase - shape_.pad_left, stride = modulus_;
    const std::int64_t begin = offset >= 0 ? 0 : std::min(pitch_, ceil_div(-offset, stride));
    const std::int64_t end = offset >= shape_.iw
                                 ? begin
                                 : std::clamp(ceil_div(shape_.iw - offset, stride), begin, pitch_);
    copy_border(input_row, offset, 0, begin, row);
    const auto copy = [&](std::int64_t first, std::int64_t last) {
      copy_pixels(input_row + (first * stride + offset) * lanes_, last - first, stride, lanes_,
                  row + first * lanes_);
    };
    copy(begin, std::min(end, whole_first_));
    copy(std::max(begin, whole_last_), end);
    copy_border(input_row, offset, end, pitch_, row);
  }
}

void SourceWindow::copy_rows(const float* input, std::int64_t planes, std::int64_t top,
                             std::int64_t spacing, std::int64_t count, float* window) const {
  const std::int64_t extent = kernel_extent_h(shape_);
  const std::int64_t rows = (count - 1) * shape_.stride_h + extent;
  for (std::int64_t p = 0; p < planes; ++p) {
    const float* const plane = input + p * shape_.ih * shape_.iw * lanes_;
    for (std::int64_t r = 0; r < rows; ++r) {
      if (r % shape_.stride_h >= extent) continue;  // no kernel row falls here
      float* const row = window + p * this->plane() + r * row_;
      const std::int64_t iy = border_source(shape_.border, top + r * spacing, shape_.ih);
      if (iy < 0) {
        std::fill(row, row + row_, 0.f);
      } else {
        copy_row(plane + iy * shape_.iw * lanes_, row);
      }
    }
  }
}

}  // namespace mini_infer
