// NumPy's .npy files, format versions 1 to 3.
#pragma once

#include <mini_infer/tensor.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mini_infer::tools {

bool is_npy(std::span<const std::byte> file);

// Little-endian numbers, bool and text ('<U'). Arrays in Fortran order are transposed. Whatever
// else (big-endian, objects, structures) is refused with a message.
Result<Tensor> parse_npy(std::span<const std::byte> file);

// bfloat16 is written as float32 and string as '<U', since NumPy has no such types.
Result<std::vector<std::byte>> format_npy(const Tensor& tensor);
Status write_npy(const std::string& path, const Tensor& tensor);

}  // namespace mini_infer::tools
