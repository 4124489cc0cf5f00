// Reads tables of FlatBuffers without generated code, and checks every offset: a damaged file is an error, never
// a read beyond its end. Icechunk's metadata are such tables (flatbuffers.dev, "Internals").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graticule {

/// Some bytes of a buffer.
class FlatBytes {
 public:
  /// `where` names the file in messages; both must outlive this object.
  FlatBytes(std::string_view buffer, const std::string& where) : buffer_(buffer), where_(&where) {}

 protected:
  [[noreturn]] void damaged() const;
  std::string_view part(size_t at, size_t size) const;
  /// A little-endian number of `size` bytes.
  uint64_t number(size_t at, size_t size) const;
  /// The position that the 4 bytes at `at` point to.
  size_t follow(size_t at) const;

  std::string_view buffer_;
  const std::string* where_;
};

class FlatList;

class FlatTable : public FlatBytes {
 public:
  /// The table at the root of a buffer.
  static FlatTable root(std::string_view buffer, const std::string& where);
  FlatTable(const FlatBytes& buffer, size_t at) : FlatBytes(buffer), at_(at) {}

  bool has(size_t field) const { return place_of(field).has_value(); }
  /// An integer of `size` bytes; `otherwise` when the field is absent.
  uint64_t integer(size_t field, size_t size, uint64_t otherwise) const;
  /// A fixed number of bytes in the table itself. Fails when the field is absent.
  std::string_view bytes(size_t field, size_t size) const;
  /// A text or a list of bytes; empty when absent.
  std::string_view text(size_t field) const;
  /// Another table. Fails when the field is absent.
  FlatTable table(size_t field) const;
  /// A list; empty when absent.
  FlatList list(size_t field) const;

 private:
  std::optional<size_t> place_of(size_t field) const;
  size_t at_;
};

class FlatList : public FlatBytes {
 public:
  FlatList(const FlatBytes& buffer, size_t first, size_t size)
      : FlatBytes(buffer), first_(first), size_(size) {}
  size_t size() const { return size_; }
  FlatTable table(size_t index) const { return {*this, follow(first_ + 4 * index)}; }
  uint32_t integer(size_t index) const { return static_cast<uint32_t>(number(first_ + 4 * index, 4)); }

 private:
  size_t first_, size_;
};

}  // namespace graticule
