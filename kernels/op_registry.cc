#include "kernels/op_registry.h"

#include <map>
#include <utility>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

#define MINI_OP(name) const OpDef& op_##name();
#include "kernels/ops.def"
#undef MINI_OP

namespace {

const std::vector<const OpDef*>& op_list() {
  static const std::vector<const OpDef*> ops = {
#define MINI_OP(name) &op_##name(),
#include "kernels/ops.def"
#undef MINI_OP
  };
  return ops;
}

class Registry : public OpLookup {
 public:
  Registry() {
    for (const OpDef* op : op_list()) ops_[{op->domain, op->type}] = op;
  }
  const OpDef* find(std::string_view domain, std::string_view type, int opset) const override {
    const auto it = ops_.find({domain, type});
    if (it == ops_.end() || it->second->since.front() > opset) return nullptr;
    return it->second;
  }

 private:
  std::map<std::pair<std::string_view, std::string_view>, const OpDef*> ops_;
};

}  // namespace

const OpLookup& op_registry() {
  static const Registry registry;
  return registry;
}

std::span<const OpDef* const> all_ops() { return op_list(); }

}  // namespace mini_infer
