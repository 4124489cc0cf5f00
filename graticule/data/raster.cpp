#include "graticule/data/raster.h"

#include <gdal_frmts.h>
#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/channel_names.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/ome_tiff.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

std::optional<NumberType> number_type_of(GDALDataType type) {
  switch (type) {
    case GDT_Byte:
      return NumberType::u1;
    case GDT_UInt16:
      return NumberType::u2;
    case GDT_Int16:
      return NumberType::i2;
    case GDT_UInt32:
      return NumberType::u4;
    case GDT_Int32:
      return NumberType::i4;
    case GDT_UInt64:
      return NumberType::u8;
    case GDT_Int64:
      return NumberType::i8;
    case GDT_Float32:
      return NumberType::f4;
    case GDT_Float64:
      return NumberType::f8;
    default:
      return std::nullopt;  // complex numbers
  }
}

// Planes of one type and size, row-major over the dimensions before rows and columns.
class RasterArray : public StoredArray {
 public:
  RasterArray(ArrayHeader header, std::shared_ptr<RasterFiles> files, std::vector<RasterPlane> planes)
      : StoredArray(std::move(header)), files_(std::move(files)), planes_(std::move(planes)) {}

  void read(std::span<const Span> box, std::span<std::byte> out) override { read_planes(box, 0, 0, out); }

  // GDAL keeps decoded blocks itself.
  std::string place() const override { return header().file; }

 private:
  void read_planes(std::span<const Span> box, size_t d, size_t plane, std::span<std::byte>& out) {
    if (d + 2 == box.size()) return read_plane(planes_[plane], box[d], box[d + 1], out);
    for (int64_t i = box[d].begin; i < box[d].end; ++i)
      read_planes(box, d + 1, plane * static_cast<size_t>(header().shape[d]) + static_cast<size_t>(i), out);
  }

  void read_plane(const RasterPlane& plane, Span rows, Span columns, std::span<std::byte>& out) {
    const auto alone = files_->lock();
    GDALDataset& dataset = files_->open(plane.name);
    const QuietGdal quiet;
    GDALRasterBand* band = dataset.GetRasterBand(plane.band);
    const bool same = band && dataset.GetRasterXSize() == header().shape.back() &&
                      dataset.GetRasterYSize() == header().shape[header().shape.size() - 2];
    if (!same)
      refuse("raster", header().file, " has pages of different sizes, or without band ", plane.band,
             ": write pages of one size");
    const int height = static_cast<int>(rows.size()), width = static_cast<int>(columns.size());
    if (band->RasterIO(GF_Read, static_cast<int>(columns.begin), static_cast<int>(rows.begin), width, height,
                       out.data(), width, height, gdal_type(), 0, 0) != CE_None)
      fail("raster", header().file, ": band ", plane.band, " cannot be read (", quiet.last_error(),
           "): the file is damaged or cut off: copy it again");
    out = out.subspan(static_cast<size_t>(rows.size() * columns.size()) * size_of(header().type));
  }

  GDALDataType gdal_type() const {
    for (const GDALDataType type : {GDT_Byte, GDT_UInt16, GDT_Int16, GDT_UInt32, GDT_Int32, GDT_UInt64,
                                    GDT_Int64, GDT_Float32, GDT_Float64}) {
      if (number_type_of(type) == header().type) return type;
    }
    GRATICULE_CHECK(false, "number type of a raster");
  }

  std::shared_ptr<RasterFiles> files_;
  std::vector<RasterPlane> planes_;
};

NumberType type_of_band(GDALRasterBand& band, const std::string& file, int number) {
  if (band.GetColorTable())
    refuse("raster", file, ": band ", number,
           " holds indices into a table of colours: write the colours themselves, or labels without a table");
  const std::optional<NumberType> type = number_type_of(band.GetRasterDataType());
  if (!type)
    refuse("raster", file, ": band ", number,
           " holds complex numbers: write real and imaginary parts as bands");
  return *type;
}

