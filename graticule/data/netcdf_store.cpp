// CF NetCDF-4 through GDAL's multidimensional API, deflated.
#include <cpl_error.h>
#include <gdal_priv.h>

#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/array_store.h"

namespace graticule {

namespace {

// GDAL's messages go into our errors instead of to stderr.
class QuietGdal {
 public:
  QuietGdal() {
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
  }
  ~QuietGdal() { CPLPopErrorHandler(); }
  QuietGdal(const QuietGdal&) = delete;
  QuietGdal& operator=(const QuietGdal&) = delete;
};

class NetcdfStore : public ArrayStore {
 public:
  NetcdfStore(const std::string& path, const FieldLayout& layout) : path_(path), layout_(layout) {
    const QuietGdal quiet;
    GDALAllRegister();
    GDALDriver* driver = GetGDALDriverManager()->GetDriverByName("netCDF");
    if (driver == nullptr)
      fail("writer",
           "this GDAL was built without netCDF: write OUT.zarr instead, or install GDAL's netCDF driver");
    const char* const format[] = {"FORMAT=NC4", nullptr};
    file_.reset(driver->CreateMultiDimensional(path.c_str(), nullptr, format));
    require(file_ != nullptr);
    const auto root = file_->GetRootGroup();
    for (const auto& [name, value] : layout.attributes) set(*root, name, value);
    for (const AxisLayout& axis : layout.axes)
      dimensions_.push_back(axis.values.empty() ? nullptr : add_axis(*root, axis));
    for (const ArrayLayout& array : layout.arrays) arrays_.push_back(add_array(*root, array));
  }

  void write(size_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
             std::span<const float> values) override {
    const QuietGdal quiet;
    const std::vector<GUInt64> from(start.begin(), start.end());
    const std::vector<size_t> size(count.begin(), count.end());
    require(arrays_[array]->Write(from.data(), size.data(), nullptr, nullptr,
                                  GDALExtendedDataType::Create(GDT_Float32), values.data()));
  }

  void finish() override {
    const QuietGdal quiet;
    arrays_.clear();
    dimensions_.clear();
    file_.reset();
    require(CPLGetLastErrorType() < CE_Failure);
  }

  ~NetcdfStore() override {
    const QuietGdal quiet;
    arrays_.clear();
    dimensions_.clear();
    file_.reset();
  }

 private:
  void require(bool done) const {
    if (!done)
      fail("writer", path_, " cannot be written: ", CPLGetLastErrorMsg(),
           ". Is the disk full, or the folder read-only?");
  }

  template <class Owner>
  void set(Owner& owner, const std::string& name, const std::string& value) const {
    const auto attribute = owner.CreateAttribute(name, {}, GDALExtendedDataType::CreateString());
    require(attribute != nullptr && attribute->Write(value.c_str()));
  }

  std::shared_ptr<GDALDimension> add_axis(GDALGroup& root, const AxisLayout& axis) {
    auto dimension = root.CreateDimension(axis.name, "", "", axis.values.size());
    require(dimension != nullptr);
    const auto type = GDALExtendedDataType::Create(axis.whole ? GDT_Int64 : GDT_Float64);
    const auto coordinate = root.CreateMDArray(axis.name, {dimension}, type);
    require(coordinate != nullptr);
    for (const auto& [name, value] : axis.attributes) set(*coordinate, name, value);
    const GUInt64 start = 0;
    const size_t count = axis.values.size();
    require(coordinate->Write(&start, &count, nullptr, nullptr, GDALExtendedDataType::Create(GDT_Float64),
                              axis.values.data()));
    return dimension;
  }

  std::shared_ptr<GDALMDArray> add_array(GDALGroup& root, const ArrayLayout& array) {
    std::vector<std::shared_ptr<GDALDimension>> dimensions;
    std::string block = "BLOCKSIZE=";
    for (size_t axis = 0; axis < array.axes.size(); ++axis) {
      dimensions.push_back(dimensions_[array.axes[axis]]);
      block += text(axis ? "," : "", array.chunk[axis]);
    }
    const char* const options[] = {block.c_str(), "COMPRESS=DEFLATE", "ZLEVEL=1", nullptr};
    auto made =
        root.CreateMDArray(array.name, dimensions, GDALExtendedDataType::Create(GDT_Float32), options);
    require(made != nullptr);
    const float missing = std::numeric_limits<float>::quiet_NaN();
    require(made->SetRawNoDataValue(&missing));
    for (const auto& [name, value] : array.attributes) set(*made, name, value);
    return made;
  }

  std::string path_;
  const FieldLayout& layout_;
  std::unique_ptr<GDALDataset> file_;
  std::vector<std::shared_ptr<GDALDimension>>
      dimensions_;  // of every axis of the layout; null for an empty one
  std::vector<std::shared_ptr<GDALMDArray>> arrays_;
};

}  // namespace

std::unique_ptr<ArrayStore> create_netcdf(const std::string& path, const FieldLayout& layout) {
  return std::make_unique<NetcdfStore>(path, layout);
}

}  // namespace graticule
