// Runs one operator, as infer(), layout() and prepare() make it, on every instruction set this
// machine has and with several numbers of threads.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

struct OpCase {
  std::string type;
  std::vector<Tensor> inputs;  // an empty one is left out
  Attributes attributes = {};
  int opset = 18;
  std::string domain = {};
  std::size_t outputs = 1;
  std::vector<std::size_t> constants = {};  // inputs that the model holds
  std::vector<std::size_t> blocked = {};    // inputs that come in the blocked layout
};

// How one run goes.
struct OpSetting {
  Isa isa = best_isa();
  int threads = 1;
};
std::ostream& operator<<(std::ostream& out, const OpSetting& setting);

struct OpRun {
  std::vector<Tensor> outputs;  // in the plain layout
  std::string kernel;
  std::vector<Layout> layouts;  // of the outputs, as the kernel wrote them
  std::vector<std::string> warnings;
};

// All supported sets, each with 1 and 3 threads.
std::vector<OpSetting> op_settings();
Result<OpRun> run_op(const OpCase& op, const OpSetting& setting = {});
// The outputs; fails the test and gives an empty list when the operator does.
std::vector<Tensor> outputs_of(const OpCase& op, const OpSetting& setting = {});
// The message that the operator fails with; fails the test when it succeeds.
std::string error_of(const OpCase& op);

// Numbers of a tensor as double; strings and complex numbers are not expected.
std::vector<double> doubles(const Tensor& tensor);
// |actual - expected| <= absolute + relative |expected|; NaN equals NaN, and infinities themselves.
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};
testing::AssertionResult close(const Tensor& actual, const std::vector<double>& expected,
                               Tolerance tolerance);
// Runs on op_settings(), and compares output 0 with `expected` (shape and numbers).
void expect_op(const OpCase& op, const Shape& shape, const std::vector<double>& expected,
               Tolerance tolerance = {});

// Reproducible numbers, uniform within [low, high].
Tensor random_floats(const Shape& shape, float low = -1.f, float high = 1.f, unsigned seed = 1);
Tensor floats(const Shape& shape, const std::vector<float>& values);
Tensor int64s(const Shape& shape, const std::vector<std::int64_t>& values);

// `values` of a tensor of shape `from`, repeated to shape `to` by numpy's rules.
std::vector<double> broadcast_values(const std::vector<double>& values, const Shape& from,
                                     const Shape& to);

}  // namespace mini_infer
