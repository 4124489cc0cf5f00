#include "graticule/data/raster.h"

#include <gdal_frmts.h>
#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/channel_names.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/ome_tiff.h"
#include "graticule/data/quiet_gdal.h"
#include "graticule/data/tiff_pages.h"

namespace graticule {

namespace {

// GDAL before 3.7 has no type of signed bytes: it gives them as bytes, with a word beside. `Int8` is looked up by its name.
constexpr const char* signed_bytes = "Int8";

std::optional<NumberType> number_type_of(GDALRasterBand& band) {
  const GDALDataType type = band.GetRasterDataType();
  if (std::string_view(GDALGetDataTypeName(type)) == signed_bytes) return NumberType::i1;
  switch (type) {
    case GDT_Byte: {
      const char* word = band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE");
      return word && std::string_view(word) == "SIGNEDBYTE" ? NumberType::i1 : NumberType::u1;
    }
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

// The type in memory by which GDAL gives numbers of a type as they are stored.
GDALDataType gdal_type_of(NumberType type) {
  switch (type) {
    case NumberType::i1: {
      const GDALDataType known = GDALGetDataTypeByName(signed_bytes);
      return known == GDT_Unknown ? GDT_Byte : known;
    }
    case NumberType::u1:
      return GDT_Byte;
    case NumberType::u2:
      return GDT_UInt16;
    case NumberType::i2:
      return GDT_Int16;
    case NumberType::u4:
      return GDT_UInt32;
    case NumberType::i4:
      return GDT_Int32;
    case NumberType::u8:
      return GDT_UInt64;
    case NumberType::i8:
      return GDT_Int64;
    case NumberType::f4:
      return GDT_Float32;
    case NumberType::f8:
      return GDT_Float64;
    case NumberType::f2:
      break;  // GDAL gives them as Float32
  }
  GRATICULE_CHECK(false, "number type of a raster");
}

using PackingOfBand = std::map<int, Packing>;

// Planes of one type and size, row-major over the dimensions before rows and columns. `own`: the packing of each band where
// they differ; the array then holds physical values in fp64.
class RasterArray : public StoredArray {
 public:
  RasterArray(ArrayHeader header, std::shared_ptr<RasterFiles> files, std::vector<RasterPlane> planes,
              PackingOfBand own)
      : StoredArray(std::move(header)),
        files_(std::move(files)),
        planes_(std::move(planes)),
        own_(std::move(own)) {}

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
                       out.data(), width, height, gdal_type_of(header().type), 0, 0) != CE_None)
      fail("raster", header().file, ": band ", plane.band, " cannot be read (", quiet.last_error(),
           "): the file is damaged or cut off: copy it again");
    const size_t bytes = static_cast<size_t>(rows.size() * columns.size()) * size_of(header().type);
    if (!own_.empty()) {
      const auto values = unpack_doubles(out.first(bytes), header().type, own_.at(plane.band));
      std::memcpy(out.data(), values.data(), bytes);
    }
    out = out.subspan(bytes);
  }

