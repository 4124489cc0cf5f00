#include "graticule/data/grib.h"

#include <gdal_frmts.h>
#include <gdal_priv.h>

#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

// GDAL reads one band of a file at a time.
struct Opened {
  std::unique_ptr<GDALDataset> dataset;
  std::set<std::string> packings;  // those that not every GDAL reads
  std::mutex mutex;
};

// Ends because GDAL does not open or read a file: it may lack a packing.
[[noreturn]] void refuse_packing(const std::string& file, const std::string& what,
                                 const std::set<std::string>& packings, const std::string& reason) {
  if (packings.empty()) fail("grib", file, ": ", what, " (", reason, "): it is damaged: copy it again");
  std::string names;
  for (const std::string& name : packings) names += (names.empty() ? "" : ", ") + name;
  refuse(
      "grib", file, ": ", what, " (", reason, "): its numbers are packed by ", names,
      ", which this machine's GDAL does not read: repack them (grib_set -r -s packingType=grid_simple IN OUT), or write "
      "it as NetCDF with cfgrib and xarray");
}

// What one message holds.
struct Message {
  std::string quantity;    // GDAL's short name, in small letters
  std::string level_kind;  // "ISBL": a surface of equal pressure
  double level = 0;
  int64_t time = 0;
  std::string units, long_name;
  int band = 0;
};

std::string item_of(GDALRasterBand& band, const char* name) {
  const char* value = band.GetMetadataItem(name);
  return value ? value : "";
}

double number_at(const std::string& text, size_t at) {
  double number = 0;
  std::from_chars(text.data() + std::min(at, text.size()), text.data() + text.size(), number);
  return number;
}

Message message_of(GDALRasterBand& band, int number) {
  Message message;
  message.band = number;
  message.quantity = lower(item_of(band, "GRIB_ELEMENT"));
  const std::string level = item_of(band, "GRIB_SHORT_NAME"), time = item_of(band, "GRIB_VALID_TIME");
  message.level = number_at(level, 0);
  message.level_kind = level.substr(std::min(level.find('-') + 1, level.size()));
  // GDAL gives pressures in hPa for edition 1 and in Pa for edition 2, which alone has a discipline.
  constexpr double pascal_in_hectopascal = 100;
  if (message.level_kind == "ISBL" && item_of(band, "GRIB_DISCIPLINE").empty())
    message.level *= pascal_in_hectopascal;
  message.time = static_cast<int64_t>(number_at(time, time.find_first_of("-0123456789")));
  message.units = item_of(band, "GRIB_UNIT");
  std::erase_if(message.units, [](char letter) { return letter == '[' || letter == ']'; });
  message.long_name = item_of(band, "GRIB_COMMENT");
  return message;
}

// The Climate Data Store's short name (names of ECMWF and of NCEP), "" for a quantity of an unknown level.
std::string name_of(const Message& message) {
  static const std::map<std::string, std::string> at_pressure = {
      {"tmp", "t"},  {"ugrd", "u"}, {"vgrd", "v"}, {"spfh", "q"},  {"rh", "r"},   {"gp", "z"},
      {"vvel", "w"}, {"hgt", "zg"}, {"gh", "zg"},  {"absv", "vo"}, {"reld", "d"}, {"o3mr", "o3"}};
  static const std::map<std::string, std::string> elsewhere = {
      {"tmp 2 HTGL", "t2m"}, {"dpt 2 HTGL", "d2m"},  {"ugrd 10 HTGL", "u10"}, {"vgrd 10 HTGL", "v10"},
      {"t 2 HTGL", "t2m"},   {"u 10 HTGL", "u10"},   {"v 10 HTGL", "v10"},    {"2t", "t2m"},
      {"2d", "d2m"},         {"10u", "u10"},         {"10v", "v10"},          {"100u", "u100"},
      {"100v", "v100"},      {"prmsl 0 MSL", "msl"}, {"pres 0 MSL", "msl"},   {"pres 0 SFC", "sp"},
      {"tmp 0 SFC", "skt"},  {"land 0 SFC", "lsm"},  {"gp 0 SFC", "z"},       {"hgt 0 SFC", "orography"},
      {"apcp 0 SFC", "tp"},  {"tcdc 0 SFC", "tcc"}};
  if (message.level_kind == "ISBL") {
    const auto known = at_pressure.find(message.quantity);
    return known == at_pressure.end() ? message.quantity : known->second;
  }
  for (const std::string& key :
       {message.quantity, text(message.quantity, " ", message.level, " ", message.level_kind)}) {
    if (const auto known = elsewhere.find(key); known != elsewhere.end()) return known->second;
  }
  static const std::set<std::string> without_height = {"SFC", "MSL", "EATM", "RESERVED(0)", "EATM(0)"};
  return without_height.contains(message.level_kind) ? message.quantity : "";
}

