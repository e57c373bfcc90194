// ONNX's protobuf classes. Included by files of graph/onnx and their tests only.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "mini_infer_onnx.pb.h"
#pragma GCC diagnostic pop

namespace mini_infer {
namespace pb = ::mini_infer_onnx;
}
