// LSTM, GRU and RNN against their formulas in double precision.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using ::testing::HasSubstr;

using Function = double (*)(double);
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double relu(double x) { return x > 0 ? x : 0; }

struct Case {
  std::string name;
  std::string type = "LSTM";
  std::int64_t T = 3, B = 2, I = 5, H = 4;
  std::string direction = "forward";
  bool batch_first = false, bias = true, initial = true, peepholes = false, constant = true;
  float clip = 0;
  std::int64_t linear_before_reset = 0, input_forget = 0;
  std::vector<std::int32_t> lengths = {};
  bool relu_everywhere = false;

  std::int64_t D() const { return direction == "bidirectional" ? 2 : 1; }
  std::int64_t G() const { return type == "LSTM" ? 4 : type == "GRU" ? 3 : 1; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.type << ": " << c.name;
}

struct Expected {
  std::vector<double> y, y_h, y_c;
};

// Inputs of a case, in the plain (time-first) layout of the formulas.
struct Inputs {
  std::vector<double> x, w, r, b, h, c, p;
};

// One direction of one batch element, by definition.
class Reference {
 public:
  Reference(const Case& c, const Inputs& in) : c_(c), in_(in) {}

  void walk(std::int64_t d, std::int64_t b, Expected& out) const {
    const std::int64_t H = c_.H;
    std::vector<double> h(static_cast<std::size_t>(H)), cell(h);
    for (std::int64_t j = 0; j < H; ++j) {
      h[j] = at(in_.h, (d * c_.B + b) * H + j);
      cell[j] = at(in_.c, (d * c_.B + b) * H + j);
    }
    const bool backwards = d == 1 || c_.direction == "reverse";
    const std::int64_t length = c_.lengths.empty() ? c_.T : c_.lengths[b];
    for (std::int64_t s = 0; s < length; ++s) {
      const std::int64_t t = backwards ? length - 1 - s : s;
      step(d, t, b, h, cell);
      for (std::int64_t j = 0; j < H; ++j) out.y[((t * c_.D() + d) * c_.B + b) * H + j] = h[j];
    }
    for (std::int64_t j = 0; j < H; ++j) {
      out.y_h[(d * c_.B + b) * H + j] = h[j];
      out.y_c[(d * c_.B + b) * H + j] = cell[j];
    }
  }

 private:
  static double at(const std::vector<double>& v, std::int64_t i) {
    return v.empty() ? 0 : v[static_cast<std::size_t>(i)];
  }
  double f(double x) const { return c_.relu_everywhere ? relu(clip(x)) : sigmoid(clip(x)); }
  double g(double x) const { return c_.relu_everywhere ? relu(clip(x)) : std::tanh(clip(x)); }
  double last(double x) const { return c_.relu_everywhere ? relu(x) : std::tanh(x); }
  double clip(double x) const {
    const double bound = static_cast<double>(c_.clip);
    return bound > 0 ? std::clamp(x, -bound, bound) : x;
  }
  // x W + both biases, or the product of a state with R, of gate q and unit j.
  double from_x(std::int64_t d, std::int64_t t, std::int64_t b, std::int64_t q,
                std::int64_t j) const {
    const std::int64_t GH = c_.G() * c_.H, row = q * c_.H + j;
    double sum = at(in_.b, d * 2 * GH + row);
    for (std::int64_t i = 0; i < c_.I; ++i) {
      sum += in_.x[(t * c_.B + b) * c_.I + i] * in_.w[(d * GH + row) * c_.I + i];
    }
    return sum;
  }
  double from_h(std::int64_t d, std::int64_t q, std::int64_t j,
                const std::vector<double>& h) const {
    const std::int64_t GH = c_.G() * c_.H, row = q * c_.H + j;
    double sum = at(in_.b, d * 2 * GH + GH + row);
    for (std::int64_t i = 0; i < c_.H; ++i) sum += h[i] * in_.r[(d * GH + row) * c_.H + i];
    return sum;
  }

