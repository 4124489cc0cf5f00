#include "graticule/data/netcdf.h"

#include <gdal_priv.h>

#include <array>
#include <bit>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/netcdf_classic.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

constexpr const char* where = "netcdf";

std::optional<NumberType> number_type(const GDALExtendedDataType& type) {
  if (type.GetClass() != GEDTC_NUMERIC) return std::nullopt;
  switch (type.GetNumericDataType()) {
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
      return std::nullopt;
  }
}

nlohmann::json attributes_of(const GDALMDArray& array) {
  const std::array<const char*, 2> all = {"SHOW_ALL=YES", nullptr};
  nlohmann::json attributes = nlohmann::json::object();
  for (const auto& attribute : array.GetAttributes(all.data())) {
    const std::string& name = attribute->GetName();
    if (attribute->GetDataType().GetClass() == GEDTC_STRING) {
      const char* text = attribute->ReadAsString();
      attributes[name] = text ? text : "";
    } else if (attribute->GetDataType().GetClass() == GEDTC_NUMERIC) {
      const std::vector<double> values = attribute->ReadAsDoubleArray();
      if (values.size() == 1) {
        attributes[name] = values[0];
      } else {
        attributes[name] = values;
      }
    }
  }
  return attributes;
}

std::optional<ArrayHeader> header_of(const GDALMDArray& array, const std::string& file) {
  const std::optional<NumberType> type = number_type(array.GetDataType());
  if (!type) return std::nullopt;
  ArrayHeader header{array.GetName(), file, *type, {}, {}, attributes_of(array), {}};
  for (const auto& dimension : array.GetDimensions()) {
    header.dimensions.push_back(dimension->GetName());
    header.shape.push_back(static_cast<int64_t>(dimension->GetSize()));
  }
  header.packing = packing_of(header.attributes, *type, file + ": " + header.name);
  return header;
}

class NetcdfArray : public StoredArray {
 public:
  NetcdfArray(ArrayHeader header, std::shared_ptr<GDALDataset> file, std::shared_ptr<GDALMDArray> array)
      : StoredArray(std::move(header)), file_(std::move(file)), array_(std::move(array)) {}

  // In the array's own type: GDAL then hands the whole box to one call of the NetCDF library.
  void read(std::span<const Span> box, std::span<std::byte> out) override {
    std::vector<GUInt64> begin;
    std::vector<size_t> count;
    for (const Span& span : box) {
      begin.push_back(static_cast<GUInt64>(span.begin));
      count.push_back(static_cast<size_t>(span.size()));
    }
    const QuietGdal quiet;
    if (!array_->Read(begin.data(), count.data(), nullptr, nullptr, array_->GetDataType(), out.data(),
                      out.data(), out.size())) {
      fail(where, header().file, ": ", header().name, " cannot be read, the file is damaged or cut off (",
           quiet.last_error(), "): copy it again");
    }
  }

 private:
  std::shared_ptr<GDALDataset> file_;  // outlives array_
  std::shared_ptr<GDALMDArray> array_;
};

std::string kind_of(const std::string& start) {
  if (start.empty()) return "an empty file";
  if (start.starts_with("PK")) return "a zip archive: unpack it into a folder and give the folder";
  if (start.starts_with("GRIB")) return "GRIB: ask for NetCDF, or convert it";
  return "no NetCDF file (its first bytes are neither 'CDF' nor HDF5's)";
}

// "NetCDF-3", "NetCDF-4", by the first bytes.
std::string container_of(const std::string& file) {
  const std::optional<size_t> size = file_size(file);
  if (!size) refuse(where, file, " does not exist");
  std::string start(std::min<size_t>(*size, 8), '\0');
  read_range(file, 0, std::as_writable_bytes(std::span(start)));
  if (start.starts_with("CDF")) return "NetCDF-3";
  if (start == "\x89HDF\r\n\x1a\n") return "NetCDF-4";
  refuse(where, file, " is ", kind_of(start));
}

}  // namespace

Dataset open_netcdf(const std::string& file) {
  static const bool registered = (GDALAllRegister(), true);
  GRATICULE_CHECK(registered);
  Dataset data{file, container_of(file), {}, {}, {}};
  if (data.container == "NetCDF-3") check_classic_size(file);
  const QuietGdal quiet;
  const std::array<const char*, 2> drivers = {"netCDF", nullptr};
  GDALDataset* opened = GDALDataset::Open(file.c_str(), GDAL_OF_MULTIDIM_RASTER, drivers.data());
  const std::shared_ptr<GDALDataset> dataset(opened,
                                             [](GDALDataset* old) { GDALClose(GDALDataset::ToHandle(old)); });
  const auto root = dataset ? dataset->GetRootGroup() : nullptr;
  if (!root) {
    fail(where, file, " cannot be opened, it is damaged or cut off (", quiet.last_error(),
         "): copy it again");
  }
  if (const auto source = root->GetAttribute("source"); source && source->ReadAsString()) {
    data.provenance = source->ReadAsString();
  }
  for (const std::string& name : root->GetMDArrayNames()) {
    const auto array = root->OpenMDArray(name);
    std::optional<ArrayHeader> header = array ? header_of(*array, file) : std::nullopt;
    if (header) data.arrays.push_back(std::make_unique<NetcdfArray>(std::move(*header), dataset, array));
  }
  return data;
}

}  // namespace graticule
