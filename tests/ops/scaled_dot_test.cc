// AttentionPlan on every instruction set this machine has, against sums in double; 3 threads must
// give the same bits as 1.
#include "kernels/attention/scaled_dot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace mini_infer {
namespace {

enum class Mask { kNone, kFloat, kBool, kCausal };

struct Problem {
  AttentionProblem p;
  std::vector<float> q, k, v, mask;
  std::vector<char> keep;
};

std::vector<float> random_floats(std::int64_t count, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-1.f, 1.f);
  std::vector<float> x(static_cast<std::size_t>(count));
  for (float& value : x) value = uniform(random);
  return x;
}

// Heads side by side in rows that are longer than they need to be.
Problem make_problem(std::int64_t rows, std::int64_t keys, std::int64_t size,
                     std::int64_t value_size, Mask mask) {
  std::mt19937 random(static_cast<unsigned>(rows * 131 + keys * 17 + size));
  constexpr std::int64_t kBatches = 2, kHeads = 4, kKvHeads = 2, kGap = 3;
  Problem b;
  b.p = {.batches = kBatches,
         .heads = kHeads,
         .kv_heads = kKvHeads,
         .rows = rows,
         .keys = keys,
         .size = size,
         .value_size = value_size};
  const auto strides = [](std::int64_t heads, std::int64_t count, std::int64_t width) {
    const std::int64_t row = heads * width + kGap;
    return HeadStrides{count * row, width, row};
  };
  b.p.q = strides(kHeads, rows, size);
  b.p.k = strides(kKvHeads, keys, size);
  b.p.v = strides(kKvHeads, keys, value_size);
  b.p.y = strides(kHeads, rows, value_size);
  b.p.scale = 1 / std::sqrt(static_cast<float>(size));
  b.q = random_floats(kBatches * b.p.q.batch, random);
  b.k = random_floats(kBatches * b.p.k.batch, random);
  b.v = random_floats(kBatches * b.p.v.batch, random);
  b.mask = random_floats(rows * keys, random);
  for (std::int64_t i = 0; i < rows * keys; ++i) {
    b.keep.push_back(i % keys == 0 || random() % 3 != 0);
  }
  b.p.causal = mask == Mask::kCausal;
  b.p.has_mask = mask == Mask::kFloat || mask == Mask::kBool;
  b.p.mask_is_bool = mask == Mask::kBool;
  b.p.mask_row = keys;
  b.p.mask_key = 1;
  b.p.mask_keys = keys;
  return b;
}

std::vector<float> run(const Problem& b, int threads, Isa isa) {
  const AttentionPlan plan(b.p, threads, isa);
  std::vector<float> y(static_cast<std::size_t>(b.p.batches * b.p.y.batch), 0.f);
  std::vector<std::byte> scratch(plan.scratch_bytes() + 64);
  const auto address = reinterpret_cast<std::uintptr_t>(scratch.data());
  std::byte* const aligned = scratch.data() + (64 - address % 64) % 64;
  KernelContext context;
  context.threads = threads;
  const void* mask = b.p.mask_is_bool ? static_cast<const void*>(b.keep.data()) : b.mask.data();
  plan.run(context,
           {.q = b.q.data(), .k = b.k.data(), .v = b.v.data(), .y = y.data(), .mask = mask},
           aligned);
  return y;
}

// One row of one head.
std::vector<double> reference_row(const Problem& b, std::int64_t batch, std::int64_t head,
                                  std::int64_t row) {
  const AttentionProblem& p = b.p;
  const std::int64_t kv_head = head / (p.heads / p.kv_heads);
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t key = 0; key < p.keys; ++key) {
    double score = 0;
    for (std::int64_t i = 0; i < p.size; ++i) {
      score += static_cast<double>(b.q[static_cast<std::size_t>(
                   batch * p.q.batch + head * p.q.head + row * p.q.row + i)]) *
               static_cast<double>(b.k[static_cast<std::size_t>(
                   batch * p.k.batch + kv_head * p.k.head + key * p.k.row + i)]);
    }
    const auto at = static_cast<std::size_t>(row * p.keys + key);
    score *= static_cast<double>(p.scale);
    if (p.has_mask && !p.mask_is_bool) score += static_cast<double>(b.mask[at]);
    const bool out = (p.causal && key > row) || (p.mask_is_bool && b.keep[at] == 0);
    weights.push_back(out ? 0 : std::exp(score));
    sum += weights.back();
  }
  std::vector<double> y(static_cast<std::size_t>(p.value_size), 0);
  for (std::int64_t key = 0; key < p.keys; ++key) {
    for (std::int64_t i = 0; i < p.value_size; ++i) {
      y[static_cast<std::size_t>(i)] +=
          weights[static_cast<std::size_t>(key)] / sum *
          static_cast<double>(b.v[static_cast<std::size_t>(batch * p.v.batch + kv_head * p.v.head +
                                                           key * p.v.row + i)]);
    }
  }
  return y;
}

void check(const Problem& b, Isa isa) {
  const AttentionProblem& p = b.p;
  const std::vector<float> y = run(b, 1, isa);
  double worst = 0;
  for (std::int64_t i = 0; i < p.batches * p.heads * p.rows; ++i) {
    const std::int64_t batch = i / p.rows / p.heads, head = i / p.rows % p.heads, row = i % p.rows;
    const std::vector<double> expected = reference_row(b, batch, head, row);
    for (std::size_t j = 0; j < expected.size(); ++j) {
      const auto at =
          static_cast<std::size_t>(batch * p.y.batch + head * p.y.head + row * p.y.row) + j;
      worst = std::max(worst, std::abs(static_cast<double>(y[at]) - expected[j]));
    }
  }
  EXPECT_LT(worst, 2e-6);
  EXPECT_EQ(run(b, 3, isa), y) << "3 threads differ from 1";
}

TEST(ScaledDot, AgreesWithSumsInDouble) {
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    for (const Mask mask : {Mask::kNone, Mask::kFloat, Mask::kBool, Mask::kCausal}) {
      for (const std::int64_t rows : {1, 5, 57, 131}) {
        for (const std::int64_t keys : {1, 7, 33, 130}) {
          for (const std::int64_t size : {1, 17, 32}) {
            SCOPED_TRACE(std::string(isa_name(isa)) + ", mask " +
                         std::to_string(static_cast<int>(mask)) + ", " + std::to_string(rows) +
                         " rows, " + std::to_string(keys) + " keys of " + std::to_string(size));
            check(make_problem(rows, keys, size, size == 17 ? 20 : size, mask), isa);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace mini_infer
