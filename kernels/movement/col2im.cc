// Col2Im: columns of blocks added up to an image.
//                                              onnx.ai/onnx/operators/onnx__Col2Im.html
#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/movement/arithmetic.h"
#include "kernels/movement/params.h"
#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

// One spatial axis: image extent, block extent, where blocks start.
struct AxisRule {
  std::int64_t image, block, dilation, pad, stride, blocks;
};

Result<std::vector<AxisRule>> axis_rules(const AttributeReader& c, const Ints& image,
                                         const Ints& block) {
  const std::size_t rank = image.size();
  const Ints ones(rank, 1);
  const Ints dilations = c.ints("dilations", ones), strides = c.ints("strides", ones);
  const Ints pads = c.ints("pads", Ints(2 * rank, 0));
  if (block.size() != rank || dilations.size() != rank || strides.size() != rank ||
      pads.size() != 2 * rank) {
    return invalid_model("block ", block, ", dilations ", dilations, ", strides ", strides,
                         " and pads ", pads, " must fit the image ", image);
  }
  std::vector<AxisRule> rules;
  for (std::size_t i = 0; i < rank; ++i) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    for (const std::int64_t n : {image[i], block[i], dilations[i], strides[i]}) {
      if (n < 1 || n > kMost) return invalid_model("a parameter of Col2Im is ", n);
    }
    for (const std::int64_t pad : {pads[i], pads[i + rank]}) {
      if (pad < 0 || pad > kMost) return invalid_model("pads ", pads, " of Col2Im");
    }
    const std::int64_t room = image[i] + pads[i] + pads[i + rank] - dilations[i] * (block[i] - 1);
    if (room < 1) {
      return invalid_model("a block of ", block[i], " does not fit the image ", image);
    }
    rules.push_back(
        {image[i], block[i], dilations[i], pads[i], strides[i], (room - 1) / strides[i] + 1});
  }
  return rules;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(3));
  c.set_output(0, c.dtype(0));
  const auto image = c.ints_of(1), block = c.ints_of(2);
  if (c.shape(0) == nullptr || !image || !block) return ok();
  const SymShape& x = *c.shape(0);
  MINI_TRY_ASSIGN(const auto rules, axis_rules(c, *image, *block));
  if (x.rank() != 3) return invalid_model("input has shape ", x, "; it must be [N,C*block,L]");
  std::int64_t size = 1;
  for (const AxisRule& rule : rules) {
    if (__builtin_mul_overflow(size, rule.block, &size)) return invalid_model("block ", *block);
  }
  SymShape out{x[0], floor_div(x[1], size)};
  for (const AxisRule& rule : rules) out.push_back(rule.image);
  c.set_output(0, c.dtype(0), out);
  return ok();
}

// x: [planes][block...][blocks...], y: [planes][image...]
struct Problem {
  std::vector<AxisRule> rules;
  std::int64_t planes, block = 1, blocks = 1, image = 1;

  // Place in the image of element `b` of block number `l`, or -1 in the padding.
  std::int64_t place(std::int64_t b, std::int64_t l) const {
    std::int64_t at = 0, stride = 1;
    for (std::size_t i = rules.size(); i-- > 0;) {
      const AxisRule& r = rules[i];
      const std::int64_t pixel = l % r.blocks * r.stride + b % r.block * r.dilation - r.pad;
      if (pixel < 0 || pixel >= r.image) return -1;
      at += pixel * stride;
      stride *= r.image;
      l /= r.blocks;
      b /= r.block;
    }
    return at;
  }
};

template <class T>
void run(const KernelContext& k, const Problem& p) {
  const T* x = k.input<T>(0);
  T* y = k.output<T>(0);
  k.parallel_for(p.planes, static_cast<double>(p.block * p.blocks), [&](Range range, int) {
    for (std::int64_t plane = range.begin; plane < range.end; ++plane) {
      T* image = y + plane * p.image;
      const T* columns = x + plane * p.block * p.blocks;
      std::fill_n(image, p.image, narrowed<T>(0));
      for (std::int64_t i = 0; i < p.block * p.blocks; ++i) {
        const std::int64_t at = p.place(i / p.blocks, i % p.blocks);
        if (at >= 0) image[at] = reduce(Reduction::kAdd, image[at], columns[i]);
      }
    }
  });
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const auto image = c.ints_of(1), block = c.ints_of(2);
  if (!image || !block) return not_implemented("image_shape or block_shape that is not constant");
  const Shape& x = c.shape(0);
  Problem p;
  MINI_TRY_ASSIGN(p.rules, axis_rules(c, *image, *block));
  for (const AxisRule& rule : p.rules) {
    if (__builtin_mul_overflow(p.block, rule.block, &p.block) ||
        __builtin_mul_overflow(p.blocks, rule.blocks, &p.blocks) ||
        __builtin_mul_overflow(p.image, rule.image, &p.image)) {
      return invalid_model("image ", *image, " in blocks of ", *block, " is too large");
    }
  }
  if (x.rank() != 3 || x[1] % p.block != 0 || x[2] != p.blocks) {
    return invalid_model("input ", x, " must be [N,C*", p.block, ",", p.blocks, "]");
  }
  p.planes = x[0] * (x[1] / p.block);
  PreparedKernel kernel;
  kernel.name = "col2im";
  switch (c.dtype(0)) {
    case DType::kFloat32:
      kernel.run = [p](const KernelContext& k) { return run<float>(k, p), ok(); };
      return kernel;
    case DType::kFloat64:
      kernel.run = [p](const KernelContext& k) { return run<double>(k, p), ok(); };
      return kernel;
    case DType::kFloat16:
      kernel.run = [p](const KernelContext& k) { return run<Float16>(k, p), ok(); };
      return kernel;
    default:
      return not_implemented("Col2Im of ", dtype_name(c.dtype(0)));
  }
}

}  // namespace

MINI_DEFINE_OP(Col2Im, {.type = "Col2Im", .since = {18}, .infer = infer, .prepare = prepare})

}  // namespace mini_infer
