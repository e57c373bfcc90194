// What a model's metadata says about the pixels that it expects.
#pragma once

#include <map>
#include <string>

#include "tools/preprocess.h"

namespace mini_infer::tools {

// Fills in what the command line leaves open, from the key mini_infer.preset, or from those that
// ONNX names for pictures (MetadataProps.md): Image.BitmapPixelFormat (Rgb8, Bgr8, Gray8) and
// Image.NominalPixelRange (NominalRange_0_255, Normalized_0_1, Normalized_1_1,
// NominalRange_16_235). A preset, or any number, from the command line decides all numbers; a
// preset also the order of colours. Returns the entries that were used: "Image.NominalPixelRange
// NominalRange_0_255"; empty where there were none.
std::string use_metadata(const std::map<std::string, std::string>& metadata, PixelOptions& options);

}  // namespace mini_infer::tools
