#include "graph/onnx/exporter.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

#include "graph/ir/text.h"
#include "graph/onnx/graph_writer.h"
#include "graph/onnx/wire.h"

namespace mini_infer {
namespace {

namespace fs = std::filesystem;

// Field numbers of onnx.proto.
constexpr std::uint32_t kGraph = 7, kInitializer = 5, kRawData = 9;

// Large tensors of external data start at pages, so that they can be mapped.
constexpr std::size_t kPage = 4096, kAlignment = 64;

// The IR version that came with an opset, as far as readers check it.
std::int64_t ir_version_for(int opset) {
  struct Row {
    int opset;
    std::int64_t ir;
  };
  constexpr Row kRows[] = {{9, 4}, {10, 5}, {11, 6}, {12, 7}, {15, 8}, {19, 9}, {21, 10}, {23, 11}};
  std::int64_t ir = 4;  // older ones want every initialiser to be an input
  for (const Row& row : kRows) {
    if (opset >= row.opset) ir = row.ir;
  }
  return ir;
}

pb::ModelProto model_header(const ImportedModel& model, const pb::GraphProto& graph) {
  const ModelHeader& header = model.header;
  pb::ModelProto proto;
  proto.set_ir_version(std::max(model.info.ir_version, ir_version_for(model.graph.opset())));
  proto.set_producer_name(header.producer_name.empty() ? "mini-infer" : header.producer_name);
  if (!header.producer_version.empty()) proto.set_producer_version(header.producer_version);
  if (!header.domain.empty()) proto.set_domain(header.domain);
  if (header.model_version != 0) proto.set_model_version(header.model_version);
  if (!header.doc.empty()) proto.set_doc_string(header.doc);
  for (const std::string& domain : used_domains(graph)) {
    auto* import = proto.add_opset_import();
    import->set_domain(domain);
    import->set_version(model.graph.opset(domain));
  }
  for (const auto& [key, value] : model.info.metadata) {
    auto* entry = proto.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  return proto;
}

// Takes bytes in order.
using Sink = std::function<Status(const void* data, std::size_t size)>;

std::size_t field_size(std::uint32_t number, std::size_t payload) {
  return wire_prefix(number, payload).size() + payload;
}

// One initialiser: a message, and its elements unless they are in it already.
struct Item {
  std::string message;
  Tensor tensor;
  bool external = false;
  std::size_t offset = 0;  // in the external data

  bool raw() const { return !external && tensor.dtype() != DType::kString; }
  std::size_t size() const {
    return message.size() + (raw() ? field_size(kRawData, tensor.bytes()) : 0);
  }
};

// The elements, read for as long as it takes.
Status write_elements(const Tensor& tensor, const Sink& sink) {
  const Tensor read = tensor.unread();
  return read.bytes() > 0 ? sink(read.data(), read.bytes()) : ok();
}

// A model cut into pieces that can be written one after the other.
class ModelFile {
 public:
  static Result<ModelFile> make(const ImportedModel& model, const ExportOptions& options,
                                const std::string& data_name) {
    MINI_TRY_ASSIGN(WrittenGraph written, write_graph(model, options.ops));
    ModelFile file;
    file.head_ = model_header(model, written.proto).SerializeAsString();
    if (written.proto.ByteSizeLong() > options.largest_message) {
      return error(Code::kResourceExhausted, "the graph without its initialisers has ",
                   written.proto.ByteSizeLong(), " bytes; a model file has at most ",
                   options.largest_message);
    }
    file.graph_ = written.proto.SerializeAsString();
    file.add_items(written.initialisers);
    using ExternalData = ExportOptions::ExternalData;
    const bool large = file.size() > options.largest_message;
    const bool wanted =
        options.external_data == ExternalData::kAlways ||
        (options.external_data == ExternalData::kAuto && (large || model.header.external_data));
    if (wanted && !data_name.empty()) {
      file.move_out(options.external_threshold, data_name);
    }
    if (file.size() > options.largest_message) {
      return error(Code::kResourceExhausted, "the model file would have ", file.size(),
                   " bytes; at most ", options.largest_message,
                   " are possible: write external data");
    }
    return file;
  }

  std::size_t size() const { return head_.size() + field_size(kGraph, graph_size()); }
  std::size_t external_size() const { return external_size_; }

  Status write(const Sink& sink) const {
    const auto put = [&](const std::string& text) { return sink(text.data(), text.size()); };
    MINI_TRY(put(head_));
    MINI_TRY(put(wire_prefix(kGraph, graph_size())));
    MINI_TRY(put(graph_));
    for (const Item& item : items_) {
      MINI_TRY(put(wire_prefix(kInitializer, item.size())));
      MINI_TRY(put(item.message));
      if (!item.raw()) continue;
      MINI_TRY(put(wire_prefix(kRawData, item.tensor.bytes())));
      MINI_TRY(write_elements(item.tensor, sink));
    }
    return ok();
  }

  Status write_external(const Sink& sink) const {
    static constexpr char kZeros[kPage] = {};
    std::size_t at = 0;
    for (const Item& item : items_) {
      if (!item.external) continue;
      MINI_TRY(sink(kZeros, item.offset - at));
      MINI_TRY(write_elements(item.tensor, sink));
      at = item.offset + item.tensor.bytes();
    }
    return ok();
  }

 private:
  void add_items(std::vector<Initialiser>& initialisers) {
    for (Initialiser& each : initialisers) {
      const pb::TensorProto proto = write_tensor_header(each.tensor, each.name);
      items_.push_back({.message = proto.SerializeAsString(), .tensor = each.tensor});
    }
    names_ = std::move(initialisers);
  }

  std::size_t graph_size() const {
    std::size_t size = graph_.size();
    for (const Item& item : items_) size += field_size(kInitializer, item.size());
    return size;
  }

  void move_out(std::size_t threshold, const std::string& data_name) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      Item& item = items_[i];
      const std::size_t bytes = item.tensor.bytes();
      if (bytes < std::max<std::size_t>(threshold, 1) || item.tensor.dtype() == DType::kString) {
        continue;
      }
      const std::size_t alignment = bytes >= kPage ? kPage : kAlignment;
      item.external = true;
      item.offset = (external_size_ + alignment - 1) / alignment * alignment;
      external_size_ = item.offset + bytes;
      pb::TensorProto proto = write_tensor_header(item.tensor, names_[i].name);
      proto.set_data_location(pb::TensorProto::EXTERNAL);
      const std::pair<const char*, std::string> entries[] = {
          {"location", data_name}, {"offset", cat(item.offset)}, {"length", cat(bytes)}};
      for (const auto& [key, value] : entries) {
        auto* entry = proto.add_external_data();
        entry->set_key(key);
        entry->set_value(value);
      }
      item.message = proto.SerializeAsString();
    }
  }

