// StringConcat, StringSplit, StringNormalizer, RegexFullMatch.
//                                              onnx.ai/onnx/operators/onnx__StringSplit.html
#include <algorithm>
#include <cctype>
#include <memory>
#include <regex>

#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status expect_strings(const PrepareContext& c, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (c.dtype(i) != DType::kString) {
      return invalid_model("input ", i, " is ", dtype_name(c.dtype(i)), "; it must be strings");
    }
  }
  return ok();
}

Status infer_concat(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, DType::kString);
  if (c.shape(0) == nullptr || c.shape(1) == nullptr) return ok();
  const auto out = broadcast(*c.shape(0), *c.shape(1));
  if (!out) return invalid_model(*c.shape(0), " and ", *c.shape(1), " cannot be broadcast");
  c.set_output(0, DType::kString, *out);
  return ok();
}

// Strides of `x` under the broadcast shape `out`.
std::vector<std::int64_t> broadcast_strides(const Shape& x, const Shape& out) {
  const auto strides = strides_of(x);
  std::vector<std::int64_t> spread(out.rank(), 0);
  const std::size_t lead = out.rank() - x.rank();
  for (std::size_t i = 0; i < x.rank(); ++i) spread[lead + i] = x[i] == 1 ? 0 : strides[i];
  return spread;
}

Result<PreparedKernel> prepare_concat(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  MINI_TRY(expect_strings(c, 2));
  PreparedKernel kernel;
  kernel.name = "string_concat";
  kernel.run = [out, a_strides = broadcast_strides(c.shape(0), out),
                b_strides = broadcast_strides(c.shape(1), out)](const KernelContext& k) {
    for (std::int64_t i = 0; i < out.elements(); ++i) {
      std::int64_t rest = i, a = 0, b = 0;
      for (std::size_t axis = out.rank(); axis-- > 0;) {
        a += rest % out[axis] * a_strides[axis];
        b += rest % out[axis] * b_strides[axis];
        rest /= out[axis];
      }
      k.output<std::string>(0)[i] = k.input<std::string>(0)[a] + k.input<std::string>(1)[b];
    }
    return ok();
  };
  return kernel;
}

Status infer_split(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kString);
  c.set_output(1, DType::kInt64);
  if (c.shape(0) == nullptr) return ok();
  SymShape out = *c.shape(0);
  c.set_output(1, DType::kInt64, out);
  out.push_back(c.unknown(0, out.rank()));
  c.set_output(0, DType::kString, out);
  return ok();
}

// At most `most` cuts, from the left. An empty delimiter means runs of white space, of which there
// are none at the ends.
std::vector<std::string> split(const std::string& text, const std::string& delimiter,
                               std::int64_t most) {
  std::vector<std::string> parts;
  const bool white = delimiter.empty();
  const std::string blanks = " \t\n\r\f\v";
  std::size_t at = white ? std::min(text.find_first_not_of(blanks), text.size()) : 0;
  if (text.empty() || (white && at == text.size())) return parts;
  while (static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t end = white ? text.find_first_of(blanks, at) : text.find(delimiter, at);
    if (end == text.npos) break;
    parts.push_back(text.substr(at, end - at));
    at = white ? text.find_first_not_of(blanks, end) : end + delimiter.size();
    if (at == text.npos) return parts;
  }
  std::string rest = text.substr(at);
  if (white) rest.erase(rest.find_last_not_of(blanks) + 1);
  parts.push_back(std::move(rest));
  return parts;
}

Result<PreparedKernel> prepare_split(PrepareContext& c) {
  MINI_TRY(expect_strings(c, 1));
  const std::string delimiter = c.string("delimiter", "");
  const std::int64_t most = c.integer("maxsplit", INT64_MAX);
  PreparedKernel kernel;
  kernel.name = "string_split";
  kernel.run = [=, shape = c.shape(0)](const KernelContext& k) {
    const std::int64_t count = shape.elements();
    std::vector<std::vector<std::string>> parts;
    Tensor lengths(DType::kInt64, shape);
    std::size_t width = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      parts.push_back(split(k.input<std::string>(0)[i], delimiter, most));
      lengths.mutable_data<std::int64_t>()[i] = static_cast<std::int64_t>(parts.back().size());
      width = std::max(width, parts.back().size());
    }
    Shape out = shape;
    out.push_back(static_cast<std::int64_t>(width));
    MINI_TRY_ASSIGN(Tensor strings, Tensor::allocate(DType::kString, out));
    auto* to = strings.mutable_data<std::string>();
    for (auto& list : parts) {
      std::move(list.begin(), list.end(), to);
      to += width;
    }
    k.set_output(0, std::move(strings));
    if (k.outputs.size() > 1 && k.outputs[1] != nullptr) {
      std::copy_n(lengths.data<std::int64_t>(), count, k.output<std::int64_t>(1));
    } else {
      k.set_output(1, std::move(lengths));
    }
    return ok();
  };
  return kernel;
}

