// Places of elements that are addressed by indices, and checks of indices before they are used.
#pragma once

#include <vector>

#include "kernels/movement/params.h"

namespace mini_infer {

// All `count` indices are in [-extent, extent-1]; the error names the first that is not.
Status check_indices(const void* indices, DType dtype, std::int64_t count, std::int64_t extent,
                     std::size_t axis);

// GatherElements, ScatterElements: a tensor of indices of the data's rank, each replacing the
// coordinate along one axis.
struct ElementGrid {
  Shape indices;
  std::vector<std::int64_t> strides;  // of the data
  std::size_t axis = 0;
  std::int64_t extent = 1;  // of the data along the axis
  bool aligned = false;     // all axes but `axis` have the data's extents: no division is needed
  std::int64_t run = 1, block = 1;  // indices behind the axis, and from it on

  std::int64_t count() const { return indices.elements(); }
  // Place in the data of index number `i`, whose value is `index`.
  std::int64_t place(std::int64_t i, std::int64_t index) const {
    if (index < 0) index += extent;
    std::int64_t at = index * strides[axis];
    if (aligned) return at + i / block * (extent * run) + i % run;
    for (std::size_t a = indices.rank(); a-- > 0;) {
      if (a != axis) at += i % indices[a] * strides[a];
      i /= indices[a];
    }
    return at;
  }
};
Result<ElementGrid> element_grid(const Shape& data, const Shape& indices, std::size_t axis);

// GatherND, ScatterND: tuples of indices, each addressing a run of elements.
struct TupleGrid {
  std::int64_t count = 1;  // tuples
  std::int64_t run = 1;    // elements behind a tuple
  std::int64_t per_batch = 1, batch_stride = 0;
  std::vector<std::int64_t> extents, strides;  // of the axes that a tuple addresses
  std::size_t first_axis = 0;

  std::int64_t place(std::int64_t i, const void* indices, DType dtype) const {
    const auto depth = static_cast<std::int64_t>(extents.size());
    std::int64_t at = i / per_batch * batch_stride;
    for (std::int64_t d = 0; d < depth; ++d) {
      const auto a = static_cast<std::size_t>(d);
      const std::int64_t index = index_at(indices, dtype, i * depth + d);
      at += (index < 0 ? index + extents[a] : index) * strides[a];
    }
    return at;
  }
};
Result<TupleGrid> tuple_grid(const Shape& data, const Shape& indices, std::size_t batch);
Status check_tuples(const TupleGrid& grid, const void* indices, DType dtype);

}  // namespace mini_infer