Packing packing_of_band(GDALRasterBand& band) {
  Packing packing;
  int there = 0;
  const double scale = band.GetScale(&there);
  if (there) packing.scale = scale;
  const double offset = band.GetOffset(&there);
  if (there) packing.offset = offset;
  const double mark = band.GetNoDataValue(&there);
  if (there && mark == mark) packing.missing.push_back(mark);
  return packing;
}

// What the bands of a file have in common. Refuses those that differ in it.
struct Bands {
  NumberType type = NumberType::u1;
  Packing packing;
  std::string units;
  std::vector<int> numbers;               // without opacity
  std::vector<std::string> descriptions;  // one each, or none at all
};

Bands bands_of(GDALDataset& dataset, const std::string& file, std::vector<std::string>& notes) {
  Bands bands;
  for (int number = 1; number <= dataset.GetRasterCount(); ++number) {
    GDALRasterBand& band = *dataset.GetRasterBand(number);
    if (band.GetColorInterpretation() == GCI_AlphaBand) {
      notes.push_back(text(file, ": band ", number, " is opacity: not read"));
      continue;
    }
    const NumberType type = type_of_band(band, file, number);
    if (bands.numbers.empty()) {
      bands.type = type;
      bands.packing = packing_of_band(band);
      bands.units = band.GetUnitType();
    } else if (type != bands.type) {
      refuse("raster", file, ": band ", bands.numbers.front(), " and band ", number,
             " hold numbers of different types: write them with one type");
    }
    bands.numbers.push_back(number);
    bands.descriptions.emplace_back(band.GetDescription());
  }
  bands.descriptions = distinct_names(std::move(bands.descriptions), std::ssize(bands.numbers));
  if (bands.numbers.empty()) refuse("raster", file, " has no band but opacity: leave it out");
  const int mask = dataset.GetRasterBand(bands.numbers[0])->GetMaskFlags();
  if (mask == GMF_PER_DATASET) notes.push_back(file + ": its mask of valid pixels is not used");
  return bands;
}

// The names of the pages of a TIFF file that has several, as GDAL opens them; otherwise the file alone.
std::vector<std::string> pages_of(GDALDataset& dataset, const std::string& file) {
  std::vector<std::string> pages;
  char** list = dataset.GetMetadata("SUBDATASETS");
  for (int i = 1; list; ++i) {
    const char* name = CSLFetchNameValue(list, text("SUBDATASET_", i, "_NAME").c_str());
    if (!name) break;
    pages.emplace_back(name);
  }
  return pages.empty() ? std::vector<std::string>{file} : pages;
}

// The places of rows and columns, where the file has a map that is not turned.
void add_map_axes(GDALDataset& dataset, Dataset& data) {
  std::array<double, 6> place{};
  if (dataset.GetGeoTransform(place.data()) != CE_None || place[2] != 0 || place[4] != 0) return;
  const OGRSpatialReference* system = dataset.GetSpatialRef();
  const char* unit = "";
  if (system) system->IsGeographic() ? system->GetAngularUnits(&unit) : system->GetLinearUnits(&unit);
  const nlohmann::json units = {{"units", unit ? unit : ""}};
  add_axis(data, "y", units, even_places(dataset.GetRasterYSize(), place[3], place[5], 0.5));
  add_axis(data, "x", units, even_places(dataset.GetRasterXSize(), place[0], place[1], 0.5));
}

ArrayHeader header_of(const std::string& name, const std::string& file, const Bands& bands) {
  ArrayHeader header;
  header.name = name, header.file = file, header.type = bands.type, header.packing = bands.packing;
  header.attributes = {{"units", bands.units}};
  return header;
}

