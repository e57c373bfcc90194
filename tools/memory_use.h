// How much memory this process used.
#pragma once

namespace mini_infer::tools {

// The most bytes of physical memory held at once, since the start or since reset_peak_memory(),
// where the system allows it.
double peak_memory();
void reset_peak_memory();

}  // namespace mini_infer::tools
