#include "graph/ir/dim.h"

#include <algorithm>
#include <cstdint>

namespace mini_infer {
namespace {

// a + b and a * b are spelt in one order, so that equal sums have equal names: symbols first, in
// alphabetical order.
Dim commutative(const Dim& a, char op, const Dim& b) {
  std::string x = a.str(), y = b.str();
  const bool swap = a.known() != b.known() ? a.known() : y < x;
  if (swap) std::swap(x, y);
  return Dim("(" + x + op + y + ")");
}

// The symbol "(X+3)" as X and 3; likewise "(X-3)" and -3, "(X*3)" and 3. Other symbols are
// themselves and 0, or 1 for '*'.
struct Term {
  std::string base;
  std::int64_t number;
};
Term split(const Dim& dim, bool product) {
  const std::string& symbol = dim.symbol();
  const Term whole{symbol, product ? 1 : 0};
  const std::size_t digits = symbol.find_last_not_of("0123456789)") + 1;
  constexpr std::size_t kMostDigits = 18;
  if (symbol.size() < 5 || symbol.front() != '(' || symbol.back() != ')' || digits < 3 ||
      digits + 1 >= symbol.size() || symbol.size() - digits > kMostDigits) {
    return whole;
  }
  const std::string number = symbol.substr(digits, symbol.size() - 1 - digits);
  const char op = symbol[digits - 1];
  if (number.find(')') != std::string::npos) return whole;
  if (product ? op != '*' : op != '+' && op != '-') return whole;
  const std::int64_t value = std::stoll(number);
  return {symbol.substr(1, digits - 2), op == '-' ? -value : value};
}

// X + number, in its one spelling.
Dim plus(const std::string& base, std::int64_t number) {
  if (number == 0) return Dim(base);
  return Dim("(" + base + (number < 0 ? "" : "+") + std::to_string(number) + ")");
}

}  // namespace

Dim operator+(const Dim& a, const Dim& b) {
  std::int64_t sum = 0;
  if (a.known() && b.known() && !__builtin_add_overflow(a.value(), b.value(), &sum)) return sum;
  if (a.is(0)) return b;
  if (b.is(0)) return a;
  if (a.known() != b.known()) {
    const Term term = split(a.known() ? b : a, false);
    const std::int64_t number = a.known() ? a.value() : b.value();
    if (!__builtin_add_overflow(term.number, number, &sum)) return plus(term.base, sum);
  }
  return commutative(a, '+', b);
}

Dim operator-(const Dim& a, const Dim& b) {
  std::int64_t difference = 0;
  if (a.known() && b.known() && !__builtin_sub_overflow(a.value(), b.value(), &difference)) {
    return difference;
  }
  if (b.is(0)) return a;
  if (a == b) return 0;
  if (b.known() && b.value() > INT64_MIN) return a + Dim(-b.value());
  return Dim("(" + a.str() + "-" + b.str() + ")");
}

Dim operator*(const Dim& a, const Dim& b) {
  std::int64_t product = 0;
  if (a.known() && b.known() && !__builtin_mul_overflow(a.value(), b.value(), &product)) {
    return product;
  }
  if (a.is(0) || b.is(0)) return 0;
  if (a.is(1)) return b;
  if (b.is(1)) return a;
  return commutative(a, '*', b);
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (a.known() && b.known() && b.value() > 0) {
    return a.value() / b.value() - (a.value() % b.value() < 0 ? 1 : 0);
  }
  if (b.is(1)) return a;
  if (a == b) return 1;
  if (!a.known() && b.known() && b.value() > 0) {
    const Term term = split(a, true);
    if (term.number % b.value() == 0) return Dim(term.base) * Dim(term.number / b.value());
  }
  return Dim("floor(" + a.str() + "/" + b.str() + ")");
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (a.known() && b.known() && b.value() > 0) {
    return a.value() / b.value() + (a.value() % b.value() > 0 ? 1 : 0);
  }
  if (b.is(1)) return a;
  if (a == b) return 1;
  return Dim("ceil(" + a.str() + "/" + b.str() + ")");
}

bool SymShape::known() const {
  return std::all_of(dims_.begin(), dims_.end(), [](const Dim& dim) { return dim.known(); });
}

std::optional<Shape> SymShape::concrete() const {
  Shape shape;
  for (const Dim& dim : dims_) {
    if (!dim.known()) return std::nullopt;
    shape.push_back(dim.value());
  }
  return shape;
}

Dim SymShape::elements() const {
  Dim product = 1;
  for (const Dim& dim : dims_) product = product * dim;
  return product;
}

std::string SymShape::str() const {
  std::string text = "[";
  for (std::size_t i = 0; i < rank(); ++i) text += (i > 0 ? "," : "") + dims_[i].str();
  return text + "]";
}

std::optional<SymShape> broadcast(const SymShape& a, const SymShape& b) {
  const SymShape& longer = a.rank() >= b.rank() ? a : b;
  const SymShape& shorter = a.rank() >= b.rank() ? b : a;
  const std::size_t lead = longer.rank() - shorter.rank();
  SymShape out = longer;
  for (std::size_t i = 0; i < shorter.rank(); ++i) {
    const Dim &x = longer[lead + i], &y = shorter[i];
    if (x == y || y.is(1)) continue;
    if (x.is(1)) {
      out[lead + i] = y;
    } else if (x.known() && y.known()) {
      return std::nullopt;
    } else if (x.known() || y.known()) {
      out[lead + i] = x.known() ? x : y;
    } else {
      std::string first = x.str(), second = y.str();
      if (second < first) std::swap(first, second);
      out[lead + i] = Dim("broadcast(" + first + "," + second + ")");
    }
  }
  return out;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const auto shape = broadcast(SymShape(a), SymShape(b));
  return shape ? shape->concrete() : std::nullopt;
}

}  // namespace mini_infer
