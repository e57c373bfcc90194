#include "kernels/gemm/strassen_product.h"

#include <limits>

#include "kernels/conv/conv_cost.h"
#include "kernels/conv/strassen.h"

namespace mini_infer {
namespace {

bool has_rows_and_weights(const PrepareContext& c, const Product& p) {
  return p.batch == 1 && p.a.column_stride == 1 && p.a.row_stride == p.k &&
         p.m * p.k <= std::numeric_limits<int>::max() && c.constant(0) == nullptr &&
         c.constant(1) != nullptr;
}

bool pays(const Product& p, Isa isa) {
  const ConvShape shape = strassen_product_shape(p.m, p.n, p.k);
  return strassen_conv_declines(shape, isa) == nullptr &&
         strassen_conv_cost(shape, isa) < direct_conv_cost(shape, isa);
}

}  // namespace

std::optional<PreparedKernel> strassen_product(const PrepareContext& c, const Product& p,
                                               const ActivationParams& activation,
                                               int column_bias) {
  if (!has_rows_and_weights(c, p) || !pays(p, c.isa())) return std::nullopt;
  const std::shared_ptr<const StrassenAlgorithm> algorithm =
      make_strassen_product(p.m, p.n, p.k, c.isa());
  const std::string key = cat("gemm_strassen/", isa_name(c.isa()), "/", p.k, "x", p.n, "/",
                              p.b.row_stride, "/", p.b.column_stride);
  const std::shared_ptr<const PackedBuffer> weights =
      c.packed(1, key, algorithm->packed_floats() * sizeof(float), [&](std::byte* out) {
        algorithm->pack_weights({c.constant(1)->data<float>(), p.b.column_stride, p.b.row_stride},
                                reinterpret_cast<float*>(out), c.threads());
      });
  PreparedKernel kernel{.name = c.with_isa("gemm/strassen")};
  kernel.scratch_bytes = algorithm->scratch_bytes(c.threads());
  kernel.why = cat("1 x [", p.m, ",", p.k, "] [", p.k, ",", p.n, "], rows alike, B packed");
  kernel.run = [=](const KernelContext& k) {
    algorithm->run(
        {.input = k.input<float>(0),
         .weights = weights->data<float>(),
         .bias = column_bias < 0 ? nullptr : k.input<float>(static_cast<std::size_t>(column_bias)),
         .activation = activation,
         .output = k.output<float>(0),
         .scratch = k.scratch,
         .threads = k.threads});
    return ok();
  };
  return kernel;
}

}  // namespace mini_infer
