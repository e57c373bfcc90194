#include "kernels/movement/indices.h"

#include <algorithm>

#include "kernels/movement/strided_copy.h"

namespace mini_infer {
namespace {

Status outside(std::int64_t index, std::int64_t position, std::int64_t extent, std::size_t axis) {
  return error(Code::kInvalidArgument, "index ", index, " at position ", position, " is outside [",
               -extent, ",", extent - 1, "] of axis ", axis);
}

}  // namespace

Status check_indices(const void* indices, DType dtype, std::int64_t count, std::int64_t extent,
                     std::size_t axis) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = index_at(indices, dtype, i);
    if (index < -extent || index >= extent) return outside(index, i, extent, axis);
  }
  return ok();
}

Result<ElementGrid> element_grid(const Shape& data, const Shape& indices, std::size_t axis) {
  if (data.rank() != indices.rank()) {
    return invalid_model("data ", data, " and indices ", indices, " must have the same rank");
  }
  ElementGrid grid{.indices = indices, .strides = strides_of(data), .axis = axis};
  grid.extent = data[axis];
  grid.aligned = true;
  for (std::size_t i = 0; i < data.rank(); ++i) {
    if (i == axis) continue;
    grid.aligned &= indices[i] == data[i];
    if (indices[i] > data[i]) {
      return invalid_model("indices ", indices, " are larger than data ", data, " along axis ", i);
    }
  }
  grid.run = std::max<std::int64_t>(indices.elements(axis + 1, indices.rank()), 1);
  grid.block = std::max<std::int64_t>(indices.elements(axis, indices.rank()), 1);
  return grid;
}

Result<TupleGrid> tuple_grid(const Shape& data, const Shape& indices, std::size_t batch) {
  if (indices.rank() == 0) return invalid_model("indices must have at least rank 1");
  const std::size_t last = indices.rank() - 1;
  const std::int64_t depth = indices[last];
  if (depth < 0 || batch + static_cast<std::size_t>(depth) > data.rank()) {
    return invalid_model("indices ", indices, " hold tuples of ", depth, " for data ", data);
  }
  const std::size_t end = batch + static_cast<std::size_t>(depth);
  const auto strides = strides_of(data);
  TupleGrid grid{.count = indices.elements(0, last),
                 .run = data.elements(end, data.rank()),
                 .per_batch = std::max<std::int64_t>(indices.elements(batch, last), 1),
                 .batch_stride = batch > 0 ? data.elements(batch, data.rank()) : 0,
                 .first_axis = batch};
  for (std::size_t a = batch; a < end; ++a) {
    grid.extents.push_back(data[a]);
    grid.strides.push_back(strides[a]);
  }
  return grid;
}

Status check_tuples(const TupleGrid& grid, const void* indices, DType dtype) {
  const std::size_t depth = grid.extents.size();
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < grid.count; ++i) {
    for (std::size_t d = 0; d < depth; ++d, ++at) {
      const std::int64_t index = index_at(indices, dtype, at), extent = grid.extents[d];
      if (index < -extent || index >= extent) {
        return outside(index, at, extent, grid.first_axis + d);
      }
    }
  }
  return ok();
}

}  // namespace mini_infer
