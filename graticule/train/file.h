// One open file: whole reads and writes at an offset, every error said with the file's name. The file closes
// itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace graticule {

class File {
 public:
  /// Opens an existing file to read. `where` opens every message of this file: "[where] path: ...".
  static File open(const std::string& path, std::string where);
  /// Makes a new file, or empties the one that is there.
  static File create(const std::string& path, std::string where);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const;
  /// Fills `out` from byte `offset`; fails when the file ends before.
  void read_at(int64_t offset, std::span<std::byte> out) const;
  /// Writes all of `bytes` from byte `offset` on; fails when the disk is full.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Returns when the bytes are on the disk (fsync).
  void sync();
  /// Throws std::runtime_error: "[where] path: what". `what` says the way out.
  [[noreturn]] void damaged(const std::string& what) const;

 private:
  File(int descriptor, std::string path, std::string where);
  [[noreturn]] void broken(const char* doing) const;

  int descriptor_;
  std::string path_, where_;
};

}  // namespace graticule
