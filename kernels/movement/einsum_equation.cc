#include "kernels/movement/einsum_equation.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace mini_infer {
namespace {

// One term, "b...i": the letters before and after the ellipsis.
struct Term {
  Labels before, after;
  bool ellipsis = false;
};

Result<Term> parse_term(const std::string& text) {
  Term term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.compare(i, 3, "...") == 0 && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      (term.ellipsis ? term.after : term.before).push_back(c);
    } else {
      return invalid_model("term '", text, "' of the equation holds '", c, "'");
    }
  }
  return term;
}

Labels with_ellipsis(const Term& term, std::size_t axes) {
  Labels labels = term.before;
  for (std::size_t d = axes; term.ellipsis && d-- > 0;) {
    labels.push_back(kEllipsis + static_cast<int>(d));
  }
  labels.insert(labels.end(), term.after.begin(), term.after.end());
  return labels;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Without an arrow: the ellipsis, then the letters that appear once, in alphabetical order.
Labels implicit_output(const std::vector<Labels>& inputs) {
  std::map<Label, int> uses;
  for (const Labels& labels : inputs) {
    for (const Label label : labels) ++uses[label];
  }
  Labels output;
  for (auto it = uses.rbegin(); it != uses.rend() && it->first >= kEllipsis; ++it) {
    output.push_back(it->first);
  }
  for (const auto& [label, count] : uses) {
    if (label < kEllipsis && count == 1) output.push_back(label);
  }
  return output;
}

Status check_output(const Equation& equation) {
  for (std::size_t i = 0; i < equation.output.size(); ++i) {
    const Label label = equation.output[i];
    const bool known =
        std::any_of(equation.inputs.begin(), equation.inputs.end(), [&](const Labels& labels) {
          return std::find(labels.begin(), labels.end(), label) != labels.end();
        });
    const auto end = equation.output.begin() + static_cast<std::ptrdiff_t>(i);
    if (!known || std::find(equation.output.begin(), end, label) != end) {
      return invalid_model("a letter of the output is in no input or stands there twice");
    }
  }
  return ok();
}

}  // namespace

Result<Equation> parse_equation(const std::string& text, const std::vector<std::size_t>& ranks) {
  std::string plain = text;
  std::erase_if(plain, [](char c) { return c == ' '; });
  const std::size_t arrow = plain.find("->");
  const std::vector<std::string> terms = split(plain.substr(0, arrow), ',');
  if (terms.size() != ranks.size()) {
    return invalid_model("equation '", text, "' has ", terms.size(), " terms for ", ranks.size(),
                         " inputs");
  }
  Equation equation;
  std::size_t ellipsis_axes = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    MINI_TRY_ASSIGN(const Term term, parse_term(terms[i]));
    const std::size_t letters = term.before.size() + term.after.size();
    if (letters > ranks[i] || (!term.ellipsis && letters != ranks[i])) {
      return invalid_model("term '", terms[i], "' of the equation does not fit input ", i,
                           " of rank ", ranks[i]);
    }
    const std::size_t axes = ranks[i] - letters;
    ellipsis_axes = std::max(ellipsis_axes, axes);
    equation.inputs.push_back(with_ellipsis(term, axes));
  }
  if (arrow == plain.npos) {
    equation.output = implicit_output(equation.inputs);
  } else {
    MINI_TRY_ASSIGN(const Term term, parse_term(plain.substr(arrow + 2)));
    equation.output = with_ellipsis(term, ellipsis_axes);
  }
  MINI_TRY(check_output(equation));
  return equation;
}

}  // namespace mini_infer
