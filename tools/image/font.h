// A small fixed-width bitmap font for labels: the printable ASCII characters.
#pragma once

namespace mini_infer::tools {

inline constexpr int kGlyphWidth = 5;
inline constexpr int kGlyphHeight = 9;  // 7 above the base line
inline constexpr int kGlyphAscent = 7;

// True where the glyph of `character` has ink, x from its left, y from its top; false outside of
// the cell. A character that is not ASCII is an empty box.
bool glyph_pixel(char32_t character, int x, int y);

}  // namespace mini_infer::tools
