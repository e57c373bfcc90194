// Files of tools/demo/ inside the program; made by embed.cmake.
#pragma once

namespace mini_infer::tools {

extern const unsigned char demo_model[];
extern const decltype(sizeof 0) demo_model_size;
extern const unsigned char demo_picture[];
extern const decltype(sizeof 0) demo_picture_size;

}  // namespace mini_infer::tools
