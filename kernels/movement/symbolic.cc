#include "kernels/movement/symbolic.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace mini_infer {
namespace {

// A product taken apart: number * symbol * symbol * ...
struct Product {
  std::int64_t number = 1;
  bool overflow = false;
  std::vector<std::string> symbols;
};

// Position of the '*' that joins the two operands of "(a*b)", or npos when the text is no product.
std::size_t product_sign(std::string_view text) {
  if (text.size() < 5 || text.front() != '(' || text.back() != ')') return text.npos;
  int depth = 0;
  std::size_t sign = text.npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth == 0 && i + 1 < text.size()) return text.npos;
    if (depth == 1 && text[i] == '*' && sign == text.npos) sign = i;
  }
  return sign;
}

void multiply(Product& product, std::int64_t number) {
  product.overflow |= __builtin_mul_overflow(product.number, number, &product.number);
}

void multiply(Product& product, std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  if (const auto parsed = std::from_chars(text.data(), end, number);
      parsed.ec == std::errc() && parsed.ptr == end) {
    return multiply(product, number);
  }
  const std::size_t sign = product_sign(text);
  if (sign == text.npos) {
    product.symbols.emplace_back(text);
    return;
  }
  multiply(product, text.substr(1, sign - 1));
  multiply(product, text.substr(sign + 1, text.size() - sign - 2));
}

Product product_of(const std::vector<Dim>& dims) {
  Product product;
  for (const Dim& dim : dims) {
    if (dim.known()) {
      multiply(product, dim.value());
    } else {
      multiply(product, dim.symbol());
    }
  }
  std::sort(product.symbols.begin(), product.symbols.end());
  return product;
}

Dim to_dim(const Product& product) {
  Dim dim = 1;
  for (const std::string& symbol : product.symbols) dim = dim * Dim(symbol);
  return dim * Dim(product.number);
}

void cancel(std::vector<std::string>& a, std::vector<std::string>& b) {
  std::vector<std::string> left, right;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(right));
  a = std::move(left);
  b = std::move(right);
}

}  // namespace

std::optional<Dim> divide_extents(const std::vector<Dim>& dims, const std::vector<Dim>& divisors) {
  Product top = product_of(dims), bottom = product_of(divisors);
  if (top.overflow || bottom.overflow || bottom.number < 0) return std::nullopt;
  if (bottom.number == 0) return top.number == 0 ? std::optional(Dim(0)) : std::nullopt;
  cancel(top.symbols, bottom.symbols);
  if (top.symbols.empty() && bottom.symbols.empty()) {
    if (top.number % bottom.number != 0) return std::nullopt;
    return Dim(top.number / bottom.number);
  }
  if (top.number % bottom.number == 0) {
    top.number /= bottom.number;
    bottom.number = 1;
  }
  return floor_div(to_dim(top), to_dim(bottom));
}

}  // namespace mini_infer
