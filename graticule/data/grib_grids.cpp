// The grids and packings of a GRIB file, from the sections of its messages (WMO No. 306, FM 92: editions 1 and 2).
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

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

// Regular latitudes and longitudes as a message gives them, in degrees.
struct LatitudesLongitudes {
  uint64_t columns = 0, rows = 0;
  double first_latitude = 0, last_latitude = 0, first_longitude = 0, last_longitude = 0;
  bool westwards = false;
};

// A number of `size` bytes whose first bit is its sign.
double signed_at(const std::string& bytes, size_t at, size_t size) {
  const uint64_t number = big_endian(bytes, at, size), sign = uint64_t{1} << (8 * size - 1);
  return number < sign ? static_cast<double>(number) : -static_cast<double>(number - sign);
}

// What the messages of a file have in common.
class Messages {
 public:
  explicit Messages(const std::string& file) : file_(file) {}

  // Refuses a grid whose places GDAL gets wrong: rows from east to west, and any other than that of the first message.
  void add(const LatitudesLongitudes& grid) {
    if (grid.westwards)
      refuse("grib", file_,
             " has rows from east to west, which GDAL puts in wrong places: turn them (grib_set -s "
             "swapScanningX=1 IN OUT)");
    if (!first_) first_ = grid;
    constexpr double same = 2e-3;  // edition 1 rounds to a thousandth
    const auto differ = [&](double a, double b) { return std::abs(std::remainder(a - b, 360)) > same; };
    if (grid.columns != first_->columns || grid.rows != first_->rows ||
        differ(grid.first_longitude, first_->first_longitude) ||
        differ(grid.last_longitude, first_->last_longitude) ||
        differ(std::max(grid.first_latitude, grid.last_latitude),
               std::max(first_->first_latitude, first_->last_latitude)) ||
        differ(std::min(grid.first_latitude, grid.last_latitude),
               std::min(first_->first_latitude, first_->last_latitude)))
      refuse("grib", file_, " has messages on different grids: ", words_of(*first_), ", and ", words_of(grid),
             ": put each grid into a file of its own (grib_copy IN 'OUT_[Ni].grib')");
  }

  void add_packing(std::string name) { packings_.insert(std::move(name)); }
  const std::set<std::string>& packings() const { return packings_; }

 private:
  static std::string words_of(const LatitudesLongitudes& grid) {
    return text(grid.rows, " x ", grid.columns, " from ", grid.first_latitude, ", ", grid.first_longitude,
                " to ", grid.last_latitude, ", ", grid.last_longitude);
  }

  const std::string& file_;
  std::optional<LatitudesLongitudes> first_;
  std::set<std::string> packings_;
};

constexpr uint64_t westwards = 0x80;  // of the way that points are scanned

// The number of the grid, and the names of the kinds that users meet.
[[noreturn]] void refuse_grid(const std::string& file, uint64_t grid,
                              const std::map<uint64_t, const char*>& names) {
  const auto name = names.find(grid);
  refuse(
      "grib", file, " is on ", name == names.end() ? text("grid ", grid) : name->second,
      ": known are regular latitudes and longitudes; ask the archive for these (`grid: 0.25/0.25`), or write it as NetCDF "
      "with cfgrib and xarray (a reduced grid or HEALPix is then read with data.grid = \"cells\")");
}

void check_first_edition(const std::string& file, size_t at, size_t total, Messages& messages) {
  static const std::map<uint64_t, const char*> names = {{4, "a Gaussian grid"},
                                                        {5, "a polar stereographic projection"},
                                                        {3, "a Lambert projection"},
                                                        {10, "rotated latitudes and longitudes"},
                                                        {50, "spherical harmonics"}};
  const std::string product = part_of(file, at + 8, 8, total);
  constexpr unsigned has_grid = 0x80;
  if ((static_cast<uint8_t>(product[7]) & has_grid) == 0)
    refuse("grib", file, " names no grid in its messages: convert it to edition 2");
  constexpr size_t size = 28;
  const std::string start = part_of(file, at + 8 + big_endian(product, 0, 3), size, total);
  const uint64_t grid = big_endian(start, 5, 1);
  if (grid != 0) refuse_grid(file, grid, names);
  const auto degrees = [&](size_t byte) { return signed_at(start, byte, 3) / 1e3; };
  messages.add({big_endian(start, 6, 2), big_endian(start, 8, 2), degrees(10), degrees(17), degrees(13),
                degrees(20), (big_endian(start, 27, 1) & westwards) != 0});
}