  void step(std::int64_t d, std::int64_t t, std::int64_t b, std::vector<double>& h,
            std::vector<double>& cell) const {
    if (c_.type == "LSTM") return lstm(d, t, b, h, cell);
    if (c_.type == "GRU") return gru(d, t, b, h);
    const std::vector<double> old = h;
    for (std::int64_t j = 0; j < c_.H; ++j) h[j] = g(from_x(d, t, b, 0, j) + from_h(d, 0, j, old));
  }
  void lstm(std::int64_t d, std::int64_t t, std::int64_t b, std::vector<double>& h,
            std::vector<double>& cell) const {
    const std::vector<double> old = h;
    const auto gate = [&](std::int64_t q, std::int64_t j) {
      return from_x(d, t, b, q, j) + from_h(d, q, j, old);
    };
    const auto peephole = [&](std::int64_t q, std::int64_t j) {
      return at(in_.p, (d * 3 + q) * c_.H + j) * cell[j];
    };
    for (std::int64_t j = 0; j < c_.H; ++j) {
      const double i = f(gate(0, j) + peephole(0, j));
      const double forget = c_.input_forget != 0 ? 1 - i : f(gate(2, j) + peephole(2, j));
      cell[j] = forget * cell[j] + i * g(gate(3, j));
      h[j] = f(gate(1, j) + peephole(1, j)) * last(cell[j]);
    }
  }
  void gru(std::int64_t d, std::int64_t t, std::int64_t b, std::vector<double>& h) const {
    const std::vector<double> old = h;
    std::vector<double> z(h), reset(h), gated(h);
    for (std::int64_t j = 0; j < c_.H; ++j) {
      z[j] = f(from_x(d, t, b, 0, j) + from_h(d, 0, j, old));
      reset[j] = f(from_x(d, t, b, 1, j) + from_h(d, 1, j, old));
      gated[j] = reset[j] * old[j];
    }
    for (std::int64_t j = 0; j < c_.H; ++j) {
      const double product =
          c_.linear_before_reset != 0 ? reset[j] * from_h(d, 2, j, old) : from_h(d, 2, j, gated);
      h[j] = (1 - z[j]) * g(from_x(d, t, b, 2, j) + product) + z[j] * old[j];
    }
  }

