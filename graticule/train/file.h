// One open file with whole reads and writes at an offset. Every error message contains the file's name. The
// destructor closes the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace graticule {

class File {
 public:
  /// Opens an existing file for reading. `where` opens every message of this file: "[where] path: ...". Fails
  /// when it cannot be read.
  static File open(const std::string& path, std::string where);
  /// Makes a new file, or empties an existing one, for writing. Fails when it cannot be written.
  static File create(const std::string& path, std::string where);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes of the file now.
  int64_t size() const;
  /// Fills `out` from byte `offset` on. Fails when the file ends before.
  void read_at(int64_t offset, std::span<std::byte> out) const;
  /// Writes all of `bytes` at byte `offset`. Fails when the disk is full.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Returns when the bytes are on the disk (fsync). Fails when that is not possible.
  void sync();
  /// Throws std::runtime_error: "[where] path: what". `what` includes what the user can do.
  [[noreturn]] void damaged(const std::string& what) const;

 private:
  File(int descriptor, std::string path, std::string where);
  [[noreturn]] void broken(const char* doing) const;

  int descriptor_;
  std::string path_, where_;
};

}  // namespace graticule
