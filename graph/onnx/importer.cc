#include "graph/onnx/importer.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "graph/ir/text.h"
#include "graph/onnx/graph_builder.h"
#include "graph/onnx/import_state.h"
#include "graph/onnx/opset_guess.h"
#include "graph/onnx/wire.h"

namespace mini_infer {
namespace {

// Newest versions that mini-infer was written for; newer models are accepted with a note.
constexpr std::int64_t kNewestIrVersion = 13;
constexpr int kNewestOpset = 27;
constexpr std::int64_t kOldestIrVersion = 3;

// Tensors with more bytes stay in the file until they are needed.
constexpr std::size_t kPayloadThreshold = 4096;

using OpsetImports = google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto>;

void read_opsets(const OpsetImports& imports, const std::string& where, OpsetVersions& opsets,
                 ImportState& state) {
  for (const pb::OperatorSetIdProto& import : imports) {
    const std::string domain = canonical_domain(import.domain());
    if (import.version() < 1 || import.version() > std::numeric_limits<std::int32_t>::max()) {
      state.problems.add(invalid_model(where, " imports version ", import.version(), " of domain '",
                                       domain, "'; versions start at 1"));
      continue;
    }
    opsets[domain] = static_cast<int>(import.version());
  }
}

bool uses_default_domain(const pb::GraphProto& graph) {
  return std::any_of(graph.node().begin(), graph.node().end(), [](const pb::NodeProto& node) {
    return canonical_domain(node.domain()).empty();
  });
}

void read_header(const pb::ModelProto& model, ImportState& state, OpsetVersions& opsets) {
  ModelInfo& info = state.info;
  info.ir_version = model.ir_version();
  info.producer = model.producer_name();
  if (!model.producer_version().empty()) info.producer += " " + model.producer_version();
  for (const pb::StringStringEntryProto& entry : model.metadata_props()) {
    info.metadata[entry.key()] = entry.value();
  }
  state.header = {.producer_name = model.producer_name(),
                  .producer_version = model.producer_version(),
                  .domain = model.domain(),
                  .doc = model.doc_string(),
                  .graph_doc = model.graph().doc_string(),
                  .model_version = model.model_version()};
  if (model.graph().quantization_annotation_size() > 0) {
    state.header.dropped.push_back("quantization_annotation");
  }
  if (!model.has_ir_version()) {
    state.notes.add("ir_version", "the model has no ir_version");
  } else if (info.ir_version < kOldestIrVersion) {
    state.problems.add(not_implemented("the model has IR version ", info.ir_version,
                                       "; the oldest that can be read is ", kOldestIrVersion));
  } else if (info.ir_version > kNewestIrVersion) {
    state.notes.add("ir_version", cat("the model has IR version ", info.ir_version, ", newer than ",
                                      kNewestIrVersion, "; reading it all the same"));
  }
  read_opsets(model.opset_import(), "the model", opsets, state);
  if (!opsets.contains("")) {
    const OpsetGuess guess = guess_opset(model.graph());
    opsets[""] = guess.opset;
    if (uses_default_domain(model.graph())) {
      state.notes.add("opset", cat("the model has no opset_import; taken as opset ", guess.opset,
                                   guess.because.empty() ? "" : " because of ", guess.because));
    }
  }
  if (opsets[""] > kNewestOpset) {
    state.notes.add("opset", cat("the model has opset ", opsets[""], ", newer than ", kNewestOpset,
                                 "; reading it all the same"));
  }
  info.opsets.insert(opsets.begin(), opsets.end());
}

void read_functions(const pb::ModelProto& model, const OpsetVersions& opsets, ImportState& state) {
  for (const pb::FunctionProto& proto : model.functions()) {
    const FunctionKey key{canonical_domain(proto.domain()), proto.name(), overload_of(proto)};
    Function function{.proto = &proto, .opsets = opsets, .defaults = attribute_defaults(proto)};
    read_opsets(proto.opset_import(), cat("function '", proto.name(), "'"), function.opsets, state);
    if (!state.functions.emplace(key, std::move(function)).second) {
      state.problems.add(invalid_model("function '", proto.name(), "' is defined twice"));
    }
  }
}

// `bytes` are the whole model, which `tensors` refers to as well.
Result<ImportedModel> import_model(std::span<const std::byte> bytes, TensorStore& tensors,
                                   const LogFn& log) {
  if (bytes.empty()) return invalid_model("the model is empty");
  pb::ModelProto model;
  {
    MINI_TRY_ASSIGN(const std::string skeleton, cut_payloads(bytes, kPayloadThreshold));
    if (!model.ParsePartialFromString(skeleton)) {
      return invalid_model("not a readable ONNX file: protobuf refuses a message inside it");
    }
  }
  if (!model.has_graph()) {
    return invalid_model("not an ONNX model: it has no graph (", bytes.size(), " bytes)");
  }
  ImportState state{.tensors = tensors, .notes = Notes(log)};
  OpsetVersions opsets;
  read_header(model, state, opsets);
  read_functions(model, opsets, state);
  Graph graph = GraphBuilder(state).build(model.graph(), opsets);
  state.notes.flush();
  MINI_TRY(state.problems.status());
  MINI_TRY(graph.verify());
  state.info.file_bytes = bytes.size() + tensors.external_bytes();
  state.header.external_data = tensors.external_bytes() > 0;
  return ImportedModel{std::move(graph), std::move(state.info), std::move(state.header)};
}

}  // namespace

Result<ImportedModel> import_file(const std::string& path, const LogFn& log) {
  MINI_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  TensorStore tensors(file, folder);
  Result<ImportedModel> model = import_model(file->bytes(), tensors, log);
  if (!model.ok()) return std::move(model).status().at(path);
  return model;
}

Result<ImportedModel> import_bytes(std::span<const std::byte> model, const LogFn& log) {
  TensorStore tensors(model);
  return import_model(model, tensors, log);
}

}  // namespace mini_infer
