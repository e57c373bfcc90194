// before:  Einsum(a, b) {equation = "bhid,bhjd->bhij"}
// after:   MatMul(a, Transpose(b))                     Transposes only where axes move
// when:    each letter stands once in an operand and the letters are: some in both operands and the
//          result (a batch), one that is summed over, and one of the second operand's own; of the
//          first operand's own there is one, or several where there is no batch
//
// before:  Einsum(a) {equation = "ij->ji"}
// after:   Transpose(a)

#include <algorithm>
#include <cctype>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

bool distinct_letters(std::string text) {
  std::sort(text.begin(), text.end());
  return std::adjacent_find(text.begin(), text.end()) == text.end() &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalpha(c) != 0; });
}

std::optional<Equation> parse(std::string text) {
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  if (arrow == std::string::npos) return std::nullopt;
  Equation equation{.operands = {}, .result = text.substr(arrow + 2)};
  std::string rest = text.substr(0, arrow) + ",";
  for (std::size_t comma = rest.find(','); comma != std::string::npos; comma = rest.find(',')) {
    equation.operands.push_back(rest.substr(0, comma));
    rest = rest.substr(comma + 1);
  }
  bool valid = distinct_letters(equation.result);
  for (const std::string& operand : equation.operands) valid = valid && distinct_letters(operand);
  return valid ? std::optional(equation) : std::nullopt;
}

bool has(const std::string& text, char letter) { return text.find(letter) != std::string::npos; }

// The value with its axes, named by `from`, in the order of `to`; a new Transpose unless they are.
ValueId ordered(Graph& graph, NodeId near, ValueId value, const std::string& from,
                const std::string& to) {
  if (from == to) return value;
  Ints perm;
  for (const char letter : to) perm.push_back(static_cast<std::int64_t>(from.find(letter)));
  return graph.output(graph.add_node(near, "Transpose", {value}, {{"perm", std::move(perm)}}));
}

// The Einsum gives `value` from now on.
void finish(Graph& graph, NodeId einsum, ValueId value) {
  const ValueId old = graph.output(einsum);
  take_description(graph, old, value);
  bypass(graph, einsum, value);
}

bool to_transpose(Graph& graph, NodeId id, const Equation& equation) {
  const std::string& in = equation.operands[0];
  if (in == equation.result ||
      !std::is_permutation(in.begin(), in.end(), equation.result.begin(), equation.result.end())) {
    return false;
  }
  finish(graph, id, ordered(graph, id, graph.input(id, 0), in, equation.result));
  return true;
}

bool to_matmul(Graph& graph, NodeId id, const Equation& equation) {
  const std::string &a = equation.operands[0], &b = equation.operands[1];
  std::string batch, summed, rows, columns;
  for (const char letter : a) {
    const bool shared = has(b, letter), kept = has(equation.result, letter);
    if (!shared && !kept) return false;
    (shared ? (kept ? batch : summed) : rows) += letter;
  }
  for (const char letter : b) {
    if (has(a, letter)) continue;
    if (!has(equation.result, letter)) return false;
    columns += letter;
  }
  const bool matrices = rows.size() == 1 || (batch.empty() && !rows.empty());
  if (summed.size() != 1 || columns.size() != 1 || !matrices ||
      equation.result.size() != batch.size() + rows.size() + 1) {
    return false;
  }
  const ValueId x = ordered(graph, id, graph.input(id, 0), a, batch + rows + summed);
  const ValueId y = ordered(graph, id, graph.input(id, 1), b, batch + summed + columns);
  const ValueId product = graph.output(graph.add_node(id, "MatMul", {x, y}));
  graph.value(product).dtype = graph.value(graph.input(id, 0)).dtype;
  finish(graph, id, ordered(graph, id, product, batch + rows + columns, equation.result));
  return true;
}

bool replace(Graph& graph, NodeId id) {
  const auto* text = graph.attribute<std::string>(id, "equation");
  const auto equation = text != nullptr ? parse(*text) : std::nullopt;
  if (!equation || equation->operands.size() != graph.node(id).inputs.size()) return false;
  for (std::size_t i = 0; i < equation->operands.size(); ++i) {
    if (rank_of(graph, graph.input(id, i)) != equation->operands[i].size()) return false;
  }
  if (equation->operands.size() == 1) return to_transpose(graph, id, *equation);
  return equation->operands.size() == 2 && to_matmul(graph, id, *equation);
}

}  // namespace

Result<int> replace_einsum(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Einsum", [&](NodeId id) { return replace(graph, id); });
}

}  // namespace mini_infer
