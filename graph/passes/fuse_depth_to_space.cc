// before:  x [N, C r r, H, W] -> Reshape [N,C,r,r,H,W] -> Transpose(0,1,4,2,5,3) -> Reshape [N,C,H
// r,W r] after:   x -> DepthToSpace {blocksize = r, mode = CRD}           the pixel shuffle of
// PyTorch
//
// before:  x -> Reshape [N,r,r,C,H,W] -> Transpose(0,3,4,1,5,2) -> Reshape [N,C,H r,W r]
// after:   x -> DepthToSpace {blocksize = r}                       mode DCR
//
// before:  x [N,C,H r,W r] -> Reshape [N,C,H,r,W,r] -> Transpose(0,3,5,1,2,4) -> Reshape [N,r r
// C,H,W] after:   x -> SpaceToDepth {blocksize = r} when:    r and C are numbers, the shapes
// between are known, nothing between has another use; CRD
//          from opset 11 on

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Larger ones are those of a broken file.
constexpr std::int64_t kLargestBlock = 1024;

struct Shuffle {
  ValueId x = kNoValue;
  SymShape in, split, out;  // of x, of what is transposed, of the result
  Ints perm;
};

std::optional<Shuffle> shuffle_of(const Graph& graph, NodeId last) {
  const NodeId transpose = made_only_for(graph, graph.input(last, 0), "Transpose");
  if (transpose == kNoNode) return std::nullopt;
  const NodeId first = made_only_for(graph, graph.input(transpose, 0), "Reshape");
  const Ints* perm = graph.attribute<Ints>(transpose, "perm");
  if (first == kNoNode || perm == nullptr) return std::nullopt;
  const ValueId x = graph.input(first, 0), split = graph.output(first), y = graph.output(last);
  if (rank_of(graph, x) != std::optional<std::size_t>(4) ||
      rank_of(graph, split) != std::optional<std::size_t>(6) ||
      rank_of(graph, y) != std::optional<std::size_t>(4)) {
    return std::nullopt;
  }
  return Shuffle{x, *graph.value(x).shape, *graph.value(split).shape, *graph.value(y).shape, *perm};
}

// Whether the shapes are those of the rearrangement with [N,C,H,W] on its shallow side, `deep` and
// `shallow` being the shapes around it, and channels and the block at these places of the split.
bool fits(const Shuffle& s, const SymShape& deep, const SymShape& shallow, std::size_t channels,
          std::size_t block, std::size_t row, std::size_t column) {
  const Dim &r = s.split[block], &c = s.split[channels];
  if (!r.known() || r.value() < 2 || r.value() > kLargestBlock || !c.known()) return false;
  return s.split[0] == deep[0] && deep[0] == shallow[0] && deep[1] == c * r * r &&
         shallow[1] == c && s.split[row] == deep[2] && s.split[column] == deep[3] &&
         shallow[2] == deep[2] * r && shallow[3] == deep[3] * r;
}

bool square(const Shuffle& s, std::size_t a, std::size_t b) { return s.split[a] == s.split[b]; }

bool replace(Graph& graph, NodeId id, const Shuffle& s, const char* type, std::size_t block,
             const char* mode) {
  Attributes attributes = {{"blocksize", s.split[block].value()}};
  if (mode != nullptr) attributes["mode"] = std::string(mode);
  replace_node(graph, id, type, {s.x}, std::move(attributes));
  return true;
}

bool fuse(Graph& graph, NodeId id) {
  const auto s = shuffle_of(graph, id);
  if (!s) return false;
  const bool has_mode = graph.node(id).opset >= 11;
  if (s->perm == Ints{0, 1, 4, 2, 5, 3}) {
    return has_mode && square(*s, 2, 3) && fits(*s, s->in, s->out, 1, 2, 4, 5) &&
           replace(graph, id, *s, "DepthToSpace", 2, "CRD");
  }
  if (s->perm == Ints{0, 3, 4, 1, 5, 2}) {
    return square(*s, 1, 2) && fits(*s, s->in, s->out, 3, 1, 4, 5) &&
           replace(graph, id, *s, "DepthToSpace", 1, has_mode ? "DCR" : nullptr);
  }
  if (s->perm == Ints{0, 3, 5, 1, 2, 4}) {
    return square(*s, 3, 5) && fits(*s, s->out, s->in, 1, 3, 2, 4) &&
           replace(graph, id, *s, "SpaceToDepth", 3, nullptr);
  }
  return false;
}

}  // namespace

Result<int> fuse_depth_to_space(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Reshape", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
