// LabelEncoder of ai.onnx.ml: keys replaced by values.
//                                              onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
#include <cmath>
#include <map>
#include <type_traits>

#include "kernels/movement/params.h"

namespace mini_infer {
namespace {

// The list and the default of one side, by element type.
Strings list_of(const AttributeReader& c, const std::string& side, const std::string*) {
  return c.strings(side + "_strings");
}
Ints list_of(const AttributeReader& c, const std::string& side, const std::int64_t*) {
  return c.ints(side + "_int64s");
}
Floats list_of(const AttributeReader& c, const std::string& side, const float*) {
  return c.floats(side + "_floats");
}
template <class T>
std::vector<T> list_of(const AttributeReader&, const std::string&, const T*) {
  return {};  // other dtypes come as tensors only
}

template <class T>
Result<std::vector<T>> side_of(const AttributeReader& c, const std::string& side) {
  if (const Tensor* tensor = c.tensor(side + "_tensor")) {
    if (tensor->dtype() != kDTypeOf<T>) {
      return not_implemented(side, "_tensor of ", dtype_name(tensor->dtype()));
    }
    return std::vector<T>(tensor->data<T>(), tensor->data<T>() + tensor->elements());
  }
  return list_of(c, side, static_cast<const T*>(nullptr));
}

template <class T>
T default_of(const AttributeReader& c) {
  const Tensor* tensor = c.tensor("default_tensor");
  if (tensor != nullptr && tensor->dtype() == kDTypeOf<T> && tensor->elements() == 1) {
    return *tensor->data<T>();
  }
  if constexpr (std::is_same_v<T, std::string>) {
    return c.string("default_string", "_Unused");
  } else if constexpr (std::is_same_v<T, float>) {
    return c.number("default_float", -0.f);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return c.integer("default_int64", -1);
  } else {
    return T{};
  }
}

DType value_dtype(const AttributeReader& c) {
  if (const Tensor* tensor = c.tensor("values_tensor")) return tensor->dtype();
  if (c.has("values_strings")) return DType::kString;
  return c.has("values_floats") ? DType::kFloat32 : DType::kInt64;
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1));
  c.set_output(0, value_dtype(c));
  if (c.shape(0) != nullptr) c.set_output(0, value_dtype(c), *c.shape(0));
  return ok();
}

// NaN equals NaN here.
template <class T>
struct Before {
  bool operator()(const T& a, const T& b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
    }
    return a < b;
  }
};

template <class Key, class Value>
Result<PreparedKernel> encoder(const PrepareContext& c) {
  MINI_TRY_ASSIGN(const std::vector<Key> keys, side_of<Key>(c, "keys"));
  MINI_TRY_ASSIGN(const std::vector<Value> values, side_of<Value>(c, "values"));
  if (keys.size() != values.size()) {
    return invalid_model(keys.size(), " keys and ", values.size(), " values");
  }
  std::map<Key, Value, Before<Key>> table;
  for (std::size_t i = 0; i < keys.size(); ++i) table.insert_or_assign(keys[i], values[i]);
  PreparedKernel kernel;
  kernel.name = "label_encoder";
  kernel.run = [table = std::move(table), fallback = default_of<Value>(c),
                count = c.shape(0).elements()](const KernelContext& k) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto found = table.find(k.input<Key>(0)[i]);
      k.output<Value>(0)[i] = found != table.end() ? found->second : fallback;
    }
    return ok();
  };
  return kernel;
}

template <class Key>
Result<PreparedKernel> encoder_of(const PrepareContext& c) {
  switch (c.output_dtype()) {
    case DType::kString:
      return encoder<Key, std::string>(c);
    case DType::kInt64:
      return encoder<Key, std::int64_t>(c);
    case DType::kFloat32:
      return encoder<Key, float>(c);
    case DType::kFloat64:
      return encoder<Key, double>(c);
    case DType::kInt16:
      return encoder<Key, std::int16_t>(c);
    case DType::kInt32:
      return encoder<Key, std::int32_t>(c);
    default:
      return not_implemented("values of ", dtype_name(c.output_dtype()));
  }
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  if (c.opset() < 2) return not_implemented("LabelEncoder of opset 1 with classes_strings");
  switch (c.dtype(0)) {
    case DType::kString:
      return encoder_of<std::string>(c);
    case DType::kInt64:
      return encoder_of<std::int64_t>(c);
    case DType::kFloat32:
      return encoder_of<float>(c);
    default:
      return not_implemented("keys of ", dtype_name(c.dtype(0)));
  }
}

}  // namespace

MINI_DEFINE_OP(LabelEncoder, {.domain = "ai.onnx.ml",
                              .type = "LabelEncoder",
                              .since = {1, 2, 4},
                              .infer = infer,
                              .prepare = prepare})

}  // namespace mini_infer
