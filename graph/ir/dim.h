// Dim: an extent that is a number or a symbol; SymShape: a shape of them.
//
// An expression over symbols is itself a symbol, whose name is the expression's text in one
// canonical spelling: "N", "(N*2)", "floor((H-1)/2)". Equal names mean equal extents, which is all
// that shape inference needs. Names that start with '?' are unknowns that inference made up for one
// dimension of one value.
#pragma once

#include <mini_infer/tensor.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace mini_infer {

class Dim {
 public:
  Dim() = default;  // the number 0
  // An extent or, in the contents of a shape tensor, any integer.
  Dim(std::int64_t value) : value_(value) {}  // NOLINT
  explicit Dim(std::string symbol) : symbol_(std::move(symbol)) {}

  bool known() const { return symbol_.empty(); }
  std::int64_t value() const { return value_; }
  const std::string& symbol() const { return symbol_; }
  bool is(std::int64_t value) const { return known() && value_ == value; }
  bool made_up() const { return !known() && symbol_[0] == '?'; }
  std::string str() const { return known() ? std::to_string(value_) : symbol_; }

  friend bool operator==(const Dim&, const Dim&) = default;

 private:
  std::int64_t value_ = 0;
  std::string symbol_;
};

// Arithmetic. Numbers fold; what cannot fold is an expression.
Dim operator+(const Dim& a, const Dim& b);
Dim operator-(const Dim& a, const Dim& b);
Dim operator*(const Dim& a, const Dim& b);
Dim floor_div(const Dim& a, const Dim& b);
Dim ceil_div(const Dim& a, const Dim& b);

class SymShape {
 public:
  SymShape() = default;
  SymShape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit SymShape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  SymShape(const Shape& shape) : dims_(shape.begin(), shape.end()) {}  // NOLINT

  std::size_t rank() const { return dims_.size(); }
  const Dim& operator[](std::size_t i) const { return dims_[i]; }
  Dim& operator[](std::size_t i) { return dims_[i]; }
  const std::vector<Dim>& dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  void push_back(Dim dim) { dims_.push_back(std::move(dim)); }

  bool known() const;
  // The numbers; no value unless all dims are known.
  std::optional<Shape> concrete() const;
  Dim elements() const;
  std::string str() const;

  friend bool operator==(const SymShape&, const SymShape&) = default;

 private:
  std::vector<Dim> dims_;
};

// Numpy broadcasting. No value when two known extents clash. A symbol against a number other than 1
// gives the number, against 1 the symbol; two different symbols give an expression.
std::optional<SymShape> broadcast(const SymShape& a, const SymShape& b);
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

inline std::ostream& operator<<(std::ostream& out, const Dim& dim) { return out << dim.str(); }
inline std::ostream& operator<<(std::ostream& out, const SymShape& shape) {
  return out << shape.str();
}

}  // namespace mini_infer
