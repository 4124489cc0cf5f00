#include "graticule/data/the_well.h"

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/hdf5_direct.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/netcdf.h"
#include "graticule/data/sliced_array.h"

namespace graticule {

namespace {

bool has_group(const Dataset& data, const std::string& name) {
  return std::find(data.groups.begin(), data.groups.end(), name) != data.groups.end();
}

// The names of the dimensions of space, slowest first: x, y, z.
std::vector<std::string> space_of(const Dataset& root) {
  const auto names = hdf5_texts_of(root.path, "/dimensions", "spatial_dims");
  const nlohmann::json count = root.attributes.value("n_spatial_dims", nlohmann::json());
  if (names.empty() || (count.is_number() && count.get<double>() != static_cast<double>(names.size())))
    refuse("the_well", root.path, ": its group dimensions has no attribute spatial_dims with ", count.dump(),
           " names: write the file as docs/data_format.md of The Well says");
  return names;
}

// One field, and how its numbers are arranged.
struct WellField {
  std::string group;  // /t1_fields
  size_t order = 0;   // 0: a scalar, 1: a vector, 2: a tensor
  const std::vector<std::string>& space;

  bool is(const std::string& file, const ArrayHeader& header, const char* attribute, bool otherwise) const {
    return hdf5_number_of(file, group + "/" + header.name, attribute).value_or(otherwise) != 0;
  }

  // The dimensions of a component.
  std::vector<std::string> dimensions_of(const std::string& file, const ArrayHeader& header) const {
    std::vector<std::string> dimensions;
    if (is(file, header, "sample_varying", true)) dimensions.emplace_back("sample");
    if (is(file, header, "time_varying", true)) dimensions.emplace_back("step");
    dimensions.insert(dimensions.end(), space.begin(), space.end());
    return dimensions;
  }
};

void add_field(const WellField& field, std::shared_ptr<StoredArray> whole, Dataset& data) {
  const ArrayHeader& header = whole->header();
  const std::vector<std::string> dimensions = field.dimensions_of(data.path, header);
  if (header.shape.size() < dimensions.size() + field.order) {
    data.notes.push_back(
        text(header.name, " (", data.path, ") is the same along a dimension of space: not read"));
    return;
  }
  const auto components = static_cast<int64_t>(field.space.size());
  const bool fits = header.shape.size() == dimensions.size() + field.order &&
                    std::all_of(header.shape.end() - static_cast<std::ptrdiff_t>(field.order),
                                header.shape.end(), [&](int64_t n) { return n == components; });
  if (!fits)
    refuse("the_well", data.path, ": ", header.name, " has ", header.shape.size(), " dimensions instead of ",
           dimensions.size() + field.order, " (", field.order, " of them with ", components,
           " components), as its attributes say: write it anew");
  // Of a pair of components whose numbers are the same one is read.
  const bool symmetric = field.order == 2 && field.is(data.path, header, "symmetric", false);
  const bool antisymmetric = field.order == 2 && field.is(data.path, header, "antisymmetric", false);
  const size_t first = field.order > 0 ? field.space.size() : 1,
               second = field.order > 1 ? field.space.size() : 1;
  for (size_t i = 0; i < first; ++i) {
    for (size_t j = 0; j < second; ++j) {
      if ((antisymmetric && i >= j) || (symmetric && i > j)) continue;
      ArrayHeader part{header.name, data.path, header.type, dimensions, {}, header.attributes, {}};
      std::vector<std::optional<int64_t>> fixed(dimensions.size());
      if (field.order > 0) part.name += "_" + field.space[i], fixed.emplace_back(static_cast<int64_t>(i));
      if (field.order > 1) part.name += field.space[j], fixed.emplace_back(static_cast<int64_t>(j));
      data.arrays.push_back(slice_of(whole, std::move(part), std::move(fixed)));
    }
  }
}

// "x PERIODIC, y WALL"
void note_boundaries(const Dataset& root, Dataset& data) {
  std::string told;
  for (const std::string& group : root.groups) {
    if (!group.starts_with("/boundary_conditions/")) continue;
    const auto type = hdf5_texts_of(root.path, group, "bc_type");
    for (const std::string& name : hdf5_texts_of(root.path, group, "associated_dims"))
      told += text(told.empty() ? "" : ", ", name, " ", type.empty() ? "of an unknown kind" : type.front());
  }
  if (!told.empty())
    data.notes.push_back(
        text(root.path, ": boundaries: ", told, " (data.periodic names the axes without an edge)"));
}

void add_places(const Dataset& root, const std::vector<std::string>& space,
                const std::shared_ptr<NetcdfFiles>& files, const std::shared_ptr<ChunkCache>& cache,
                Dataset& data) {
  if (!has_group(root, "/dimensions")) return;
  const Dataset places = open_netcdf(root.path, "/dimensions", files, cache);
  for (const auto& array : places.arrays) {
    const std::string& name = array->header().name;
    if (array->header().shape.size() == 1 && std::find(space.begin(), space.end(), name) != space.end())
      add_axis(data, name, {}, all_values(*array));
  }
}

}  // namespace

bool is_the_well(const Dataset& root) {
  return root.container == "NetCDF-4" && has_group(root, "/dimensions") &&
         (has_group(root, "/t0_fields") || has_group(root, "/t1_fields") || has_group(root, "/t2_fields"));
}

Dataset open_the_well(const Dataset& root, const std::shared_ptr<NetcdfFiles>& files,
                      const std::shared_ptr<ChunkCache>& cache) {
  const auto alone = netcdf_alone();
  Dataset data;
  data.path = root.path;
  data.container = "HDF5 of The Well";
  data.provenance = text_attribute(root.attributes, "dataset_name");
  data.attributes["grid_type"] = text_attribute(root.attributes, "grid_type");
  const std::vector<std::string> space = space_of(root);
  for (size_t order = 0; order < 3; ++order) {
    const std::string group = text("/t", order, "_fields");
    if (!has_group(root, group)) continue;
    Dataset fields = open_netcdf(root.path, group, files, cache);
    for (auto& array : fields.arrays) add_field({group, order, space}, std::move(array), data);
  }
  add_places(root, space, files, cache, data);
  note_boundaries(root, data);
  return data;
}

}  // namespace graticule
