// Convolution by its definition: the oracle of the tests, and what runs where no fast algorithm
// applies (double, integer and 16-bit floats).
#pragma once

#include <cstdint>

#include "kernels/conv/geometry.h"
#include "kernels/kernel_context.h"

namespace mini_infer::reference {

// The input position that tap k of output position o sees, or -1 where it sees zero.
inline std::int64_t source(const ConvGeometry& g, std::size_t axis, std::int64_t o,
                           std::int64_t k) {
  const std::int64_t i = o * g.stride[axis] + k * g.dilation[axis] - g.pad_begin[axis];
  return border_source(g.border, i, g.in[axis]);
}

// y[n][oc][oz,oy,ox] = sum over ic, kz, ky, kx of
//     x[n][ic][oz * stride + kz * dilation - pad, ...] * w[oc][ic][kz,ky,kx]
// for the outputs of `planes`, counted over n and oc. x_at(index) and w_at(index, oc) read elements
// as Sum, put(index, oc, sum) writes one. Taps in a padding of zeros contribute nothing.
template <class Sum, class X, class W, class Put>
void conv(const ConvGeometry& g, Range planes, X&& x_at, W&& w_at, Put&& put) {
  const std::int64_t group_ic = g.group_ic(), taps = g.taps();
  for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
    const std::int64_t n = plane / g.oc, oc = plane % g.oc;
    const std::int64_t first_ic = oc / g.group_oc() * group_ic;
    std::int64_t out = plane * g.out_plane();
    for (std::int64_t oz = 0; oz < g.out[0]; ++oz) {
      for (std::int64_t oy = 0; oy < g.out[1]; ++oy) {
        for (std::int64_t ox = 0; ox < g.out[2]; ++ox, ++out) {
          Sum sum{};
          for (std::int64_t kz = 0; kz < g.kernel[0]; ++kz) {
            const std::int64_t iz = source(g, 0, oz, kz);
            if (iz < 0) continue;
            for (std::int64_t ky = 0; ky < g.kernel[1]; ++ky) {
              const std::int64_t iy = source(g, 1, oy, ky);
              if (iy < 0) continue;
              for (std::int64_t kx = 0; kx < g.kernel[2]; ++kx) {
                const std::int64_t ix = source(g, 2, ox, kx);
                if (ix < 0) continue;
                const std::int64_t tap = (kz * g.kernel[1] + ky) * g.kernel[2] + kx;
                const std::int64_t place = (iz * g.in[1] + iy) * g.in[2] + ix;
                for (std::int64_t ic = 0; ic < group_ic; ++ic) {
                  sum += x_at((n * g.ic + first_ic + ic) * g.in_plane() + place) *
                         w_at((oc * group_ic + ic) * taps + tap, oc);
                }
              }
            }
          }
          put(out, oc, sum);
        }
      }
    }
  }
}

// The input position that tap k of output position o sees in a transposed convolution, or -1.
inline std::int64_t transposed_source(const ConvGeometry& g, int axis, std::int64_t o,
                                      std::int64_t k) {
  const std::int64_t at = o + g.pad_begin[axis] - k * g.dilation[axis];
  if (at < 0 || at % g.stride[axis] != 0 || at / g.stride[axis] >= g.in[axis]) return -1;
  return at / g.stride[axis];
}

// y[n][oc][o] = sum over ic, k with i * stride + k * dilation - pad == o of x[n][ic][i] *
// w[ic][oc][k], on three axes; otherwise as conv().
template <class Sum, class X, class W, class Put>
void conv_transpose(const ConvGeometry& g, Range planes, X&& x_at, W&& w_at, Put&& put) {
  const std::int64_t group_ic = g.group_ic(), group_oc = g.group_oc(), taps = g.taps();
  for (std::int64_t plane = planes.begin; plane < planes.end; ++plane) {
    const std::int64_t n = plane / g.oc, oc = plane % g.oc;
    const std::int64_t first_ic = oc / group_oc * group_ic;
    std::int64_t out = plane * g.out_plane();
    for (std::int64_t oz = 0; oz < g.out[0]; ++oz) {
      for (std::int64_t oy = 0; oy < g.out[1]; ++oy) {
        for (std::int64_t ox = 0; ox < g.out[2]; ++ox, ++out) {
          Sum sum{};
          for (std::int64_t kz = 0; kz < g.kernel[0]; ++kz) {
            const std::int64_t iz = transposed_source(g, 0, oz, kz);
            if (iz < 0) continue;
            for (std::int64_t ky = 0; ky < g.kernel[1]; ++ky) {
              const std::int64_t iy = transposed_source(g, 1, oy, ky);
              if (iy < 0) continue;
              for (std::int64_t kx = 0; kx < g.kernel[2]; ++kx) {
                const std::int64_t ix = transposed_source(g, 2, ox, kx);
                if (ix < 0) continue;
                const std::int64_t tap = (kz * g.kernel[1] + ky) * g.kernel[2] + kx;
                const std::int64_t place = (iz * g.in[1] + iy) * g.in[2] + ix;
                for (std::int64_t ic = first_ic; ic < first_ic + group_ic; ++ic) {
                  sum += x_at((n * g.ic + ic) * g.in_plane() + place) *
                         w_at((ic * group_oc + oc % group_oc) * taps + tap, oc);
                }
              }
            }
          }
          put(out, oc, sum);
        }
      }
    }
  }
}

}  // namespace mini_infer::reference
