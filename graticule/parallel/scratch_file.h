// A file without a name, in a folder that the recipe names: unlinked as soon as it is open, so that nothing
// stays behind, whatever ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace graticule {

class ScratchFile {
 public:
  /// How its errors read: "[where] FOLDER: what happened: way_out".
  struct Words {
    std::string where;
    std::string key;      ///< of the recipe, that named the folder
    std::string way_out;  ///< of a disk that is full or broken
  };

  /// Refuses a folder that is missing or cannot be written, naming the key.
  ScratchFile(std::string folder, Words words);
  ~ScratchFile();
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&&) = delete;

  /// Writes all of `bytes` at `offset`. Fails when the disk is full.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// Fills `out` from `offset`. Fails when the file ends before.
  void read_at(int64_t offset, std::span<std::byte> out) const;
  /// Makes the file `bytes` long, of zeros, and its place on the disk certain. Fails, saying for what it was
  /// wanted, when the disk has not that much.
  void reserve(int64_t bytes, const std::string& wanted_for);
  /// For mmap.
  int descriptor() const { return descriptor_; }
  /// Throws the error number `error` in this file's words; `when`: " after 3 GiB".
  [[noreturn]] void broken(int error, const std::string& when) const;

 private:
  std::string folder_;
  Words words_;
  int descriptor_;
};

}  // namespace graticule
