// A file that appears whole or not at all: written under another name beside its own, then renamed.
#pragma once

#include <string>

namespace graticule {

class AsideFile {
 public:
  /// Makes the folder of `path` where it is missing. `where` opens the messages.
  AsideFile(std::string path, std::string where);
  /// Removes what was written, unless `publish` came first.
  ~AsideFile();
  AsideFile(const AsideFile&) = delete;
  AsideFile& operator=(const AsideFile&) = delete;

  /// Where to write until then: PATH.part.
  const std::string& path() const { return aside_; }
  /// Gives the file its name, and replaces what had it.
  void publish();

 private:
  std::string path_, aside_, where_;
  bool published_ = false;
};

/// Writes `content` to `path`, whole or not at all; `where` opens the messages.
void write_whole(const std::string& path, const std::string& content, const std::string& where);

/// Refuses a file that could not be written when its content is there: long work must not end in that. Leaves
/// nothing behind. `name`: what the user calls it, such as "--out".
void refuse_unwritable(const std::string& path, const std::string& where, const std::string& name);

}  // namespace graticule