LatitudesLongitudes second_grid(const std::string& file, size_t section, size_t total) {
  constexpr size_t size = 72;
  const std::string start = part_of(file, section, size, total);
  // In millionths, or in the unit that the message names.
  const uint64_t angle = big_endian(start, 38, 4), parts = big_endian(start, 42, 4), none = 0xFFFFFFFF;
  const bool own = angle != 0 && angle != none && parts != 0 && parts != none;
  const double unit = own ? static_cast<double>(angle) / static_cast<double>(parts) : 1e-6;
  const auto degrees = [&](size_t byte) { return signed_at(start, byte, 4) * unit; };
  return {big_endian(start, 30, 4),
          big_endian(start, 34, 4),
          degrees(46),
          degrees(55),
          degrees(50),
          degrees(59),
          (big_endian(start, 71, 1) & westwards) != 0};
}

// A packing of edition 2 by its number (code table 5.0); nothing for those that every GDAL reads.
std::optional<std::string> packing_named(uint64_t number) {
  static const std::map<uint64_t, const char*> names = {{0, nullptr},        {2, nullptr}, {3, nullptr},
                                                        {40, "JPEG 2000"},   {41, "PNG"},  {42, "CCSDS"},
                                                        {200, "run lengths"}};
  const auto name = names.find(number);
  if (name == names.end()) return text("packing ", number);
  return name->second ? std::optional<std::string>(name->second) : std::nullopt;
}

void check_second_edition(const std::string& file, size_t at, size_t end, size_t total, Messages& messages) {
  static const std::map<uint64_t, const char*> names = {{1, "rotated latitudes and longitudes"},
                                                        {20, "a polar stereographic projection"},
                                                        {30, "a Lambert projection"},
                                                        {40, "a Gaussian grid"},
                                                        {50, "spherical harmonics"},
                                                        {101, "an unstructured grid"},
                                                        {150, "HEALPix"}};
  constexpr size_t first_section = 16, grid_section = 3, packing_section = 5, head = 14;
  for (size_t section = at + first_section; section + head <= end;) {
    const std::string start = part_of(file, section, head, total);
    if (start.starts_with("7777")) return;
    const uint64_t length = big_endian(start, 0, 4), grid = big_endian(start, 12, 2);
    const auto number = static_cast<uint8_t>(start[4]);
    if (length < 5) fail("grib", file, " is damaged: a section of ", length, " bytes: copy it again");
    if (number == grid_section && grid != 0) refuse_grid(file, grid, names);
    if (number == grid_section) messages.add(second_grid(file, section, total));
    if (number == packing_section) {
      if (auto packing = packing_named(big_endian(start, 9, 2))) messages.add_packing(std::move(*packing));
    }
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

std::set<std::string> check_grib_grids(const std::string& file) {
  Messages messages(file);
  const size_t total = file_size(file).value_or(0);
  constexpr size_t head = 16;
  for (size_t at = 0; at + head <= total;) {
    const std::string start = part_of(file, at, head, total);
    if (!start.starts_with("GRIB")) break;  // what follows the last message
    const bool second = start[7] == 2;
    const uint64_t length = second ? big_endian(start, 8, 8) : big_endian(start, 4, 3);
    // A message of edition 1 above 8 MB counts its length in another way: its grid is checked, and no other.
    constexpr uint64_t long_message = 0x800000;
    const bool counted = second || length < long_message;
    if (counted && (length < head || length > total - at))
      fail("grib", file, " is damaged or cut off: it ends inside a message: copy it again");
    second ? check_second_edition(file, at, at + length, total, messages)
           : check_first_edition(file, at, total, messages);
    if (!counted) break;
    at += length;
  }
  return messages.packings();
}

}  // namespace graticule