  const Case& c_;
  const Inputs& in_;
};

// [a][b][...] -> [b][a][...]
Tensor swapped(const Tensor& t) {
  const std::int64_t a = t.shape()[0], b = t.shape()[1],
                     n = t.shape().elements(2, t.shape().rank());
  std::vector<std::int64_t> dims = t.shape().dims();
  std::swap(dims[0], dims[1]);
  Tensor out(t.dtype(), Shape(dims));
  for (std::int64_t i = 0; i < a * b; ++i) {
    std::copy_n(t.data<float>() + i * n, n, out.mutable_data<float>() + (i % b * a + i / b) * n);
  }
  return out;
}

// [T][D][B][H] -> [B][T][D][H], where the case wants it.
std::vector<double> y_in_layout(const Case& c, const std::vector<double>& y) {
  if (!c.batch_first) return y;
  std::vector<double> out(y.size());
  for (std::int64_t t = 0; t < c.T; ++t) {
    for (std::int64_t d = 0; d < c.D(); ++d) {
      for (std::int64_t b = 0; b < c.B; ++b) {
        for (std::int64_t j = 0; j < c.H; ++j) {
          out[((b * c.T + t) * c.D() + d) * c.H + j] = y[((t * c.D() + d) * c.B + b) * c.H + j];
        }
      }
    }
  }
  return out;
}

std::vector<double> state_in_layout(const Case& c, const std::vector<double>& state) {
  if (!c.batch_first) return state;
  std::vector<double> out(state.size());
  for (std::int64_t i = 0; i < c.D() * c.B; ++i) {
    const std::int64_t to = i % c.B * c.D() + i / c.B;
    std::copy_n(state.begin() + i * c.H, c.H, out.begin() + to * c.H);
  }
  return out;
}

class Recurrent : public ::testing::TestWithParam<Case> {};

TEST_P(Recurrent, agrees_with_the_formulas) {
  const Case& c = GetParam();
  const std::int64_t D = c.D(), GH = c.G() * c.H;
  const bool lstm = c.type == "LSTM";
  const Tensor x = random_floats({c.T, c.B, c.I}, -1, 1, 1);
  const Tensor w = random_floats({D, GH, c.I}, -0.7f, 0.7f, 2);
  const Tensor r = random_floats({D, GH, c.H}, -0.7f, 0.7f, 3);
  const Tensor b = c.bias ? random_floats({D, 2 * GH}, -0.5f, 0.5f, 4) : Tensor();
  const Tensor h = c.initial ? random_floats({D, c.B, c.H}, -1, 1, 5) : Tensor();
  const Tensor cell = c.initial && lstm ? random_floats({D, c.B, c.H}, -1, 1, 6) : Tensor();
  const Tensor p = c.peepholes ? random_floats({D, 3 * c.H}, -1, 1, 7) : Tensor();
  const auto list = [](const Tensor& t) { return t.empty() ? std::vector<double>() : doubles(t); };
  const Inputs inputs{list(x), list(w), list(r), list(b), list(h), list(cell), list(p)};
  Expected expected{std::vector<double>(static_cast<std::size_t>(c.T * D * c.B * c.H)),
                    std::vector<double>(static_cast<std::size_t>(D * c.B * c.H)),
                    {}};
  expected.y_c = expected.y_h;
  const Reference reference(c, inputs);
  for (std::int64_t d = 0; d < D; ++d) {
    for (std::int64_t i = 0; i < c.B; ++i) reference.walk(d, i, expected);
  }

  const auto state = [&](const Tensor& t) { return t.empty() || !c.batch_first ? t : swapped(t); };
  const Tensor lengths =
      c.lengths.empty() ? Tensor() : Tensor::from<std::int32_t>({c.B}, c.lengths);
  OpCase op{.type = c.type,
            .inputs = {c.batch_first ? swapped(x) : x, w, r, b, lengths, state(h)},
            .opset = 14,
            .outputs = lstm ? 3u : 2u};
  if (lstm) op.inputs.insert(op.inputs.end(), {state(cell), p});
  op.attributes["hidden_size"] = c.H;
  op.attributes["direction"] = c.direction;
  if (c.batch_first) op.attributes["layout"] = std::int64_t{1};
  if (c.clip > 0) op.attributes["clip"] = c.clip;
  if (c.linear_before_reset != 0) op.attributes["linear_before_reset"] = c.linear_before_reset;
  if (c.input_forget != 0) op.attributes["input_forget"] = c.input_forget;
  if (c.relu_everywhere) {
    const std::size_t each = lstm ? 3 : c.type == "GRU" ? 2 : 1;
    op.attributes["activations"] = Strings(each * static_cast<std::size_t>(D), "Relu");
  }
  if (c.constant) op.constants = {1, 2};

  std::vector<std::vector<float>> first;
  for (const OpSetting& setting : op_settings()) {
    SCOPED_TRACE(testing::Message() << setting);
    const std::vector<Tensor> got = outputs_of(op, setting);
    ASSERT_EQ(got.size(), op.outputs);
    const Tolerance tolerance{.absolute = 2e-5, .relative = 2e-5};
    EXPECT_TRUE(close(got[0], y_in_layout(c, expected.y), tolerance));
    EXPECT_TRUE(close(got[1], state_in_layout(c, expected.y_h), tolerance));
    if (lstm) {
      EXPECT_TRUE(close(got[2], state_in_layout(c, expected.y_c), tolerance));
    }
    // The same bits for 1 and 3 threads.
    const std::vector<float> y(got[0].values<float>().begin(), got[0].values<float>().end());
    if (setting.threads == 1) {
      first = {y};
    } else {
      EXPECT_EQ(y, first[0]);
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* type : {"LSTM", "GRU", "RNN"}) {
    const auto add = [&](Case c) {
      c.type = type;
      all.push_back(std::move(c));
    };
    add({.name = "plain"});
    add({.name = "reverse", .direction = "reverse"});
    add({.name = "bidirectional", .direction = "bidirectional"});
    add({.name = "without bias and states", .bias = false, .initial = false});
    add({.name = "batch first", .direction = "bidirectional", .batch_first = true});
    add({.name = "weights that are no constants", .constant = false});
    add({.name = "odd sizes", .T = 5, .B = 1, .I = 7, .H = 17});
    add({.name = "one unit", .T = 2, .B = 3, .I = 1, .H = 1});
    add({.name = "many batch elements", .T = 4, .B = 37, .I = 9, .H = 33});
    add({.name = "big", .T = 3, .B = 2, .I = 64, .H = 130});
    add({.name = "clip", .clip = 0.25f});
    add({.name = "sequence lengths",
         .T = 5,
         .B = 3,
         .direction = "bidirectional",
         .lengths = {2, 5, 0}});
    add({.name = "lengths, batch first", .T = 4, .B = 2, .batch_first = true, .lengths = {4, 1}});
    add({.name = "relu", .relu_everywhere = true});
    add({.name = "no time", .T = 0});
  }
  all.push_back({.name = "peepholes", .direction = "bidirectional", .peepholes = true});
  all.push_back({.name = "peepholes and clip", .peepholes = true, .clip = 0.3f});
  all.push_back({.name = "coupled gates", .input_forget = 1});
  all.push_back({.name = "linear before reset",
                 .type = "GRU",
                 .direction = "bidirectional",
                 .linear_before_reset = 1});
  all.push_back(
      {.name = "linear, no bias", .type = "GRU", .B = 5, .bias = false, .linear_before_reset = 1});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Cases, Recurrent, ::testing::ValuesIn(cases()));

OpCase small_lstm() {
  return {.type = "LSTM",
          .inputs = {random_floats({2, 1, 3}), random_floats({1, 8, 3}), random_floats({1, 8, 2})},
          .opset = 14,
          .outputs = 3};
}

TEST(RecurrentNode, refuses_what_it_cannot_read) {
  OpCase op = small_lstm();
  op.attributes["hidden_size"] = std::int64_t{3};
  EXPECT_EQ(error_of(op), "node 'LSTM_0' (LSTM, opset 14): hidden_size is 3; r has shape [1,8,2]");
  op = small_lstm();
  op.attributes["direction"] = std::string("up");
  EXPECT_THAT(error_of(op), HasSubstr("direction is 'up'"));
  op = small_lstm();
  op.inputs[1] = random_floats({1, 7, 3});
  EXPECT_THAT(error_of(op), HasSubstr("input 1 'W' has shape [1,7,3]; [1,8,3] is needed"));
  op = small_lstm();
  op.attributes["activations"] = Strings{"Sigmoid", "Tanh"};
  EXPECT_THAT(error_of(op), HasSubstr("activations has 2 names; 3 are needed"));
  op.attributes["activations"] = Strings{"Sigmoid", "Tanh", "Wave"};
  EXPECT_THAT(error_of(op), HasSubstr("activation 'Wave'"));
  op = small_lstm();
  op.inputs.resize(5);
  op.inputs[4] = Tensor::from<std::int32_t>({1}, {7});
  EXPECT_THAT(error_of(op), HasSubstr("sequence length 7 of batch element 0 is outside of [0,2]"));
}

TEST(RecurrentNode, activations_take_their_parameters_in_order) {
  // x = 1, h = 0: y = f(w) with w = -2 for each of three functions.
  const auto y = [](const std::string& name, Floats alphas, Floats betas) {
    OpCase op{.type = "RNN",
              .inputs = {floats({1, 1, 1}, {1}), floats({1, 1, 1}, {-2}), floats({1, 1, 1}, {0})},
              .opset = 14};
    op.attributes["activations"] = Strings{name};
    if (!alphas.empty()) op.attributes["activation_alpha"] = alphas;
    if (!betas.empty()) op.attributes["activation_beta"] = betas;
    return doubles(outputs_of(op)[0])[0];
  };
  EXPECT_FLOAT_EQ(y("LeakyRelu", {}, {}), -0.02f);
  EXPECT_FLOAT_EQ(y("leakyrelu", {0.5f}, {}), -1.f);
  EXPECT_FLOAT_EQ(y("Affine", {3.f}, {1.f}), -5.f);
  EXPECT_FLOAT_EQ(y("HardSigmoid", {}, {}), 0.1f);
  EXPECT_FLOAT_EQ(y("Softsign", {}, {}), -2.f / 3.f);
}

}  // namespace
}  // namespace mini_infer
