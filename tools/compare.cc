#include "tools/compare.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

bool agree(double got, double want, const Tolerance& tolerance) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return got == want;
  return std::abs(got - want) <= tolerance.atol + tolerance.rtol * std::abs(want);
}

// How far got is off, for finding the worst element; infinite where one of the two is not finite.
double difference(double got, double want) {
  const double d = std::abs(got - want);
  if (std::isnan(d)) return std::isnan(got) && std::isnan(want) ? 0 : HUGE_VAL;
  return d;
}

struct Worst {
  std::int64_t different = 0;
  std::int64_t index = -1;
  double off = -1;
  double largest_finite = 0;
};

Worst find_worst(std::span<const double> got, std::span<const double> want,
                 const Tolerance& tolerance) {
  Worst worst;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool same = got[i] == want[i];
    const double off = same ? 0 : difference(got[i], want[i]);
    if (std::isfinite(off)) worst.largest_finite = std::max(worst.largest_finite, off);
    if (same || agree(got[i], want[i], tolerance)) continue;
    ++worst.different;
    if (off > worst.off) {
      worst.off = off;
      worst.index = static_cast<std::int64_t>(i);
    }
  }
  return worst;
}

std::string position(std::int64_t index, const Shape& shape) {
  Shape at = shape;
  for (std::size_t d = shape.rank(); d-- > 0;) {
    at[d] = index % shape[d];
    index /= shape[d];
  }
  return at.str();
}

Comparison compare_text(const Tensor& got, const Tensor& want) {
  const auto a = got.values<std::string>(), b = want.values<std::string>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    return {format("at %s '%s' instead of '%s'",
                   position(static_cast<std::int64_t>(i), want.shape()).c_str(), a[i].c_str(),
                   b[i].c_str())};
  }
  return {};
}

// int64 has more digits than double: neighbours that round to the same double must not pass for
// equal.
template <class T>
std::int64_t exact_mismatch(const Tensor& got, const Tensor& want) {
  const auto a = got.values<T>(), b = want.values<T>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && static_cast<double>(a[i]) == static_cast<double>(b[i])) {
      return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

// Two different numbers with as many digits as it takes to tell them apart: 7, else those that tell
// any two floats apart, or any two doubles.
std::pair<std::string, std::string> apart(double a, double b) {
  for (const int digits : {7, 9}) {
    std::pair<std::string, std::string> texts(format("%.*g", digits, a), format("%.*g", digits, b));
    if (texts.first != texts.second) return texts;
  }
  return {format("%.17g", a), format("%.17g", b)};
}

}  // namespace

Comparison compare(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  if (got.dtype() != want.dtype()) {
    return {format("type %s instead of %s", std::string(dtype_name(got.dtype())).c_str(),
                   std::string(dtype_name(want.dtype())).c_str())};
  }
  if (got.shape() != want.shape()) {
    return {
        format("shape %s instead of %s", got.shape().str().c_str(), want.shape().str().c_str())};
  }
  if (want.dtype() == DType::kString) return compare_text(got, want);

  const std::vector<double> a = as_doubles(got), b = as_doubles(want);
  Worst worst = find_worst(a, b, tolerance);
  if (worst.different == 0 && tolerance.rtol == 0 && tolerance.atol == 0) {
    if (want.dtype() == DType::kInt64) worst.index = exact_mismatch<std::int64_t>(got, want);
    if (want.dtype() == DType::kUInt64) worst.index = exact_mismatch<std::uint64_t>(got, want);
    if (worst.index >= 0)
      return {"at " + position(worst.index, want.shape()) + " the last digits differ"};
  }
  Comparison result{.largest_difference = worst.largest_finite};
  if (worst.different == 0) return result;
  const auto i = static_cast<std::size_t>(worst.index);
  // Complex numbers are pairs here.
  const bool pairs = b.size() != static_cast<std::size_t>(want.elements());
  const auto [is, wanted] = apart(a[i], b[i]);
  result.problem = format(
      "%lld of %zu values differ; the worst at %s: %s instead of %s, off by %.3g where %.3g is "
      "allowed",
      static_cast<long long>(worst.different), b.size(),
      position(pairs ? worst.index / 2 : worst.index, want.shape()).c_str(), is.c_str(),
      wanted.c_str(), worst.off, tolerance.atol + tolerance.rtol * std::abs(b[i]));
  return result;
}

Difference measure(const Tensor& got, const Tensor& want) {
  const std::vector<double> a = as_doubles(got), b = as_doubles(want);
  const double relevant = 1e-3 * largest_magnitude(want);
  Difference result;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double off = a[i] == b[i] ? 0 : difference(a[i], b[i]);
    result.max_abs = std::max(result.max_abs, off);
    const double size = std::abs(b[i]);
    if (size >= relevant && size > 0 && off > 0)
      result.max_rel = std::max(result.max_rel, off / size);
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) continue;
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  if (aa > 0 && bb > 0) {
    result.cosine = ab / std::sqrt(aa) / std::sqrt(bb);
  } else {
    result.cosine = aa == bb ? 1 : 0;
  }
  return result;
}

double largest_magnitude(const Tensor& tensor) {
  double largest = 0;
  for (const double value : as_doubles(tensor)) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

}  // namespace mini_infer::tools
