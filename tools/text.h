// Small work on text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mini_infer::tools {

void append_utf8(std::string& text, char32_t character);
// Bytes that are no UTF-8 become U+FFFD.
std::u32string from_utf8(std::string_view text);
// The same text with everything replaced that is no UTF-8 or moves a terminal's cursor.
std::string printable(std::string_view text);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace mini_infer::tools
