// From a Graph to an ONNX file.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <string>

#include "graph/ir/op_def.h"
#include "graph/onnx/importer.h"

namespace mini_infer {

struct ExportOptions {
  enum class ExternalData {
    kAuto,    // as the model came; always where it would be too large for one file
    kNever,   // all in one file; kResourceExhausted where it is too large
    kAlways,  // initialisers of `external_threshold` bytes and more go to FILE.data
  };
  ExternalData external_data = ExternalData::kAuto;
  std::size_t external_threshold = 1024;
  // A protobuf message cannot be larger.
  std::size_t largest_message = (std::size_t{2} << 30) - 1;
  // Tells whether a node in another opset than the file's means the same there; without it, it does
  // not.
  const OpLookup* ops = nullptr;
};

// A model as a standard ONNX file: see graph_writer.h for what becomes of names. The IR version is
// the model's or the oldest that fits its opset. Values whose shapes are known are described;
// extents that are expressions are left open. The same graph gives the same bytes. kInvalidArgument
// where the graph cannot be written.
//
// In memory, without external data.
Result<std::string> export_bytes(const ImportedModel& model, const ExportOptions& options = {});

// A model file that is complete but not in its place yet: it lies under its own name, with its
// external data, in a folder of its own beside the place. Goes away with the object unless it is
// put in its place.
class StagedModel {
 public:
  StagedModel(StagedModel&& other) noexcept;
  StagedModel& operator=(StagedModel&&) = delete;
  ~StagedModel();

  const std::string& path() const { return path_; }
  std::size_t bytes() const { return bytes_; }  // of the model and its external data
  // Takes the place of what is there. The file may be the one that the model was read from.
  Status commit();

 private:
  friend Result<StagedModel> stage_model(const ImportedModel&, const std::string&,
                                         const ExportOptions&);
  StagedModel() = default;
  std::string folder_, path_, target_;
  std::string data_path_, data_target_;  // empty without external data
  std::size_t bytes_ = 0;
};

// Constants are written one after the other, and let go where they can be had again. kIo where
// something cannot be written.
Result<StagedModel> stage_model(const ImportedModel& model, const std::string& path,
                                const ExportOptions& options = {});
// stage_model() and commit().
Status export_file(const ImportedModel& model, const std::string& path,
                   const ExportOptions& options = {});

}  // namespace mini_infer