  std::shared_ptr<RasterFiles> files_;
  std::vector<RasterPlane> planes_;
  PackingOfBand own_;
};

// Whether a table only says that numbers are greys, from black or from white on, as GDAL gives one for pages of one bit and
// for those whose 0 is white. Then the numbers are read as they are stored.
bool is_grey(const GDALColorTable& table) {
  const int last = table.GetColorEntryCount() - 1;
  bool from_black = true, from_white = true;
  for (int i = 0; i <= last; ++i) {
    const GDALColorEntry& colour = *table.GetColorEntry(i);
    const bool grey = colour.c1 == colour.c2 && colour.c2 == colour.c3;
    const int level = (255 * i + last / 2) / std::max(last, 1);
    from_black = from_black && grey && std::abs(colour.c1 - level) <= 1;
    from_white = from_white && grey && std::abs(255 - colour.c1 - level) <= 1;
  }
  return from_black || from_white;
}

NumberType type_of_band(GDALRasterBand& band, const std::string& file, int number) {
  if (band.GetColorTable() && !is_grey(*band.GetColorTable()))
    refuse("raster", file, ": band ", number,
           " holds indices into a table of colours: write the colours themselves, or labels without a table");
  const std::optional<NumberType> type = number_type_of(band);
  if (!type)
    refuse("raster", file, ": band ", number,
           " holds complex numbers: write real and imaginary parts as bands");
  return *type;
}

Packing packing_of_band(GDALRasterBand& band, NumberType type) {
  Packing packing;
  int there = 0;
  const double scale = band.GetScale(&there);
  if (there) packing.scale = scale;
  const double offset = band.GetOffset(&there);
  if (there) packing.offset = offset;
  const double mark = band.GetNoDataValue(&there);
  if (there && mark == mark)
    packing.missing.push_back(type == NumberType::f4 ? static_cast<double>(static_cast<float>(mark)) : mark);
  return packing;
}

struct Band {
  int number = 1;
  Packing packing;
  std::string units;
};

// The bands of a file without opacity. Refuses those of different types.
struct Bands {
  NumberType type = NumberType::u1;
  std::vector<Band> all;
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
    if (bands.all.empty()) {
      bands.type = type;
    } else if (type != bands.type) {
      refuse("raster", file, ": band ", bands.all.front().number, " and band ", number,
             " hold numbers of different types: write them with one type");
    }
    bands.all.push_back({number, packing_of_band(band, type), band.GetUnitType()});
    bands.descriptions.emplace_back(band.GetDescription());
  }
  bands.descriptions = distinct_names(std::move(bands.descriptions), std::ssize(bands.all));
  if (bands.all.empty()) refuse("raster", file, " has no band but opacity: leave it out");
  const int mask = dataset.GetRasterBand(bands.all[0].number)->GetMaskFlags();
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

bool same_packing(const Packing& a, const Packing& b) {
  return a.scale == b.scale && a.offset == b.offset && a.missing == b.missing;
}

// Adds an array of planes of `bands`.
void add_planes(const std::string& name, std::span<const Band> bands, NumberType type,
                const RasterStack& stack, GDALDataset& first, const std::shared_ptr<RasterFiles>& files,
                Dataset& data) {
  const Band& one = bands.front();
  const auto all = [&](const auto& same) { return std::all_of(bands.begin(), bands.end(), same); };
  ArrayHeader header;
  header.name = name, header.file = data.path, header.type = type, header.packing = one.packing;
  if (all([&](const Band& band) { return band.units == one.units; }))
    header.attributes = {{"units", one.units}};
  PackingOfBand own;
  if (!all([&](const Band& band) { return same_packing(band.packing, one.packing); })) {
    for (const Band& band : bands) own[band.number] = band.packing;
    header.type = NumberType::f8, header.packing = {};
  }
  header.dimensions = stack.dimensions, header.shape = stack.shape;
  header.dimensions.insert(header.dimensions.end(), {"y", "x"});
  header.shape.insert(header.shape.end(), {first.GetRasterYSize(), first.GetRasterXSize()});
  data.arrays.push_back(
      std::make_unique<RasterArray>(std::move(header), files, stack.planes, std::move(own)));
}

// Pages and bands as they follow each other.
void add_plain(const std::string& name, const Bands& bands, const std::vector<std::string>& pages,
               GDALDataset& first, const std::shared_ptr<RasterFiles>& files, Dataset& data) {
  const char* description = first.GetMetadataItem("TIFFTAG_IMAGEDESCRIPTION");
  auto counted = page_dimensions(
      description ? description : "", data.path,
      {std::ssize(pages), first.GetRasterCount(), first.GetRasterYSize(), first.GetRasterXSize()});
  if (counted.empty() && pages.size() > 1) counted.emplace_back("page", std::ssize(pages));
  const bool named = !bands.descriptions.empty();
  const size_t each = named ? 1 : bands.all.size();
  for (size_t i = 0; i < bands.all.size(); i += each) {
    const std::span<const Band> own = std::span(bands.all).subspan(i, each);
    RasterStack stack;
    for (const auto& [dimension, size] : counted)
      stack.dimensions.push_back(dimension), stack.shape.push_back(size);
    if (each > 1) stack.dimensions.push_back("band"), stack.shape.push_back(std::ssize(own));
    for (const std::string& page : pages) {
      for (const Band& band : own) stack.planes.push_back({page, band.number});
    }
    add_planes(named ? bands.descriptions[i] : name, own, bands.type, stack, first, files, data);
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
  const std::string reason = quiet.last_error();
  if (!opened && reason.find("missing codec") != std::string::npos)
    refuse("raster", name, " cannot be opened (", reason,
           "): this machine's GDAL lacks its compression: write it with another one (deflate, LZW, zstd)");
  if (!opened)
    fail("raster", name, " cannot be opened (", reason,
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
         ome_stacks(description, file, pages, std::ssize(bands.all), data.notes))
      add_planes(channel.empty() ? name : channel, bands.all, bands.type, stack, first, files, data);
  } else {
    add_plain(name, bands, pages, first, files, data);
  }
  add_map_axes(first, data);
  return data;
}

}  // namespace graticule
