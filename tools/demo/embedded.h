// Files of tools/demo/ and tools/html/ inside the program; made by embed.cmake.
#pragma once

namespace mini_infer::tools {

extern const unsigned char demo_model[];
extern const decltype(sizeof 0) demo_model_size;
extern const unsigned char demo_picture[];
extern const decltype(sizeof 0) demo_picture_size;
extern const unsigned char page_html[];
extern const decltype(sizeof 0) page_html_size;
extern const unsigned char page_css[];
extern const decltype(sizeof 0) page_css_size;
extern const unsigned char page_js[];
extern const decltype(sizeof 0) page_js_size;

}  // namespace mini_infer::tools
