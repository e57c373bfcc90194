#include "graph/passes/shape_argument.h"

namespace mini_infer {

std::optional<Ints> reshape_argument(const SymShape& in, const SymShape& out) {
  Ints argument;
  bool open = false;
  for (std::size_t i = 0; i < out.rank(); ++i) {
    const bool kept = i < in.rank() && in[i] == out[i];
    if (out[i].known() && out[i].value() > 0) {
      argument.push_back(out[i].value());
    } else if (kept) {
      argument.push_back(0);
    } else if (!out[i].known() && !open) {
      argument.push_back(-1);
      open = true;
    } else {
      return std::nullopt;
    }
  }
  return argument;
}

}  // namespace mini_infer