  std::string head_;   // a ModelProto without its graph
  std::string graph_;  // a GraphProto without initialisers
  std::vector<Item> items_;
  std::vector<Initialiser> names_;
  std::size_t external_size_ = 0;
};

Status io_error(const std::string& path) {
  return error(Code::kIo, "cannot write '", path, "': ", std::strerror(errno));
}

Status write_to(const std::string& path, const std::function<Status(const Sink&)>& write) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return io_error(path);
  MINI_TRY(write([&](const void* data, std::size_t size) {
    return std::fwrite(data, 1, size, file.get()) == size ? ok() : io_error(path);
  }));
  return std::fclose(file.release()) == 0 ? ok() : io_error(path);
}

// Where the file will be, links followed.
Result<fs::path> place_of(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status)) return fs::path(path);
  if (!fs::is_regular_file(status)) {
    return error(Code::kIo, "cannot write '", path, "': it is no regular file");
  }
  fs::path real = fs::canonical(path, failure);
  if (failure) return error(Code::kIo, "cannot write '", path, "': ", failure.message());
  return real;
}

}  // namespace

Result<std::string> export_bytes(const ImportedModel& model, const ExportOptions& options) {
  MINI_TRY_ASSIGN(const ModelFile file, ModelFile::make(model, options, ""));
  std::string bytes;
  bytes.reserve(file.size());
  MINI_TRY(file.write([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return ok();
  }));
  return bytes;
}

StagedModel::StagedModel(StagedModel&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      data_path_(std::move(other.data_path_)),
      data_target_(std::move(other.data_target_)),
      bytes_(other.bytes_) {}

StagedModel::~StagedModel() {
  if (folder_.empty()) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Status StagedModel::commit() {
  // The data first: a model file is never without it.
  if (!data_path_.empty() && std::rename(data_path_.c_str(), data_target_.c_str()) != 0) {
    return io_error(data_target_);
  }
  return std::rename(path_.c_str(), target_.c_str()) == 0 ? ok() : io_error(target_);
}

Result<StagedModel> stage_model(const ImportedModel& model, const std::string& path,
                                const ExportOptions& options) {
  MINI_TRY_ASSIGN(const fs::path target, place_of(path));
  const std::string name = target.filename().string();
  if (name.empty()) return error(Code::kIo, "cannot write '", path, "': it names no file");
  MINI_TRY_ASSIGN(const ModelFile file, ModelFile::make(model, options, name + ".data"));
  StagedModel staged;
  staged.target_ = target.string();
  std::string folder = staged.target_ + ".XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return io_error(path);
  staged.folder_ = folder;
  staged.path_ = folder + "/" + name;
  staged.bytes_ = file.size() + file.external_size();
  if (file.external_size() > 0) {
    staged.data_path_ = staged.path_ + ".data";
    staged.data_target_ = staged.target_ + ".data";
    MINI_TRY(
        write_to(staged.data_path_, [&](const Sink& sink) { return file.write_external(sink); }));
  }
  MINI_TRY(write_to(staged.path_, [&](const Sink& sink) { return file.write(sink); }));
  return staged;
}

Status export_file(const ImportedModel& model, const std::string& path,
                   const ExportOptions& options) {
  MINI_TRY_ASSIGN(StagedModel staged, stage_model(model, path, options));
  return staged.commit();
}

}  // namespace mini_infer
