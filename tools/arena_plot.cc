#include "tools/arena_plot.h"

#include <algorithm>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kColumns = 64;

std::string size_text(double bytes) {
  constexpr double kKilo = 1 << 10, kMega = 1 << 20;
  return bytes < kMega ? format("%.1f KB", bytes / kKilo) : format("%.2f MB", bytes / kMega);
}

std::vector<std::size_t> bytes_by_step(const PlanInfo& plan) {
  std::vector<std::size_t> bytes(plan.steps.size(), 0);
  for (const ArenaBlock& block : plan.arena) {
    for (int s = block.first; s <= block.last; ++s)
      bytes[static_cast<std::size_t>(s)] += block.bytes;
  }
  return bytes;
}

// One row for each step. A column shows the last block that reaches into it.
std::vector<std::string> draw(const PlanInfo& plan) {
  std::vector<std::string> rows(plan.steps.size(), std::string(kColumns, '.'));
  const double column = static_cast<double>(plan.arena_bytes) / kColumns;
  for (const ArenaBlock& block : plan.arena) {
    const auto first = static_cast<std::size_t>(static_cast<double>(block.offset) / column);
    const auto end = static_cast<double>(block.offset + block.bytes) / column;
    for (int s = block.first; s <= block.last; ++s) {
      std::string& row = rows[static_cast<std::size_t>(s)];
      for (std::size_t c = first; c < kColumns && static_cast<double>(c) < end; ++c) {
        row[c] = block.name.empty() ? '+' : '#';
      }
    }
  }
  return rows;
}

std::vector<ArenaBlock> largest(const PlanInfo& plan, std::size_t count) {
  std::vector<ArenaBlock> blocks = plan.arena;
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const ArenaBlock& a, const ArenaBlock& b) { return a.bytes > b.bytes; });
  blocks.resize(std::min(count, blocks.size()));
  return blocks;
}

std::string owner(const PlanInfo& plan, const ArenaBlock& block) {
  if (!block.name.empty()) return printable(block.name);
  return "scratch of " + printable(plan.steps[static_cast<std::size_t>(block.first)].node);
}

}  // namespace

std::string plot_arena(const PlanInfo& plan) {
  if (plan.arena.empty()) return "\nthe plan has no arena: no step keeps a value in it\n";
  const std::vector<std::size_t> bytes = bytes_by_step(plan);
  const auto fullest = std::max_element(bytes.begin(), bytes.end());
  const auto step = static_cast<std::size_t>(fullest - bytes.begin());
  const auto arena = static_cast<double>(plan.arena_bytes);
  std::string text = format(
      "\narena of %s, %s of it taken in step %zu, '%s'\n"
      "a column is %s: # values, + scratch memory, . free\n",
      size_text(arena).c_str(), size_text(static_cast<double>(*fullest)).c_str(), step,
      printable(plan.steps[step].node).c_str(), size_text(arena / kColumns).c_str());
  const std::vector<std::string> rows = draw(plan);
  Table table({0, 2});
  for (std::size_t s = 0; s < rows.size(); ++s) {
    table.add({std::to_string(s), rows[s], size_text(static_cast<double>(bytes[s])),
               printable(plan.steps[s].op), printable(plan.steps[s].node)});
  }
  text += table.str() + "\nlargest blocks\n";
  Table blocks({0});
  for (const ArenaBlock& block : largest(plan, 10)) {
    blocks.add({size_text(static_cast<double>(block.bytes)), owner(plan, block),
                format("steps %d to %d", block.first, block.last)});
  }
  return text + blocks.str();
}

Json arena_json(const PlanInfo& plan) {
  Json json = {{"arena_bytes", plan.arena_bytes},
               {"bytes_by_step", bytes_by_step(plan)},
               {"blocks", Json::array()}};
  for (const ArenaBlock& block : plan.arena) {
    json["blocks"].push_back({{"value", block.name.empty() ? Json() : Json(block.name)},
                              {"offset", block.offset},
                              {"bytes", block.bytes},
                              {"first_step", block.first},
                              {"last_step", block.last}});
  }
  return json;
}

}  // namespace mini_infer::tools
