#include "tools/reference.h"

#include <filesystem>

#include "graph/onnx/tensor_reader.h"
#include "tools/common.h"
#include "tools/dump.h"
#include "tools/npy.h"
#include "tools/npz.h"
#include "tools/print.h"

namespace mini_infer::tools {
namespace {

namespace fs = std::filesystem;

Result<Tensor> read_npy_file(const std::string& path) {
  MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(path));
  Result<Tensor> tensor = parse_npy(bytes);
  return tensor.ok() ? tensor : Result<Tensor>(tensor.status().at("'" + path + "'"));
}

class Files : public Reference {
 public:
  Result<bool> next() override { return !std::exchange(given_, true); }

  Result<Tensor> find(const std::string& name) override {
    for (const std::string& key : {name, file_name_for(name)}) {
      const auto file = files_.find(key);
      if (file != files_.end()) return read(file->second);
      const auto tensor = tensors_.find(key);
      if (tensor != tensors_.end()) return tensor->second;
    }
    return Tensor();
  }

  Status open_folder(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const fs::path& path = entry.path();
      if (path.extension() == ".npy") files_.emplace(path.stem().string(), path.string());
      if (path.extension() == ".pb") MINI_TRY(add_pb(path));
    }
    if (error)
      return {Code::kIo, "cannot read folder '" + folder.string() + "': " + error.message()};
    MINI_TRY(use_index(folder));
    if (!files_.empty()) return ok();
    return {Code::kInvalidArgument, "folder '" + folder.string() + "' has no .npy or .pb files"};
  }

  Status open_npz(const std::string& path) {
    MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(path));
    Result<TensorMap> tensors = parse_npz(bytes);
    if (!tensors.ok()) return tensors.status().at("'" + path + "'");
    tensors_ = *std::move(tensors);
    return ok();
  }

 private:
  static Result<Tensor> read(const std::string& path) {
    if (path.ends_with(".npy")) return read_npy_file(path);
    MINI_TRY_ASSIGN(NamedTensor named, read_tensor_file(path));
    return std::move(named.tensor);
  }

  Status add_pb(const fs::path& path) {
    MINI_TRY_ASSIGN(const NamedTensor named, read_tensor_file(path.string()));
    files_.emplace(named.name.empty() ? path.stem().string() : named.name, path.string());
    return ok();
  }

  Status use_index(const fs::path& folder) {
    const fs::path path = folder / kDumpIndex;
    std::error_code error;
    if (!fs::exists(path, error)) return ok();
    MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(path.string()));
    const Json index = Json::parse(reinterpret_cast<const char*>(bytes.data()),
                                   reinterpret_cast<const char*>(bytes.data()) + bytes.size(),
                                   nullptr, /*allow_exceptions=*/false);
    if (!index.is_object()) {
      return {Code::kInvalidArgument, "'" + path.string() + "' is no index of values: remove it"};
    }
    files_.clear();
    for (const auto& [name, file] : index.items()) {
      // Files of this folder only, whatever the index says.
      if (file.is_string()) {
        files_[name] = (folder / fs::path(file.get<std::string>()).filename()).string();
      }
    }
    return ok();
  }

  bool given_ = false;
  std::map<std::string, std::string> files_;  // by the name of the value
  TensorMap tensors_;
};

class SessionRun : public Reference {
 public:
  SessionRun(const Session& session, TensorMap inputs, std::set<std::string> names,
             std::size_t part_bytes)
      : session_(session),
        inputs_(std::move(inputs)),
        names_(std::move(names)),
        part_bytes_(part_bytes) {}

  Result<bool> next() override {
    part_.clear();
    if (finished_) return false;
    std::size_t bytes = 0, position = 0;
    bool full = false;
    const auto see = [&](const TracedValue& value) {
      if (!names_.contains(value.name) || position++ < done_ || full) return ok();
      full = !part_.empty() && bytes + value.tensor.bytes() > part_bytes_;
      if (full) return ok();
      bytes += value.tensor.bytes();
      part_[value.name] = value.tensor.clone();
      return ok();
    };
    MINI_TRY(trace_values(session_, inputs_, see).status());
    done_ += part_.size();
    finished_ = !full;
    return !part_.empty();
  }

  Result<Tensor> find(const std::string& name) override {
    const auto found = part_.find(name);
    return found == part_.end() ? Tensor() : found->second;
  }

 private:
  const Session& session_;
  TensorMap inputs_;
  std::set<std::string> names_;
  std::size_t part_bytes_;
  TensorMap part_;
  std::size_t done_ = 0;
  bool finished_ = false;
};

}  // namespace

Result<std::unique_ptr<Reference>> open_files(const std::string& path) {
  auto files = std::make_unique<Files>();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    MINI_TRY(files->open_folder(path));
  } else {
    MINI_TRY(files->open_npz(path));
  }
  return std::unique_ptr<Reference>(std::move(files));
}

std::unique_ptr<Reference> run_session(const Session& session, TensorMap inputs,
                                       std::set<std::string> names, std::size_t part_bytes) {
  return std::make_unique<SessionRun>(session, std::move(inputs), std::move(names), part_bytes);
}

}  // namespace mini_infer::tools
