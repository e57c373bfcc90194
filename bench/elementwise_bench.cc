// The vector kernels that go over rows of numbers, on arrays that fit the second-level cache, one
// thread, for every instruction set of this machine.
//
//   elementwise_bench --benchmark_filter=avx512/softmax
//
// "% of copy" is against memcpy of as many bytes: what a kernel without arithmetic could reach.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "kernels/conv/row_conv.simd.h"
#include "kernels/elementwise/binary.simd.h"
#include "kernels/elementwise/half.simd.h"
#include "kernels/movement/transpose.simd.h"
#include "kernels/norm/norm.simd.h"
#include "kernels/pool/pool.simd.h"
#include "kernels/quantize/quantize.simd.h"
#include "kernels/recurrent/cell.simd.h"
#include "kernels/reduce/reduce.simd.h"
#include "kernels/reduce/softmax.simd.h"
#include "kernels/resize/sample.simd.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kElements = 1 << 15;

struct Arrays {
  Arrays() {
    for (std::int64_t i = 0; i < kElements; ++i) {
      const auto at = static_cast<std::size_t>(i);
      a[at] = static_cast<float>(i % 1001) / 125.f - 4.f;
      index[at] = static_cast<std::int32_t>(i / 2);
      index[at + kElements] = index[at] + 1;
    }
  }
  std::vector<float> a = std::vector<float>(kElements, 0.5f);
  std::vector<float> b = std::vector<float>(kElements, 1.5f);
  std::vector<float> y = std::vector<float>(kElements);
  std::vector<float> scratch = std::vector<float>(kElements);
  std::vector<float> weights = std::vector<float>(2 * kElements, 0.5f);
  std::vector<std::int32_t> index = std::vector<std::int32_t>(2 * kElements);
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kElements);
  std::vector<std::uint16_t> halves = std::vector<std::uint16_t>(kElements);
};

using Kernel = std::function<void(Arrays&)>;

// `bytes`: read and written for each element, of kElements.
void add(Isa isa, const std::string& name, double bytes, Kernel kernel) {
  add_benchmark(isa, name, [=](benchmark::State& state) {
    Arrays arrays;
    measure_bytes(state, bytes * kElements, [&] {
      kernel(arrays);
      benchmark::ClobberMemory();
    });
  });
}

// Bytes of one element in and one out; of one in; of two in and one out.
constexpr double kInOut = 8, kIn = 4, kTwoInOut = 12;

void add_activations(Isa isa) {
  const std::pair<const char*, Activation> kinds[] = {
      {"relu", Activation::kRelu}, {"sigmoid", Activation::kSigmoid}, {"silu", Activation::kSilu},
      {"gelu", Activation::kGelu}, {"tanh", Activation::kTanh},       {"mish", Activation::kMish},
      {"erf", Activation::kErf},   {"exp", Activation::kExp}};
  for (const auto& [name, kind] : kinds) {
    add(isa, std::string("unary/") + name, kInOut, [isa, kind = kind](Arrays& m) {
      simd::activate_f32.get(isa)({kind}, m.a.data(), m.y.data(), kElements);
    });
  }
}

// Tiles of `n` columns; b repeats along the rows, along the columns, or not at all.
void add_binary(Isa isa) {
  const std::int64_t lanes = isa_lanes(isa);
  const std::pair<const char*, Tile> tiles[] = {
      {"same", {.rows = 1, .n = kElements, .step = {1, 1}}},
      {"scalar", {.rows = 1, .n = kElements, .step = {1, 0}}},
      {"rows_of_1000", {.rows = 32, .n = 1000, .row_stride = {1000, 0}, .step = {1, 1}}},
      {"blocked_channel",
       {.rows = kElements / lanes, .n = lanes, .row_stride = {lanes, 0}, .step = {1, 1}}},
      {"rows_of_3", {.rows = kElements / 3, .n = 3, .row_stride = {3, 0}, .step = {1, 1}}},
  };
  for (const auto& [name, tile] : tiles) {
    add(isa, std::string("mul/") + name, kTwoInOut, [isa, tile = tile](Arrays& m) {
      simd::binary_f32.get(isa)(BinaryKind::kMul, tile, m.a.data(), m.b.data(), m.y.data());
    });
  }
}

