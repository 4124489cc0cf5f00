#include "graticule/train/aside_file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <span>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/train/file.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

// The folders above a file that do not exist yet, the innermost first.
std::vector<fs::path> missing_folders(const std::string& path) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  for (fs::path folder = folder_of(path); !folder.empty() && !fs::exists(folder, ignored);
       folder = folder.parent_path()) {
    missing.push_back(folder);
  }
  return missing;
}

}  // namespace

AsideFile::AsideFile(std::string path, std::string where)
    : path_(std::move(path)), aside_(path_ + ".part"), where_(std::move(where)) {
  std::error_code ignored;  // if the folder cannot be made, opening the file fails and says why
  fs::create_directories(folder_of(path_), ignored);
}

AsideFile::~AsideFile() {
  std::error_code ignored;
  if (!published_) fs::remove(aside_, ignored);
}

void AsideFile::publish() {
  std::error_code error;
  fs::rename(aside_, path_, error);
  if (error) fail(where_, path_, " cannot be written: ", error.message(), "; choose another place");
  published_ = true;
}

void write_whole(const std::string& path, const std::string& content, const std::string& where) {
  AsideFile aside(path, where);
  File file = File::create(aside.path(), where);
  file.write_at(0, std::as_bytes(std::span(content)));
  file.sync();
  aside.publish();
}

void refuse_unwritable(const std::string& path, const std::string& where, const std::string& name) {
  std::error_code error;
  if (fs::path(path).filename().empty() || fs::is_directory(path, error))
    refuse(where, name, " = '", path, "' is a folder: choose another file");
  const std::vector<fs::path> made = missing_folders(path);
  const std::string probe = path + ".part";
  fs::create_directories(folder_of(path), error);
  if (!error && !std::ofstream(probe)) error = {errno, std::generic_category()};
  std::error_code ignored;
  fs::remove(probe, ignored);
  for (const fs::path& folder : made) fs::remove(folder, ignored);
  if (error)
    refuse(where, name, " = '", path, "' cannot be written (", error.message(), "): choose another file");
}

}  // namespace graticule
