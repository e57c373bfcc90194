#include "tools/tolerance.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>

#include "tools/input_options.h"

namespace mini_infer::tools {
namespace {

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view s) { return text.starts_with(s); });
}

void parse_atol(const std::string& text, ToleranceOptions& options) {
  if (text == "auto") {
    options.magnitude = ToleranceOptions::Magnitude::kAuto;
    return;
  }
  options.magnitude = ToleranceOptions::Magnitude::kNone;
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, options.atol);
  if (error == std::errc() && used == end && options.atol >= 0) return;
  throw CLI::ValidationError("--atol takes a number or auto, not '" + text + "'");
}

double magnitude_factor(const ToleranceOptions& options, const ModelInfo& model) {
  constexpr double kRoundingOfSums = 1e-6;
  switch (options.magnitude) {
    case ToleranceOptions::Magnitude::kNone:
      return 0;
    case ToleranceOptions::Magnitude::kRounding:
      return kRoundingOfSums;
    case ToleranceOptions::Magnitude::kAuto:
      return auto_factor(model);
  }
  return 0;
}

}  // namespace

void add_tolerance_options(CLI::App& command, ToleranceOptions& options) {
  const bool automatic = options.magnitude == ToleranceOptions::Magnitude::kAuto;
  command.add_option("--rtol", options.rtol, "allowed difference relative to the expected value")
      ->capture_default_str()
      ->check(not_negative());
  command
      .add_option_function<std::string>(
          "--atol", [&options](const std::string& text) { parse_atol(text, options); },
          std::string("allowed absolute difference: a number, or auto = 1e-4 of the largest "
                      "absolute value expected in a tensor (1e-2 of it for quantised and float16 "
                      "models). Default: ") +
              (automatic ? "auto. "
                         : "1e-6 of that value, the rounding of float32 sums in another order. ") +
              "Except for a number, never less than ONNX's 1e-7")
      ->type_name("X|auto");
}

double auto_factor(const ModelInfo& model) {
  constexpr double kExact = 1e-4, kRounding = 1e-2;
  for (const auto& [op, count] : model.op_counts) {
    const std::string_view type = std::string_view(op).substr(op.rfind('.') + 1);
    const bool integer = type.ends_with("Integer");
    if (integer || starts_with_any(type, {"QLinear", "QuantizeLinear", "DequantizeLinear",
                                          "DynamicQuantize"})) {
      return kRounding;
    }
  }
  const bool half = model.tensor_dtypes.contains(DType::kFloat16) ||
                    model.tensor_dtypes.contains(DType::kBFloat16);
  return half ? kRounding : kExact;
}

Tolerance tolerance_for(const ToleranceOptions& options, const ModelInfo& model,
                        const Tensor& want) {
  const double factor = magnitude_factor(options, model);
  const double atol = factor > 0 ? factor * largest_magnitude(want) : 0;
  return {.rtol = options.rtol, .atol = std::max(options.atol, atol)};
}

}  // namespace mini_infer::tools
