// Writes CF NetCDF-4 with the NetCDF library, compressed by deflate.
#include <netcdf.h>

#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/array_store.h"
#include "graticule/data/netcdf_files.h"

namespace graticule {

namespace {

// A file that the destructor closes without looking at errors; FieldWriter then removes the file.
struct OpenFile {
  int number = -1;
  bool open = false;
  ~OpenFile() {
    const auto alone = netcdf_alone();
    if (open) nc_close(number);
  }
};

class NetcdfStore : public ArrayStore {
 public:
  NetcdfStore(const std::string& path, const FieldLayout& layout) : path_(path), layout_(layout) {
    set_up_netcdf();
    const auto alone = netcdf_alone();
    require(nc_create(path.c_str(), NC_NETCDF4 | NC_NOCLOBBER, &file_.number));
    file_.open = true;
    for (const auto& [name, value] : layout.attributes) set(NC_GLOBAL, name, value);
    for (const AxisLayout& axis : layout.axes) axes_.push_back(axis.values.empty() ? Axis{} : add_axis(axis));
    std::vector<int> coordinates;
    for (const CoordinateLayout& one : layout.coordinates) coordinates.push_back(add_coordinate(one));
    for (const ArrayLayout& array : layout.arrays) arrays_.push_back(add_array(array));
    require(nc_enddef(file_.number));
    for (size_t i = 0; i < coordinates.size(); ++i)
      require(nc_put_var_double(file_.number, coordinates[i], layout.coordinates[i].values.data()));
    for (size_t i = 0; i < axes_.size(); ++i) {
      if (!layout.axes[i].values.empty())
        require(nc_put_var_double(file_.number, axes_[i].coordinate, layout.axes[i].values.data()));
    }
  }

  void write(size_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
             std::span<const float> values) override {
    const auto alone = netcdf_alone();
    const std::vector<size_t> from(start.begin(), start.end()), size(count.begin(), count.end());
    require(nc_put_vara_float(file_.number, arrays_[array], from.data(), size.data(), values.data()));
  }

  void finish() override {
    const auto alone = netcdf_alone();
    file_.open = false;
    require(nc_close(file_.number));
  }

 private:
  struct Axis {
    int dimension = -1, coordinate = -1;
  };

  void require(int status) const {
    if (status != NC_NOERR)
      fail("writer", path_, " cannot be written: ", nc_strerror(status),
           ". Is the disk full, or the folder read-only?");
  }

  void set(int variable, const std::string& name, const std::string& value) const {
    require(nc_put_att_text(file_.number, variable, name.c_str(), value.size(), value.data()));
  }

  Axis add_axis(const AxisLayout& layout) const {
    Axis axis;
    require(nc_def_dim(file_.number, layout.name.c_str(), layout.values.size(), &axis.dimension));
    require(nc_def_var(file_.number, layout.name.c_str(), layout.whole ? NC_INT64 : NC_DOUBLE, 1,
                       &axis.dimension, &axis.coordinate));
    for (const auto& [name, value] : layout.attributes) set(axis.coordinate, name, value);
    return axis;
  }

  int add_coordinate(const CoordinateLayout& layout) const {
    int coordinate = -1;
    require(nc_def_var(file_.number, layout.name.c_str(), NC_DOUBLE, 1, &axes_[layout.axis].dimension,
                       &coordinate));
    for (const auto& [name, value] : layout.attributes) set(coordinate, name, value);
    return coordinate;
  }

  int add_array(const ArrayLayout& layout) const {
    std::vector<int> dimensions;
    for (const size_t axis : layout.axes) dimensions.push_back(axes_[axis].dimension);
    const std::vector<size_t> chunk(layout.chunk.begin(), layout.chunk.end());
    int array = -1;
    require(nc_def_var(file_.number, layout.name.c_str(), NC_FLOAT, static_cast<int>(dimensions.size()),
                       dimensions.data(), &array));
    require(nc_def_var_chunking(file_.number, array, NC_CHUNKED, chunk.data()));
    constexpr int shuffle = 1, deflate = 1, level = 1;
    require(nc_def_var_deflate(file_.number, array, shuffle, deflate, level));
    const float missing = std::numeric_limits<float>::quiet_NaN();
    require(nc_def_var_fill(file_.number, array, NC_FILL, &missing));
    for (const auto& [name, value] : layout.attributes) set(array, name, value);
    return array;
  }

  std::string path_;
  const FieldLayout& layout_;
  OpenFile file_;
  std::vector<Axis> axes_;  // in the layout's order
  std::vector<int> arrays_;
};

}  // namespace

std::unique_ptr<ArrayStore> create_netcdf(const std::string& path, const FieldLayout& layout) {
  return std::make_unique<NetcdfStore>(path, layout);
}

}  // namespace graticule