void add_reductions(Isa isa) {
  for (const std::int64_t k : {4, 64, 1024}) {
    const std::string shape = std::to_string(k);
    add(isa, "softmax/rows_of_" + shape, kInOut, [=](Arrays& m) {
      simd::softmax_rows_f32.get(isa)(m.a.data(), m.y.data(), kElements / k, k, false);
    });
    add(isa, "reduce_sum/rows_of_" + shape, kIn, [=](Arrays& m) {
      const auto row = simd::reduce_row_f32.get(isa);
      for (std::int64_t r = 0; r < kElements / k; ++r) {
        m.y[static_cast<std::size_t>(r)] = row(Accumulate::kSum, m.a.data() + r * k, k);
      }
    });
  }
  add(isa, "softmax/columns_of_16", kInOut, [=](Arrays& m) {
    simd::softmax_columns_f32.get(isa)(m.a.data(), m.y.data(), kElements / 16, 16, kElements / 16,
                                       false);
  });
  add(isa, "reduce_mean/blocked_map", kIn, [=](Arrays& m) {
    const std::int64_t lanes = isa_lanes(isa);
    simd::reduce_columns_f32.get(isa)(Accumulate::kSum, m.a.data(), kElements / lanes, lanes, lanes,
                                      m.y.data());
  });
}

void add_quantization(Isa isa) {
  add(isa, "quantize", 5, [=](Arrays& m) {
    simd::quantize_f32.get(isa)(m.a.data(), kElements, 0.03f, 128.f, 0.f, 255.f, m.bytes.data());
  });
  add(isa, "dequantize", 5, [=](Arrays& m) {
    simd::dequantize_u8.get(isa)(m.bytes.data(), kElements, 0.03f, 128.f, m.y.data());
  });
}

void add_halves(Isa isa) {
  add(isa, "half_to_float", 6,
      [=](Arrays& m) { simd::half_to_float.get(isa)(m.halves.data(), kElements, m.y.data()); });
  add(isa, "float_to_half", 6,
      [=](Arrays& m) { simd::float_to_half.get(isa)(m.a.data(), kElements, m.halves.data()); });
}

// LayerNormalization reads its row twice, once for the moments; InstanceNormalization so its plane.
void add_norms(Isa isa) {
  add(isa, "layer_norm/rows_of_768", kInOut, [=](Arrays& m) {
    for (std::int64_t i = 0; i + 768 <= kElements; i += 768) {
      double mean = 0, variance = 0;
      simd::moments_f32.get(isa)(m.a.data() + i, 768, &mean, &variance);
      simd::normalize_row_f32.get(isa)(m.a.data() + i, m.y.data() + i, 768,
                                       static_cast<float>(mean), 0.5F, m.b.data(), m.b.data());
    }
  });
  add(isa, "instance_norm/plane", kInOut, [=](Arrays& m) {
    double mean = 0, variance = 0;
    simd::moments_f32.get(isa)(m.a.data(), kElements, &mean, &variance);
    simd::scale_shift_f32.get(isa)(m.a.data(), m.y.data(), kElements, 0.5F,
                                   static_cast<float>(mean));
  });
  add(isa, "instance_norm/blocked", kInOut, [=](Arrays& m) {
    const std::size_t pixels = static_cast<std::size_t>(kElements / isa_lanes(isa));
    double mean[16], variance[16];
    simd::moments_blocked_f32.get(isa)(m.a.data(), pixels, mean, variance);
    simd::scale_shift_blocked_f32.get(isa)(m.a.data(), m.y.data(), pixels, m.b.data(), m.b.data());
  });
  add(isa, "rms_norm/rows_of_768", kInOut, [=](Arrays& m) {
    for (std::int64_t i = 0; i + 768 <= kElements; i += 768) {
      const double squares = simd::sum_squares_f32.get(isa)(m.a.data() + i, 768);
      simd::normalize_row_f32.get(isa)(m.a.data() + i, m.y.data() + i, 768, 0.F,
                                       static_cast<float>(squares), m.b.data(), nullptr);
    }
  });
  add(isa, "add_rows/3", 16, [=](Arrays& m) {
    simd::add_rows_f32.get(isa)(m.a.data(), m.b.data(), m.scratch.data(), m.y.data(), kElements);
  });
  add(isa, "lrn/5_channels_of_1024", kInOut, [=](Arrays& m) {
    for (std::int64_t i = 0; i < kElements; i += 1024) {
      const float* window = m.a.data() + std::min(i, kElements - 5 * 1024);
      simd::lrn_f32.get(isa)(m.a.data() + i, window, 5, 1024, m.y.data() + i, 1024, 1.F, 2e-5F,
                             0.75F);
    }
  });
}

