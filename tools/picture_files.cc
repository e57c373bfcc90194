#include "tools/picture_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "tools/common.h"
#include "tools/image/encode.h"

namespace mini_infer::tools {
namespace {

namespace fs = std::filesystem;

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

Result<std::vector<std::string>> pictures_in(const std::string& folder) {
  std::vector<std::string> pictures;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string();
    if (is_image_name(path) && !is_folder(path)) pictures.push_back(path);
  }
  if (error) return Status(Code::kIo, "cannot list '" + folder + "': " + error.message());
  if (pictures.empty())
    return Status(Code::kInvalidArgument, "folder '" + folder + "' holds no .png, .jpg or .jpeg");
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

Status check_not_itself(const std::string& out, const std::string& file,
                        const std::string& picture) {
  std::error_code error;
  if (!fs::equivalent(file, picture, error)) return ok();
  return {Code::kInvalidArgument, format("--out %s: '%s' would be overwritten; name another place",
                                         out.c_str(), picture.c_str())};
}

}  // namespace

Result<std::vector<std::string>> expand_folders(const std::vector<std::string>& paths) {
  std::vector<std::string> pictures;
  for (const std::string& path : paths) {
    if (!is_folder(path)) {
      pictures.push_back(path);
      continue;
    }
    MINI_TRY_ASSIGN(const std::vector<std::string> inside, pictures_in(path));
    pictures.insert(pictures.end(), inside.begin(), inside.end());
  }
  return pictures;
}

bool is_folder_for(const std::string& out, const std::vector<std::string>& paths) {
  return paths.size() != 1 || is_folder(paths[0]) || is_folder(out) ||
         fs::path(out).filename().empty();
}

Result<std::vector<std::string>> files_for(const std::string& out,
                                           const std::vector<std::string>& paths,
                                           const std::vector<std::string>& pictures) {
  if (!is_folder_for(out, paths)) {
    MINI_TRY(check_not_itself(out, out, pictures[0]));
    return std::vector<std::string>{out};
  }
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return Status(Code::kIo, "cannot make folder '" + out + "': " + error.message());
  std::vector<std::string> files;
  std::map<std::string, std::string> taken;
  for (const std::string& picture : pictures) {
    const fs::path name = fs::path(picture).filename();
    const std::string file =
        (fs::path(out) / (is_image_name(picture) ? name : fs::path(name.string() + ".png")))
            .string();
    const auto [other, fresh] = taken.emplace(file, picture);
    if (!fresh) {
      return Status(Code::kInvalidArgument,
                    format("--out: '%s' and '%s' would both be written to '%s'",
                           other->second.c_str(), picture.c_str(), file.c_str()));
    }
    MINI_TRY(check_not_itself(out, file, picture));
    files.push_back(file);
  }
  return files;
}

}  // namespace mini_infer::tools
