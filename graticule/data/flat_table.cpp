#include "graticule/data/flat_table.h"

#include "graticule/core/error.h"

namespace graticule {

void FlatBytes::damaged() const {
  fail("icechunk", *where_, " is damaged or cut off: it points beyond its end: copy it again");
}

std::string_view FlatBytes::part(size_t at, size_t size) const {
  if (at > buffer_.size() || size > buffer_.size() - at) damaged();
  return buffer_.substr(at, size);
}

uint64_t FlatBytes::number(size_t at, size_t size) const {
  uint64_t value = 0;
  size_t shift = 0;
  for (const char byte : part(at, size)) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(byte)) << shift;
    shift += 8;
  }
  return value;
}

size_t FlatBytes::follow(size_t at) const { return at + number(at, 4); }

FlatTable FlatTable::root(std::string_view buffer, const std::string& where) {
  const FlatTable start({buffer, where}, 0);
  return {start, start.follow(0)};
}

// The layout of a table is elsewhere: its size, the size of the table, and where each field is in the table.
std::optional<size_t> FlatTable::place_of(size_t field) const {
  const auto back = static_cast<int32_t>(number(at_, 4));
  const int64_t layout = static_cast<int64_t>(at_) - back;
  if (layout < 0) damaged();
  const auto start = static_cast<size_t>(layout);
  const size_t entry = 4 + 2 * field;
  if (entry + 2 > number(start, 2)) return std::nullopt;
  const size_t offset = number(start + entry, 2);
  return offset == 0 ? std::nullopt : std::optional(at_ + offset);
}

uint64_t FlatTable::integer(size_t field, size_t size, uint64_t otherwise) const {
  const std::optional<size_t> place = place_of(field);
  return place ? number(*place, size) : otherwise;
}

std::string_view FlatTable::bytes(size_t field, size_t size) const {
  const std::optional<size_t> place = place_of(field);
  if (!place) damaged();
  return part(*place, size);
}

std::string_view FlatTable::text(size_t field) const {
  const std::optional<size_t> place = place_of(field);
  if (!place) return {};
  const size_t start = follow(*place);
  return part(start + 4, number(start, 4));
}

FlatTable FlatTable::table(size_t field) const {
  const std::optional<size_t> place = place_of(field);
  if (!place) damaged();
  return {*this, follow(*place)};
}

FlatList FlatTable::list(size_t field) const {
  const std::optional<size_t> place = place_of(field);
  if (!place) return {*this, 0, 0};
  const size_t start = follow(*place);
  return {*this, start + 4, number(start, 4)};
}

}  // namespace graticule
