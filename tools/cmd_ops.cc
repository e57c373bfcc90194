// mini-infer ops: the operators that are implemented.
#include <mini_infer/session.h>

#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/common.h"
#include "tools/print.h"

namespace mini_infer::tools {
namespace {

std::string versions(const OperatorInfo& info) {
  std::string text;
  for (const int since : info.since) text += (text.empty() ? "" : ", ") + std::to_string(since);
  return text;
}

int run(bool json) {
  const std::vector<OperatorInfo> operators = supported_operators();
  if (json) {
    Json list = Json::array();
    for (const OperatorInfo& info : operators) {
      list.push_back({{"domain", info.domain}, {"type", info.type}, {"since", info.since}});
    }
    std::printf("%s\n", dump(list).c_str());
    return kExitOk;
  }
  Table table;
  table.add({"operator", "domain", "opset versions"});
  for (const OperatorInfo& info : operators) {
    table.add({info.type, info.domain.empty() ? "ai.onnx" : info.domain, versions(info)});
  }
  std::fputs(table.str().c_str(), stdout);
  std::printf("%zu operators\n", operators.size());
  return kExitOk;
}

}  // namespace

void add_ops_command(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("ops", "list the operators that are implemented");
  command->add_flag("--json", *json, "the list as JSON");
  command->footer("Example:\n  mini-infer ops");
  command->callback([json, &action] { action = [json] { return run(*json); }; });
}

}  // namespace mini_infer::tools
