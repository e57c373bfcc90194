// NumPy's .npz files: .npy files in a ZIP archive, compressed or not.
#pragma once

#include <mini_infer/session.h>

#include <cstddef>
#include <span>

namespace mini_infer::tools {

// The arrays by their names. Archives over 4 GB, encrypted ones and other methods of compression
// than DEFLATE are refused with a message.
Result<TensorMap> parse_npz(std::span<const std::byte> file);

}  // namespace mini_infer::tools
