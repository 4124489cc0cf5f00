// The grids of a GRIB file, from the sections of its messages (WMO No. 306, FM 92: editions 1 and 2).
#include <map>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/grib.h"

namespace graticule {

namespace {

uint64_t big_endian(const std::string& bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = at; i < at + size; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

std::string part_of(const std::string& file, size_t at, size_t size, size_t total) {
  if (at > total || size > total - at)
    fail("grib", file, " is damaged or cut off: a message ends after the file: copy it again");
  std::string bytes(size, '\0');
  read_range(file, at, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

// The number of the grid, and the names of the kinds that users meet.
[[noreturn]] void refuse_grid(const std::string& file, uint64_t grid,
                              const std::map<uint64_t, const char*>& names) {
  const auto name = names.find(grid);
  refuse(
      "grib", file, " is on ", name == names.end() ? text("grid ", grid) : name->second,
      ": known are regular latitudes and longitudes; ask the archive for these (`grid: 0.25/0.25`), or write it as NetCDF "
      "with cfgrib and xarray (a reduced grid or HEALPix is then read with data.grid = \"cells\")");
}

void check_first_edition(const std::string& file, size_t at, size_t total) {
  static const std::map<uint64_t, const char*> names = {{4, "a Gaussian grid"},
                                                        {5, "a polar stereographic projection"},
                                                        {3, "a Lambert projection"},
                                                        {10, "rotated latitudes and longitudes"},
                                                        {50, "spherical harmonics"}};
  const std::string product = part_of(file, at + 8, 8, total);
  constexpr unsigned has_grid = 0x80;
  if ((static_cast<uint8_t>(product[7]) & has_grid) == 0)
    refuse("grib", file, " names no grid in its messages: convert it to edition 2");
  const uint64_t grid = big_endian(part_of(file, at + 8 + big_endian(product, 0, 3), 6, total), 5, 1);
  if (grid != 0) refuse_grid(file, grid, names);
}

void check_second_edition(const std::string& file, size_t at, size_t end, size_t total) {
  static const std::map<uint64_t, const char*> names = {{1, "rotated latitudes and longitudes"},
                                                        {20, "a polar stereographic projection"},
                                                        {30, "a Lambert projection"},
                                                        {40, "a Gaussian grid"},
                                                        {50, "spherical harmonics"},
                                                        {101, "an unstructured grid"},
                                                        {150, "HEALPix"}};
  constexpr size_t first_section = 16, grid_section = 3, head = 14;
  for (size_t section = at + first_section; section + head <= end;) {
    const std::string start = part_of(file, section, head, total);
    if (start.starts_with("7777")) return;
    const uint64_t length = big_endian(start, 0, 4), grid = big_endian(start, 12, 2);
    if (length < 5) fail("grib", file, " is damaged: a section of ", length, " bytes: copy it again");
    if (static_cast<uint8_t>(start[4]) == grid_section && grid != 0) refuse_grid(file, grid, names);
    section += length;
  }
}

}  // namespace

bool is_grib(const std::string& file) {
  const std::optional<size_t> size = file_size(file);
  if (!size || *size < 8) return false;
  std::string start(4, '\0');
  read_range(file, 0, std::as_writable_bytes(std::span(start)));
  return start == "GRIB";
}

void check_grib_grids(const std::string& file) {
  const size_t total = file_size(file).value_or(0);
  constexpr size_t head = 16;
  for (size_t at = 0; at + head <= total;) {
    const std::string start = part_of(file, at, head, total);
    if (!start.starts_with("GRIB")) return;  // what follows the last message
    const bool second = start[7] == 2;
    const uint64_t length = second ? big_endian(start, 8, 8) : big_endian(start, 4, 3);
    // A message of edition 1 above 8 MB counts its length in another way: its grid is checked, and no other.
    constexpr uint64_t long_message = 0x800000;
    const bool counted = second || length < long_message;
    if (counted && (length < head || length > total - at))
      fail("grib", file, " is damaged or cut off: it ends inside a message: copy it again");
    second ? check_second_edition(file, at, at + length, total) : check_first_edition(file, at, total);
    if (!counted) return;
    at += length;
  }
}

}  // namespace graticule
