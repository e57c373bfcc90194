// Where `compare` takes the values from that others are compared with.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tools/trace.h"

namespace mini_infer::tools {

// Values by name, given in parts so that they need not be in memory all at once.
class Reference {
 public:
  virtual ~Reference() = default;
  // Makes the next part available; false when there was none left.
  virtual Result<bool> next() = 0;
  // The value if it is in this part; an empty tensor otherwise.
  virtual Result<Tensor> find(const std::string& name) = 0;
};

// Values from files: a folder with .npy and .pb files, or a .npz file. A .npy file, and one in a
// .npz, has the name of the value, as it is or as file_name_for() writes it, unless the folder has
// the index that `run --dump` writes; a .pb file has the name in it, or is named like a .npy file.
Result<std::unique_ptr<Reference>> open_files(const std::string& path);

// The values that another session computes from the same inputs. Each part holds values of at most
// `part_bytes`, but at least one, and takes a run.
std::unique_ptr<Reference> run_session(const Session& session, TensorMap inputs,
                                       std::set<std::string> names,
                                       std::size_t part_bytes = std::size_t{512} << 20);

}  // namespace mini_infer::tools
