#include "kernels/recurrent/recurrent.h"

namespace mini_infer {

Status infer_recurrent(InferContext& c) {
  MINI_TRY(c.expect_inputs(3, c.input_count()));
  const SymShape *x = c.shape(kX), *r = c.shape(kR);
  const bool batch_first = c.integer("layout", 0) != 0;
  for (std::size_t i = 0; i < c.output_count(); ++i) c.set_output(i, c.dtype(kX));
  if (x == nullptr) return ok();
  if (x->rank() != 3) return invalid_model("x has shape ", *x, "; rank 3 is needed");
  const Dim T = (*x)[batch_first ? 1 : 0], B = (*x)[batch_first ? 0 : 1];
  const Dim D = c.string("direction", "forward") == "bidirectional" ? 2 : 1;
  Dim H = c.unknown(0, 3);
  if (r != nullptr && r->rank() == 3) {
    H = (*r)[2];
  } else if (c.has("hidden_size")) {
    H = c.integer("hidden_size", 0);
  }
  const SymShape y = batch_first ? SymShape{B, T, D, H} : SymShape{T, D, B, H};
  const SymShape last = batch_first ? SymShape{B, D, H} : SymShape{D, B, H};
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    c.set_output(i, c.dtype(kX), i == kY ? y : last);
  }
  return ok();
}

}  // namespace mini_infer
