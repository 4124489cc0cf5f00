// Writes files that appear whole or not at all: under the name PATH.part first, then renamed to PATH.
// Recipes, metrics, scores, plans and exported weights are written this way.
#pragma once

#include <string>

namespace graticule {

class AsideFile {
 public:
  /// Makes the folder of `path` when it does not exist. `where` opens the messages: "[where] ...".
  AsideFile(std::string path, std::string where);
  /// Removes the .part file, unless `publish` succeeded.
  ~AsideFile();
  AsideFile(const AsideFile&) = delete;
  AsideFile& operator=(const AsideFile&) = delete;

  /// The path to write to before `publish`: PATH.part.
  const std::string& path() const { return aside_; }
  /// Renames the .part file to the final path and replaces a file there. Fails when it cannot be renamed.
  void publish();

 private:
  std::string path_, aside_, where_;
  bool published_ = false;
};

/// Writes `content` to `path`, whole or not at all, and syncs it to the disk. `where` opens the messages.
void write_whole(const std::string& path, const std::string& content, const std::string& where);

/// Refuses a path that cannot be written, before the long work that makes its content. Leaves no file or
/// folder behind. `name`: the option that gave the path, such as "--out"; `where` opens the message.
void refuse_unwritable(const std::string& path, const std::string& where, const std::string& name);

}  // namespace graticule
