// Running the images of a batch apart: one after the other, or on as many threads. A network whose
// activations are larger than its weights keeps those of one image in the caches, where those of a
// whole batch would go to memory and back between any two layers.
#pragma once

#include <cstdint>
#include <span>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

// The extent N > 1 of the first axis of all inputs and outputs, where outputs [i, ...] depend on
// inputs [i, ...] only and the graph says nowhere what N is; otherwise 1. The inputs of the graph
// have known shapes; a graph of the load stage.
std::int64_t separate_images(const Graph& graph, const OpLookup& ops);

// Whether one image at a time moves fewer bytes: all activations of a batch against the weights of
// every image. The shapes of the graph are known.
bool prefers_single_images(const Graph& graph, std::int64_t images);

// Threads that take whole images, which then wait for nobody within them: all of them where few are
// left without one at the end, otherwise 1, so that they share each image.
int threads_for_images(std::int64_t images, int threads);

}  // namespace mini_infer
