// inspect --html: one page, complete in itself, with a file's graph drawn.
#pragma once

#include <mini_infer/session.h>

#include <string>

#include "graph/ir/graph.h"

namespace mini_infer::tools {

struct PageContent {
  std::string model;               // its title
  const Graph& graph;              // the file's, with shapes inferred
  const PlanInfo* plan = nullptr;  // says which step computes a node; with times if profiled
};

// Nothing in it is fetched from elsewhere, and nothing that comes from the model is taken for HTML
// or JavaScript.
std::string make_page(const PageContent& content);

}  // namespace mini_infer::tools
