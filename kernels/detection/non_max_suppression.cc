// NonMaxSuppression: boxes by falling score, without those that overlap a better one too much.
//                                              onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
#include <algorithm>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {
namespace {

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 5));
  for (std::size_t i = 0; i < 2; ++i) {
    if (c.shape(i) != nullptr && c.shape(i)->rank() != 3) {
      return invalid_model("input ", i, " has shape ", *c.shape(i), "; it must have rank 3");
    }
  }
  c.set_output(0, DType::kInt64, SymShape{c.unknown(0, 0), 3});
  return ok();
}

struct Box {
  float top, left, bottom, right;
  float area() const { return (bottom - top) * (right - left); }
};

// Corners in any order, or centre, width and height.
Box box_at(const float* p, bool center) {
  if (center) {
    return {p[1] - p[3] / 2, p[0] - p[2] / 2, p[1] + p[3] / 2, p[0] + p[2] / 2};
  }
  return {std::min(p[0], p[2]), std::min(p[1], p[3]), std::max(p[0], p[2]), std::max(p[1], p[3])};
}

bool overlaps(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return false;
  const float both = height * width;
  const float either = a.area() + b.area() - both;
  return either > 0 && both / either > threshold;
}

// boxes: [batches][spots][4], scores: [batches][classes][spots]
struct Problem {
  std::int64_t batches, classes, spots;
  bool center;
};
struct Limits {
  std::int64_t most = 0;  // boxes for each batch and class
  float overlap = 0.f;
  const float* score = nullptr;
};

struct Candidate {
  float score;
  std::int64_t index;
};

// Appends {batch, class, index} of what is kept of one class.
void keep_best(const Problem& p, const Limits& limits, const float* boxes, const float* scores,
               std::int64_t batch, std::int64_t cls, std::vector<std::int64_t>& out) {
  std::vector<Candidate> candidates;
  for (std::int64_t i = 0; i < p.spots; ++i) {
    if (limits.score == nullptr || scores[i] > *limits.score) candidates.push_back({scores[i], i});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  std::vector<Box> kept;
  for (const Candidate& candidate : candidates) {
    if (static_cast<std::int64_t>(kept.size()) >= limits.most) break;
    const Box box = box_at(boxes + candidate.index * 4, p.center);
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const Box& better) {
      return overlaps(box, better, limits.overlap);
    });
    if (hidden) continue;
    kept.push_back(box);
    out.insert(out.end(), {batch, cls, candidate.index});
  }
}

Status run(const KernelContext& k, const Problem& p) {
  Limits limits;
  if (k.input<std::int64_t>(2) != nullptr) limits.most = *k.input<std::int64_t>(2);
  if (k.input<float>(3) != nullptr) limits.overlap = *k.input<float>(3);
  limits.score = k.input<float>(4);
  // Each class on its own, then all together in order.
  const std::int64_t count = p.batches * p.classes;
  std::vector<std::vector<std::int64_t>> found(static_cast<std::size_t>(count));
  k.parallel_for(count, static_cast<double>(8 * p.spots), [&](Range range, int) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t batch = i / p.classes;
      keep_best(p, limits, k.input<float>(0) + batch * p.spots * 4, k.input<float>(1) + i * p.spots,
                batch, i % p.classes, found[static_cast<std::size_t>(i)]);
    }
  });
  std::size_t numbers = 0;
  for (const auto& part : found) numbers += part.size();
  MINI_TRY_ASSIGN(Tensor out,
                  Tensor::allocate(DType::kInt64, {static_cast<std::int64_t>(numbers / 3), 3}));
  std::int64_t* to = out.mutable_data<std::int64_t>();
  for (const auto& part : found) to = std::copy(part.begin(), part.end(), to);
  k.set_output(0, std::move(out));
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  const Shape &boxes = c.shape(0), &scores = c.shape(1);
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes[2] != 4 || boxes[0] != scores[0] ||
      boxes[1] != scores[2]) {
    return invalid_model("boxes ", boxes, " must be [N,S,4] and scores ", scores, " [N,C,S]");
  }
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!c.has_input(i)) continue;
    const DType wanted = i == 2 ? DType::kInt64 : DType::kFloat32;
    if (c.dtype(i) != wanted) {
      return not_implemented("input ", i, " of ", dtype_name(c.dtype(i)), "; it must be ",
                             dtype_name(wanted));
    }
    if (i >= 2 && c.shape(i).elements() != 1) {
      return invalid_model("input ", i, " must be one number");
    }
  }
  const std::int64_t center = c.integer("center_point_box", 0);
  if (center != 0 && center != 1) return invalid_model("center_point_box ", center);
  PreparedKernel kernel;
  kernel.name = "non_max_suppression";
  kernel.run = [p = Problem{boxes[0], scores[1], boxes[1], center == 1}](const KernelContext& k) {
    return run(k, p);
  };
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(NonMaxSuppression, {.type = "NonMaxSuppression",
                                   .since = {10, 11},
                                   .infer = infer,
                                   .prepare = prepare,
                                   .traits = kDataShapes})

}  // namespace mini_infer
