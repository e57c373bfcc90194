// Decompression of DEFLATE data (RFC 1951), for .npz files.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <span>
#include <vector>

namespace mini_infer::tools {

// `size` is what the data must decompress to; nothing larger is made of it.
Result<std::vector<std::byte>> inflate(std::span<const std::byte> data, std::size_t size);

}  // namespace mini_infer::tools