class GribPlane : public Chunk {
 public:
  explicit GribPlane(std::vector<double> values) : values_(std::move(values)) {}
  const std::byte* range(size_t, size_t) override {
    return reinterpret_cast<const std::byte*>(values_.data());
  }
  size_t memory() const override { return values_.size() * sizeof(double); }

 private:
  std::vector<double> values_;
};

// A chunk is one message.
class GribArray : public ChunkedArray {
 public:
  GribArray(const ArrayHeader& header, std::shared_ptr<Opened> file, std::vector<int> bands,
            const Index& chunk, std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(header, chunk, row_major(chunk.size()), std::move(cache)),
        file_(std::move(file)),
        bands_(std::move(bands)) {}

 private:
  std::unique_ptr<Chunk> load(const Index& index) override {
    size_t at = 0;
    for (size_t d = 0; d + 2 < index.size(); ++d)
      at = at * static_cast<size_t>(header().shape[d]) + static_cast<size_t>(index[d]);
    const int rows = file_->dataset->GetRasterYSize(), columns = file_->dataset->GetRasterXSize();
    std::vector<double> values(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    const std::lock_guard<std::mutex> alone(file_->mutex);
    const QuietGdal quiet;
    GDALRasterBand* band = file_->dataset->GetRasterBand(bands_[at]);
    if (band->RasterIO(GF_Read, 0, 0, columns, rows, values.data(), columns, rows, GDT_Float64, 0, 0) !=
        CE_None)
      refuse_packing(header().file, text("message ", bands_[at], " cannot be read"), file_->packings,
                     quiet.last_error());
    int has_mark = 0;
    const double mark = band->GetNoDataValue(&has_mark);
    for (double& value : values) {
      if (has_mark && value == mark) value = std::numeric_limits<double>::quiet_NaN();
    }
    return std::make_unique<GribPlane>(std::move(values));
  }

  std::shared_ptr<Opened> file_;
  std::vector<int> bands_;  // by time, then level
};

std::shared_ptr<Opened> open_with_gdal(const std::string& file, const std::set<std::string>& packings) {
  static std::once_flag once, all;
  std::call_once(once, [] { GDALRegister_GRIB(); });
  // GDAL unpacks JPEG 2000 by whichever driver of it there is.
  if (packings.contains("JPEG 2000")) std::call_once(all, GDALAllRegister);
  // GDAL would turn kelvin into degrees Celsius.
  CPLSetThreadLocalConfigOption("GRIB_NORMALIZE_UNITS", "NO");
  const QuietGdal quiet;
  auto opened = std::make_shared<Opened>();
  opened->packings = packings;
  const char* const drivers[] = {"GRIB", nullptr};
  opened->dataset.reset(GDALDataset::Open(file.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY, drivers));
  if (!opened->dataset) refuse_packing(file, "it cannot be opened", packings, quiet.last_error());
  return opened;
}

void add_axes(const std::string& file, GDALDataset& dataset, Dataset& data) {
  std::array<double, 6> place{};
  if (dataset.GetGeoTransform(place.data()) != CE_None || place[2] != 0 || place[4] != 0)
    refuse("grib", file, " has no regular latitudes and longitudes: convert it");
  add_axis(data, "latitude", {{"units", "degrees_north"}},
           even_places(dataset.GetRasterYSize(), place[3], place[5], 0.5));
  add_axis(data, "longitude", {{"units", "degrees_east"}},
           even_places(dataset.GetRasterXSize(), place[0], place[1], 0.5));
}

// One quantity: an array over its times, and its levels if these are pressures.
void add_quantity(const std::string& name, const std::vector<Message>& messages,
                  const std::shared_ptr<Opened>& file, const std::shared_ptr<ChunkCache>& cache,
                  Dataset& data) {
  std::set<int64_t> times;
  std::set<double> levels;
  std::map<std::pair<int64_t, double>, int> bands;
  for (const Message& message : messages) {
    times.insert(message.time);
    levels.insert(message.level);
    if (!bands.emplace(std::pair(message.time, message.level), message.band).second)
      refuse("grib", data.path, ": ", name, " is given twice at one time and level (messages ",
             bands[{message.time, message.level}], " and ", message.band,
             "): members of an ensemble, or copies; "
             "keep one of them");
  }
  if (bands.size() != times.size() * levels.size()) {
    data.notes.push_back(text(data.path, ": ", name, " has ", bands.size(), " messages for ", times.size(),
                              " times and ", levels.size(), " levels: not read"));
    return;
  }
  const bool pressure = messages[0].level_kind == "ISBL";
  const std::string axis_end = pressure ? name + "_at_levels" : name;
  ArrayHeader header;
  header.name = name;
  header.file = data.path;
  header.type = NumberType::f8;
  header.attributes = {{"units", messages[0].units}, {"long_name", messages[0].long_name}};
  header.dimensions = {"time_of_" + axis_end};
  header.shape = {static_cast<int64_t>(times.size())};
  add_axis(data, "time_of_" + axis_end, {{"units", "seconds since 1970-01-01"}, {"standard_name", "time"}},
           {times.begin(), times.end()});
  if (pressure) {
    header.dimensions.push_back("level_of_" + axis_end);
    header.shape.push_back(static_cast<int64_t>(levels.size()));
    add_axis(data, "level_of_" + axis_end, {{"units", "Pa"}, {"standard_name", "air_pressure"}},
             {levels.begin(), levels.end()});
  }
  for (const char* axis : {"latitude", "longitude"}) header.dimensions.emplace_back(axis);
  header.shape.push_back(file->dataset->GetRasterYSize());
  header.shape.push_back(file->dataset->GetRasterXSize());
  ChunkedArray::Index chunk = header.shape;
  std::fill(chunk.begin(), chunk.end() - 2, 1);
  std::vector<int> numbers;
  numbers.reserve(bands.size());
  for (const auto& [key, band] : bands) numbers.push_back(band);
  data.arrays.push_back(std::make_unique<GribArray>(header, file, std::move(numbers), chunk, cache));
}

}  // namespace

Dataset open_grib(const std::string& file, const std::shared_ptr<ChunkCache>& cache) {
  const std::set<std::string> packings = check_grib_grids(file);
  Dataset data;
  data.path = file;
  data.container = "GRIB";
  const std::shared_ptr<Opened> opened = open_with_gdal(file, packings);
  add_axes(file, *opened->dataset, data);
  std::map<std::string, std::vector<Message>> quantities;
  std::set<std::string> passed;
  for (int band = 1; band <= opened->dataset->GetRasterCount(); ++band) {
    const Message message = message_of(*opened->dataset->GetRasterBand(band), band);
    const std::string name = name_of(message);
    if (name.empty() || message.quantity == "unknown") {
      passed.insert(text(message.quantity, " at ", message.level, "-", message.level_kind));
    } else {
      quantities[message.level_kind == "ISBL" ? name : name + " "].push_back(message);
    }
  }
  for (const std::string& one : passed)
    data.notes.push_back(file + ": " + one + ": its quantity or level is not known: not read");
  for (const auto& [name, messages] : quantities)
    add_quantity(name.substr(0, name.find(' ')), messages, opened, cache, data);
  return data;
}

}  // namespace graticule
