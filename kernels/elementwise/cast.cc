// Cast, CastLike: every dtype to every other but complex ones.
//
// Real numbers become integers by cutting the fraction; what does not fit wraps around, as the
// common engines have it. Strings hold numbers as C writes them, "NaN", "INF" and "-INF".
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/half.simd.h"
#include "kernels/elementwise/numeric.h"

namespace mini_infer {
namespace {

// Cut to an integer modulo 2^64; the lowest integer for NaN and what does not fit.
template <class T>
T to_integer(double x) {
  constexpr double kLimit = 0x1p63;
  if (x >= kLimit && x < 2 * kLimit) return static_cast<T>(static_cast<std::uint64_t>(x));
  const bool fits = x >= -kLimit && x < kLimit;
  return static_cast<T>(fits ? static_cast<std::int64_t>(x)
                             : std::numeric_limits<std::int64_t>::min());
}

template <class From, class To>
To convert(From from) {
  const auto x = widen(from);
  if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (kIsInteger<To> && kIsFloating<From>) {
    return to_integer<To>(static_cast<double>(x));
  } else {
    return narrow<To>(x);
  }
}

template <class From, class To>
Status cast_numbers(const KernelContext& k, std::int64_t n) {
  const From* x = k.input<From>(0);
  To* y = k.output<To>(0);
  k.parallel_for(n, 1, [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) y[i] = convert<From, To>(x[i]);
  });
  return ok();
}

template <class From>
std::string to_text(From from) {
  const auto x = widen(from);
  if constexpr (std::is_same_v<From, bool>) {
    return x ? "1" : "0";
  } else {
    if constexpr (kIsFloating<From>) {
      if (std::isnan(x)) return "NaN";
      if (std::isinf(x)) return x < 0 ? "-INF" : "INF";
    }
    char text[64];
    const auto end = std::to_chars(text, text + sizeof(text), x);
    return std::string(text, end.ptr);
  }
}

template <class From>
Status cast_to_strings(const KernelContext& k, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    k.output<std::string>(0)[i] = to_text(k.input<From>(0)[i]);
  }
  return ok();
}

// The number at the start of `text`, without the spaces around it; no value when there is more.
template <class T>
std::optional<T> parse(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = problem == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

// Integers that are written as real numbers ("3.0") are cut like these.
template <class To>
std::optional<To> from_text(const std::string& text) {
  if constexpr (kIsInteger<To>) {
    if (const auto whole = parse<To>(text)) return *whole;
  }
  const auto real = parse<double>(text);
  if (!real) return std::nullopt;
  return convert<double, To>(*real);
}

template <class To>
Status cast_strings(const KernelContext& k, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::string& text = k.input<std::string>(0)[i];
    const auto value = from_text<To>(text);
    if (!value) {
      return error(Code::kInvalidArgument, "element ", i, " of input 0 is '", text.substr(0, 40),
                   "', which is no number");
    }
    k.output<To>(0)[i] = *value;
  }
  return ok();
}

Status copy_strings(const KernelContext& k, std::int64_t n) {
  const auto* x = k.input<std::string>(0);
  auto* y = k.output<std::string>(0);
  if (x != y) std::copy_n(x, n, y);
  return ok();
}

using CastFn = Status (*)(const KernelContext& k, std::int64_t n);

CastFn cast_function(DType from, DType to) {
  CastFn cast = nullptr;
  if (from == DType::kString && to == DType::kString) return copy_strings;
  if (from == DType::kString) {
    dispatch_dtype(to, [&]<class To>() { cast = cast_strings<To>; });
  } else if (to == DType::kString) {
    dispatch_dtype(from, [&]<class From>() { cast = cast_to_strings<From>; });
  } else {
    dispatch_dtype(from, [&]<class From>() {
      dispatch_dtype(to, [&]<class To>() { cast = cast_numbers<From, To>; });
    });
  }
  return cast;
}

// Between float32 and half precision, by vectors.
template <class X, class Y>
PreparedKernel half_kernel(PrepareContext& c, void (*convert)(const X*, std::int64_t, Y*)) {
  const std::int64_t n = c.shape(0).elements();
  return {.name = c.with_isa("cast/half"), .run = [=](const KernelContext& k) {
            k.parallel_for(n, 1, [&](Range range, int) {
              convert(k.input<X>(0) + range.begin, range.end - range.begin,
                      k.output<Y>(0) + range.begin);
            });
            return ok();
          }};
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const DType from = c.dtype(0), to = c.output_dtype();
  if (from == DType::kFloat16 && to == DType::kFloat32) {
    return half_kernel(c, simd::half_to_float.get(c.isa()));
  }
  if (from == DType::kFloat32 && to == DType::kFloat16) {
    return half_kernel(c, simd::float_to_half.get(c.isa()));
  }
  const CastFn cast = cast_function(c.dtype(0), c.output_dtype());
  if (cast == nullptr) {
    return not_implemented("cast from ", c.dtype(0), " to ", c.output_dtype());
  }
  const std::int64_t n = c.shape(0).elements();
  PreparedKernel kernel{.name = "cast", .run = [=](const KernelContext& k) { return cast(k, n); }};
  allow_in_place(c, kernel, 0);
  return kernel;
}

// Extents keep their names through a cast to numbers; a flag is known where the number is.
void infer_cast_contents(InferContext& c) {
  if (c.outputs()[0].dtype == DType::kBool) {
    infer_contents(c, [](const Dim& x, const Dim&) -> std::optional<Dim> {
      return x.known() ? std::optional(Dim(x.is(0) ? 0 : 1)) : std::nullopt;
    });
  } else if (const auto contents = known_contents(c, 0)) {
    c.set_contents(0, *contents);
  }
}

constexpr const char* kUpperCaseNames[] = {"UNDEFINED",  "FLOAT",   "UINT8",  "INT8",   "UINT16",
                                           "INT16",      "INT32",   "INT64",  "STRING", "BOOL",
                                           "FLOAT16",    "DOUBLE",  "UINT32", "UINT64", "COMPLEX64",
                                           "COMPLEX128", "BFLOAT16"};

// Opset 1 to 5 name the dtype, later ones number it.
Result<DType> target(const InferContext& c) {
  if (c.opset() < 6) {
    const std::string name = c.string("to", "");
    for (std::size_t i = 1; i < std::size(kUpperCaseNames); ++i) {
      if (name == kUpperCaseNames[i]) return static_cast<DType>(i);
    }
    return invalid_model("attribute 'to' is '", name, "', which is no dtype");
  }
  const std::int64_t to = c.integer("to", 0);
  const auto dtype = static_cast<DType>(to);
  if (to <= 0 || to > 255 || dtype_size(dtype) == 0) {
    return not_implemented("attribute 'to' is ", to, "; dtypes from 1 to 16 are known");
  }
  return dtype;
}

Status infer_cast(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  MINI_TRY_ASSIGN(const DType to, target(c));
  c.set_output(0, to, c.input(0).shape);
  infer_cast_contents(c);
  return ok();
}

Status infer_cast_like(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(1), c.input(0).shape);
  infer_cast_contents(c);
  return ok();
}

}  // namespace

MINI_DEFINE_OP(Cast, {.type = "Cast",
                      .since = {1, 6, 9, 13, 19, 21, 23},
                      .infer = infer_cast,
                      .prepare = prepare,
                      .traits = kElementwise})
MINI_DEFINE_OP(CastLike, {.type = "CastLike",
                          .since = {15, 19, 21, 23},
                          .infer = infer_cast_like,
                          .prepare = prepare,
                          .traits = kElementwise})

}  // namespace mini_infer
