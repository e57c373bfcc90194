// Status and Result<T>: how every function of mini-infer reports failure. No exception crosses the
// API.
//
// A message says where, what (with values), the rule, and what to do, for example
//   node 'Conv_12' (Conv, opset 11): input 1 'W' has shape [64,3,7]; a 2-D convolution needs rank 4
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace mini_infer {

enum class Code {
  kOk,
  kInvalidModel,       // the file is broken or breaks a rule of ONNX
  kInvalidArgument,    // the caller passed a wrong name, shape, dtype or option
  kNotImplemented,     // a valid model that needs something this engine lacks
  kIo,                 // a file could not be opened, read or written
  kResourceExhausted,  // a memory or size limit would be passed
  kInternal,           // a bug in mini-infer
};

// Success, or a code with a message for people. Cheap to move. Thread-compatible like a
// std::string.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {
    assert(code != Code::kOk);
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with "where: " put in front of its message; success stays success.
  Status at(const std::string& where) && {
    if (!ok()) message_ = where + ": " + message_;
    return std::move(*this);
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status ok() { return {}; }

// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}                                        // NOLINT
  Result(Status status) : state_(std::move(status)) { assert(!this->status().ok()); }  // NOLINT

  bool ok() const { return std::holds_alternative<T>(state_); }
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }

  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<Status, T> state_;
};

#define MINI_CONCAT_INNER(a, b) a##b
#define MINI_CONCAT(a, b) MINI_CONCAT_INNER(a, b)

// Returns from the calling function when `expr`, a Status, is a failure.
#define MINI_TRY(expr)                                                                    \
  do {                                                                                    \
    if (::mini_infer::Status mini_status = (expr); !mini_status.ok()) return mini_status; \
  } while (false)

// `MINI_TRY_ASSIGN(const Tensor t, read(...));` declares t from a Result, or returns its failure.
#define MINI_TRY_ASSIGN(declaration, expr)               \
  auto MINI_CONCAT(mini_result_, __LINE__) = (expr);     \
  if (!MINI_CONCAT(mini_result_, __LINE__).ok())         \
    return MINI_CONCAT(mini_result_, __LINE__).status(); \
  declaration = std::move(MINI_CONCAT(mini_result_, __LINE__)).value()

}  // namespace mini_infer
