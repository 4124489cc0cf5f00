// A file without a name, in a folder that the recipe names. It is unlinked as soon as it is open, so no file
// remains, however the process ends. offload.h and owned_state.h use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace graticule {

class ScratchFile {
 public:
  /// The words of its errors: "[where] FOLDER: what happened: way_out".
  struct Words {
    std::string where;
    std::string key;      ///< recipe key that named the folder
    std::string way_out;  ///< advice for a disk that is full or broken
  };

  /// Refuses a folder that is missing or cannot be written, and names the key.
  ScratchFile(std::string folder, Words words);
  ~ScratchFile();
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&&) = delete;

  /// Writes all of `bytes` at byte `offset`. Fails on any error, such as a full disk.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Reads from byte `offset` until `out` is full. Fails on any error, and when the file ends before.
  void read_at(int64_t offset, std::span<std::byte> out) const;
  /// Makes the file `bytes` long, filled with zeros, and reserves its place on the disk. Fails when the disk
  /// has no room; the message says what it was wanted for.
  void reserve(int64_t bytes, const std::string& wanted_for);
  /// The file descriptor, for mmap.
  int descriptor() const { return descriptor_; }
  /// Fails with the system's error number `error` in this file's words. `when`: for instance " after 3 GiB".
  [[noreturn]] void broken(int error, const std::string& when) const;

 private:
  std::string folder_;
  Words words_;
  int descriptor_;
};

}  // namespace graticule