Status infer_normalizer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kString);
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  if (x->rank() != 1 && !(x->rank() == 2 && (*x)[0].is(1))) {
    return invalid_model("input has shape ", *x, "; it must be [C] or [1,C]");
  }
  SymShape out = *x;
  if (!c.strings("stopwords").empty()) out[x->rank() - 1] = c.unknown(0, x->rank() - 1);
  c.set_output(0, DType::kString, out);
  return ok();
}

// Letters outside ASCII stay as they are: their case depends on locales that machines differ in.
std::string with_case(std::string text, const std::string& action) {
  for (char& letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 128) continue;
    if (action == "LOWER") letter = static_cast<char>(std::tolower(byte));
    if (action == "UPPER") letter = static_cast<char>(std::toupper(byte));
  }
  return text;
}

Result<PreparedKernel> prepare_normalizer(PrepareContext& c) {
  MINI_TRY(expect_strings(c, 1));
  const std::string action = c.string("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER") {
    return invalid_model("case_change_action '", action, "'");
  }
  Strings stopwords = c.strings("stopwords");
  const bool exact = c.integer("is_case_sensitive", 0) != 0;
  if (!exact) {
    for (std::string& word : stopwords) word = with_case(word, "LOWER");
  }
  PreparedKernel kernel;
  kernel.name = "string_normalizer";
  kernel.run = [=, shape = c.shape(0)](const KernelContext& k) {
    Strings kept;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      const std::string& word = k.input<std::string>(0)[i];
      const std::string key = exact ? word : with_case(word, "LOWER");
      if (std::find(stopwords.begin(), stopwords.end(), key) == stopwords.end()) {
        kept.push_back(with_case(word, action));
      }
    }
    if (!k.outputs.empty() && k.outputs[0] != nullptr) {
      std::move(kept.begin(), kept.end(), k.output<std::string>(0));
      return ok();
    }
    if (kept.empty()) kept.emplace_back();  // no empty tensors: one empty string
    Shape out = shape;
    out[out.rank() - 1] = static_cast<std::int64_t>(kept.size());
    k.set_output(0, Tensor::from<std::string>(out, kept));
    return ok();
  };
  return kernel;
}

Status infer_match(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, DType::kBool);
  if (c.shape(0) != nullptr) c.set_output(0, DType::kBool, *c.shape(0));
  return ok();
}

// std::regex reports a bad pattern by an exception; nullptr then.
std::shared_ptr<const std::regex> compile(const std::string& pattern) {
  try {
    return std::make_shared<const std::regex>(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    return nullptr;
  }
}

Result<PreparedKernel> prepare_match(PrepareContext& c) {
  MINI_TRY(expect_strings(c, 1));
  const auto regex = compile(c.string("pattern", ""));
  if (regex == nullptr) return not_implemented("the pattern '", c.string("pattern", ""), "'");
  PreparedKernel kernel;
  kernel.name = "regex_full_match";
  kernel.run = [regex, count = c.shape(0).elements()](const KernelContext& k) -> Status {
    try {
      for (std::int64_t i = 0; i < count; ++i) {
        k.output<bool>(0)[i] = std::regex_match(k.input<std::string>(0)[i], *regex);
      }
    } catch (const std::regex_error&) {
      return error(Code::kResourceExhausted, "a string is too long for the pattern");
    }
    return ok();
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(RegexFullMatch, {.type = "RegexFullMatch",
                                .since = {20},
                                .infer = infer_match,
                                .prepare = prepare_match})
MINI_DEFINE_OP(StringConcat, {.type = "StringConcat",
                              .since = {20},
                              .infer = infer_concat,
                              .prepare = prepare_concat})
MINI_DEFINE_OP(StringNormalizer, {.type = "StringNormalizer",
                                  .since = {10},
                                  .infer = infer_normalizer,
                                  .prepare = prepare_normalizer,
                                  .traits = kDataShapes})
MINI_DEFINE_OP(StringSplit, {.type = "StringSplit",
                             .since = {20},
                             .infer = infer_split,
                             .prepare = prepare_split,
                             .traits = kDataShapes})

}  // namespace mini_infer