void add_planes(ArrayHeader header, const RasterStack& stack, GDALDataset& first,
                const std::shared_ptr<RasterFiles>& files, Dataset& data) {
  header.dimensions = stack.dimensions, header.shape = stack.shape;
  header.dimensions.insert(header.dimensions.end(), {"y", "x"});
  header.shape.insert(header.shape.end(), {first.GetRasterYSize(), first.GetRasterXSize()});
  data.arrays.push_back(std::make_unique<RasterArray>(std::move(header), files, stack.planes));
}

// Pages and bands as they follow each other.
void add_plain(const std::string& name, const Bands& bands, const std::vector<std::string>& pages,
               GDALDataset& first, const std::shared_ptr<RasterFiles>& files, Dataset& data) {
  const bool named = !bands.descriptions.empty();
  const size_t arrays = named ? bands.numbers.size() : 1;
  for (size_t i = 0; i < arrays; ++i) {
    const std::vector<int> own = named ? std::vector<int>{bands.numbers[i]} : bands.numbers;
    RasterStack stack;
    if (pages.size() > 1) stack.dimensions.push_back("page"), stack.shape.push_back(std::ssize(pages));
    if (own.size() > 1) stack.dimensions.push_back("band"), stack.shape.push_back(std::ssize(own));
    for (const std::string& page : pages) {
      for (const int band : own) stack.planes.push_back({page, band});
    }
    add_planes(header_of(named ? bands.descriptions[i] : name, data.path, bands), stack, first, files, data);
  }
}

}  // namespace

bool is_raster_name(const std::string& name) {
  std::string end = name.substr(std::min(name.rfind('.'), name.size()));
  std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return std::tolower(c); });
  return end == ".tif" || end == ".tiff" || end == ".png" || end == ".jpg" || end == ".jpeg";
}

void RasterFiles::Close::operator()(GDALDataset* dataset) const { GDALClose(dataset); }

GDALDataset& RasterFiles::open(const std::string& name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return *order_.front().second;
  }
  static std::once_flag once;
  std::call_once(once, [] {
    GDALRegister_GTiff();
    GDALRegister_PNG();
    GDALRegister_JPEG();
  });
  const QuietGdal quiet;
  const char* const drivers[] = {"GTiff", "PNG", "JPEG", nullptr};
  std::unique_ptr<GDALDataset, Close> opened(
      GDALDataset::Open(name.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY, drivers));
  if (!opened)
    fail("raster", name, " cannot be opened (", quiet.last_error(),
         "): it is damaged or cut off, or no TIFF, PNG or JPEG file: copy it again");
  constexpr size_t most = 100;
  if (order_.size() >= most) {
    by_name_.erase(order_.back().first);
    order_.pop_back();
  }
  order_.emplace_front(name, std::move(opened));
  by_name_[name] = order_.begin();
  return *order_.front().second;
}

Dataset open_raster(const std::string& file, const std::string& name,
                    const std::shared_ptr<RasterFiles>& files) {
  Dataset data;
  data.path = file;
  const auto alone = files->lock();
  const QuietGdal quiet;
  const std::vector<std::string> pages = pages_of(files->open(file), file);
  // A file of which the last pages are gone opens all the same.
  if (const std::string error = quiet.last_error(); !error.empty())
    fail("raster", file, " is damaged or cut off (", error, "): copy it again");
  GDALDataset& first = files->open(pages.front());
  data.container = first.GetDriverName();
  const Bands bands = bands_of(first, file, data.notes);
  const char* description = first.GetMetadataItem("TIFFTAG_IMAGEDESCRIPTION");
  if (description && is_ome_tiff(description)) {
    data.container = "OME-TIFF";
    for (const auto& [channel, stack] :
         ome_stacks(description, file, pages, std::ssize(bands.numbers), data.notes))
      add_planes(header_of(channel.empty() ? name : channel, file, bands), stack, first, files, data);
  } else {
    add_plain(name, bands, pages, first, files, data);
  }
  add_map_axes(first, data);
  return data;
}

}  // namespace graticule