// 3x3 windows with stride 1 on a map of 32 rows, of one channel or of one block of channels.
void add_pools(Isa isa) {
  const auto pool = [](auto* kernel, std::int64_t lanes, Arrays& m) {
    constexpr std::int64_t kRows = 32;
    const std::int64_t width = kElements / kRows / lanes;
    for (std::int64_t y = 0; y + 3 <= kRows; ++y) {
      kernel(simd::PoolRow{m.a.data() + y * width * lanes, width * lanes, 3, width, 3, 1, 1, 1,
                           width, m.y.data() + y * width * lanes, m.scratch.data(), m.b.data()});
    }
  };
  const std::int64_t lanes = isa_lanes(isa);
  add(isa, "max_pool/plain", kInOut,
      [=](Arrays& m) { pool(simd::max_pool_row_f32.get(isa), 1, m); });
  add(isa, "max_pool/blocked", kInOut,
      [=](Arrays& m) { pool(simd::max_pool_row_blocked_f32.get(isa), lanes, m); });
  add(isa, "average_pool/plain", kInOut,
      [=](Arrays& m) { pool(simd::average_pool_row_f32.get(isa), 1, m); });
  add(isa, "average_pool/blocked", kInOut,
      [=](Arrays& m) { pool(simd::average_pool_row_blocked_f32.get(isa), lanes, m); });
  add(isa, "global_average_pool/plain", kIn,
      [=](Arrays& m) { m.y[0] = simd::sum_f32.get(isa)(m.a.data(), kElements); });
  add(isa, "global_average_pool/blocked", kIn, [=](Arrays& m) {
    simd::mean_blocked_f32.get(isa)(m.a.data(), kElements / lanes, m.y.data());
  });
  add(isa, "global_max_pool/plain", kIn,
      [=](Arrays& m) { m.y[0] = simd::max_f32.get(isa)(m.a.data(), kElements); });
  add(isa, "global_max_pool/blocked", kIn, [=](Arrays& m) {
    simd::max_blocked_f32.get(isa)(m.a.data(), kElements / lanes, m.y.data());
  });
}

void add_recurrent(Isa isa) {
  constexpr double kFourInOut = 20;
  add(isa, "lstm_cell", kFourInOut, [=](Arrays& m) {
    simd::lstm_cell_f32.get(isa)(m.y.data(), m.weights.data(), m.a.data(), m.scratch.data(),
                                 kElements);
  });
  add(isa, "product", kTwoInOut, [=](Arrays& m) {
    simd::product_f32.get(isa)(m.y.data(), m.a.data(), m.b.data(), kElements);
  });
  add(isa, "add_product", kTwoInOut + 4, [=](Arrays& m) {
    simd::add_product_f32.get(isa)(m.y.data(), m.a.data(), m.scratch.data(), kElements);
  });
  add(isa, "gru_state", kTwoInOut + 4, [=](Arrays& m) {
    simd::gru_state_f32.get(isa)(m.y.data(), m.weights.data(), m.scratch.data(), kElements);
  });
}

void add_resampling(Isa isa) {
  add(isa, "take_every_second", kInOut / 2 + 2,
      [=](Arrays& m) { simd::take_every_f32.get(isa)(m.a.data(), 2, m.y.data(), kElements / 2); });
  add(isa, "blend_rows/2", kTwoInOut, [=](Arrays& m) {
    const float* rows[2] = {m.a.data(), m.b.data()};
    const float weights[2] = {0.25F, 0.75F};
    simd::blend_rows.get(isa)(rows, weights, 2, m.y.data(), kElements);
  });
  // Twice as many outputs as inputs, each of two taps with an index and a weight of its own.
  add(isa, "sample_row/2_taps", 2 + 4 + 2 * kInOut, [=](Arrays& m) {
    simd::sample_row.get(isa)(m.a.data(), m.index.data(), m.weights.data(), 2, kElements, 1,
                              m.y.data());
  });
  add(isa, "transpose/128x256", kInOut, [=](Arrays& m) {
    simd::transpose_32.get(isa)(reinterpret_cast<const std::uint32_t*>(m.a.data()), 256,
                                reinterpret_cast<std::uint32_t*>(m.y.data()), 128, 256, 128);
  });
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  using namespace mini_infer;
  return run_benchmarks(argc, argv, [](Isa isa) {
    add_activations(isa);
    add_binary(isa);
    add_reductions(isa);
    add_quantization(isa);
    add_halves(isa);
    add_norms(isa);
    add_pools(isa);
    add_recurrent(isa);
    add_resampling(isa);
  });
}
