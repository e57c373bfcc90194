// Running work in a process of its own, so that a crash or an endless loop there ends only that
// work.
#pragma once

#include <mini_infer/status.h>

#include <functional>
#include <string>

namespace mini_infer::tools {

// Forks, runs `work` in the child and returns what it returned. A child that dies or takes longer
// than `timeout` seconds gives an error that says so. The caller must not have other threads that
// `work` needs.
Result<std::string> run_isolated(const std::function<std::string()>& work, double timeout);

}  // namespace mini_infer::tools
