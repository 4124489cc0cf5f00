#include "graticule/data/source.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/channels.h"
#include "graticule/data/climax.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/grib.h"
#include "graticule/data/grid_source.h"
#include "graticule/data/icechunk.h"
#include "graticule/data/image_source.h"
#include "graticule/data/netcdf.h"
#include "graticule/data/nifti.h"
#include "graticule/data/npy.h"
#include "graticule/data/ome_zarr.h"
#include "graticule/data/raster.h"
#include "graticule/data/references.h"
#include "graticule/data/synthetic.h"
#include "graticule/data/the_well.h"
#include "graticule/data/time.h"
#include "graticule/data/zarr.h"
#include "graticule/data/zip_data.h"
#include "graticule/data/zip_store.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;

constexpr size_t listed = 40;  // the most names in one message

template <class Names>
std::string list_of(const Names& names) {
  std::string list;
  size_t count = 0;
  for (const auto& name : names) {
    if (++count > listed) return list + ", and " + std::to_string(names.size() - listed) + " more";
    list += (count > 1 ? ", " : "") + name;
  }
  return list;
}

std::string base_of(const std::string& name) { return name.substr(0, name.find('@')); }

bool exists(const std::string& path) { return is_folder(path) || file_size(path); }

std::vector<std::string> expand(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  if (paths.empty()) refuse("source", "no file matches '", pattern, "'");
  return paths;
}

bool is_grib_name(const std::string& name) {
  return name.ends_with(".grib") || name.ends_with(".grb") || name.ends_with(".grib2") ||
         name.ends_with(".grb2");
}

// Files of images that a folder may hold, besides NetCDF and HDF5.
bool is_image_name(const std::string& name) {
  return name.ends_with(".npy") || is_raster_name(name) || is_nifti_name(name);
}

// NSF NCAR keeps ERA5 in folders PRODUCT/YEARMONTH: e5.oper.an.pl/202001.
bool is_ncar_folder(const std::string& name) {
  const bool month = name.size() == 6 && name.find_first_not_of("0123456789") == std::string::npos;
  return month || name.starts_with("e5.oper.");
}

bool looks_like_data(const std::string& name) {
  for (const char* end :
       {".gz", ".zip", ".hdf", ".he5", ".grib", ".grb", ".grib2", ".grb2", ".zarr", ".npz"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

// Opens files and stores; all of them share one set of open files and one cache of chunks.
struct Opener {
  const ChannelLayout& layout;
  const ImageLayout& grid;
  bool images = false;          // arrays stay as they are, and folders are opened with all that is below them
  std::string array_name = {};  // of a file that holds one array without a name
  std::shared_ptr<NetcdfFiles> files = std::make_shared<NetcdfFiles>();
  std::shared_ptr<RasterFiles> rasters = std::make_shared<RasterFiles>();
  std::shared_ptr<ChunkCache> cache = std::make_shared<ChunkCache>();
  std::vector<Dataset> datasets = {};

  // `place`: where the files are that `path` refers to, "" for its own folder.
  void open(const std::string& path, const std::string& place) {
    const bool remote = path.starts_with("/vsi");
    if (remote && is_netcdf_name(path)) return open_file(path, "/", place);
    if (remote || is_folder(path)) return open_folder(path, place);
    if (file_size(path)) return open_file(path, "/", place);
    // FILE.nc/a/b names a group of a file, or of an Icechunk repository.
    for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1)) {
      const std::string above = path.substr(0, slash);
      if (is_icechunk(above)) return open_keys(open_icechunk(above, place), path.substr(slash));
      if (!is_folder(above) && file_size(above)) return open_file(above, path.substr(slash), place);
    }
    refuse("source", path, " does not exist");
  }

 private:
  void add(Dataset data) {
    if (!images) split_channels(data, layout);
    datasets.push_back(std::move(data));
  }

  void add_all(std::vector<Dataset> all) {
    for (Dataset& data : all) add(std::move(data));
  }

  void open_keys(const Keys& keys, const std::string& group) {
    if (!is_zarr(*keys, group.substr(1)))
      refuse("source", keys->name(), " has no group ", group, " of a Zarr store");
    add_store(keys, group.substr(1));
  }

  void add_store(const Keys& keys, const std::string& group) {
    add(images && is_ome_zarr(*keys, group) ? open_ome_zarr(keys, group, grid.level, cache)
                                            : open_zarr(keys, group, cache));
  }

  void add_netcdf(const std::string& path, const std::string& group) {
    Dataset data = open_netcdf(path, group, files, cache);
    add(images && group == "/" && is_the_well(data) ? open_the_well(data, files, cache) : std::move(data));
  }

  void open_file(const std::string& path, const std::string& group, const std::string& place) {
    if (images && path.ends_with(".npy")) return add(open_npy(path, array_name, cache));
    if (images && is_raster_name(path)) return add(open_raster(path, array_name, rasters));
    if (images && is_nifti_name(path)) return add(open_nifti(path, array_name, cache));
    if (is_references(path)) return open_keys(open_references(path, place), group);
    if (!path.starts_with("/vsi") && is_grib(path)) return add(open_grib(path, cache));
    if (!path.starts_with("/vsi") && is_zip(path))
      return add_all(open_zip(path, group.substr(1), files, cache));
    add_netcdf(path, group);
  }

  void open_folder(const std::string& path, const std::string& place) {
    if (is_icechunk(path)) return open_keys(open_icechunk(path, place), "/");
    if (const Keys keys = open_folder_store(path); is_zarr(*keys, ""))
      return images ? add_store(keys, "") : add(open_zarr(path, cache));
    if (images) return open_images(path, place);
    if (is_climax(path)) return add_all(open_climax(path, cache));
    const std::vector<std::string> names = names_in(path);
    const size_t before = datasets.size();
    // A folder of NetCDF files; without any, of zip archives and GRIB files.
    const bool others = std::none_of(names.begin(), names.end(), is_netcdf_name);
    std::string passed;  // names that look like data but are not read
    for (const std::string& name : names) {
      if (name.starts_with("._")) continue;  // macOS writes such a file beside each file
      if (is_netcdf_name(name) || (others && (name.ends_with(".zip") || is_grib_name(name)))) {
        open_file(path + "/" + name, "/", place);
      } else if (looks_like_data(name)) {
        passed += (passed.empty() ? "" : ", ") + name;
      }
    }
    if (datasets.size() > before && !passed.empty())
      datasets.back().notes.push_back(
          path +
          ": only files named .nc, .nc4, .cdf, .netcdf, .h5 or .hdf5 (or .zip and GRIB, without such files) are read, not " +
          passed);
    if (datasets.size() > before) return;
    for (const std::string& name : names) {
      if (is_ncar_folder(name) && is_folder(path + "/" + name)) open_folder(path + "/" + name, place);
    }
    if (datasets.size() > before) return;
    refuse_folder(path, names);
  }

  // All files of images below a folder, in the order of their paths.
  void open_images(const std::string& path, const std::string& place) {
    const std::vector<std::string> names = names_in(path);
    const size_t before = datasets.size();
    for (const std::string& name : names) {
      const std::string inner = path + "/" + name;
      if (name.starts_with(".")) continue;
      if (is_folder(inner)) {
        open_folder(inner, place);
      } else if (is_netcdf_name(name) || is_image_name(name)) {
        open_file(inner, "/", place);
      }
    }
    if (datasets.size() == before)
      refuse("source", path,
             " holds no image that can be read (.npy, .nc, .h5, .zarr, .tif, .png, .jpg, .nii); it holds ",
             names.empty() ? "nothing" : list_of(names));
  }

  [[noreturn]] static void refuse_folder(const std::string& path, const std::vector<std::string>& names) {
    refuse(
        "source", path,
        " is neither a Zarr store (no .zgroup, .zmetadata or zarr.json) nor a folder of .nc or .h5 files, .zip or GRIB files; ",
        names.empty() ? "it is empty or absent" : "it holds " + list_of(names));
  }
};

std::string without_slash(const std::string& path) {
  return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// Opens one path. A path that exists is not treated as a pattern, whatever characters it has.
void open_part(const std::string& part, Opener& opener) {
  // PATH::PLACE says where the files are that PATH refers to.
  const size_t colons = part.starts_with("/vsi") || fs::exists(part) ? std::string::npos : part.find("::");
  const std::string place = colons == std::string::npos ? "" : part.substr(colons + 2);
  const std::string location = gdal_path(part.substr(0, colons));
  const bool pattern = !location.starts_with("/vsi") && location.find_first_of("*?[") != std::string::npos;
  const fs::path named = without_slash(location);
  opener.array_name = (pattern ? named.parent_path() : named).stem();
  if (opener.array_name.ends_with(".nii")) opener.array_name.resize(opener.array_name.size() - 4);  // .nii.gz
  if (!pattern || exists(location)) return opener.open(without_slash(location), place);
  for (const std::string& one : expand(location)) opener.open(without_slash(one), place);
}

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

int64_t Catalog::layers() const { return grid == GridKind::volume ? std::ssize(axes.front().values) : 1; }

int64_t Catalog::rows() const {
  if (grid == GridKind::cells) return std::ssize(cells->latitudes);
  return grid == GridKind::sphere ? std::ssize(latitudes) : std::ssize(axes[axes.size() - 2].values);
}

int64_t Catalog::columns() const {
  if (grid == GridKind::cells) return 1;
  return grid == GridKind::sphere ? std::ssize(longitudes) : std::ssize(axes.back().values);
}

std::optional<int64_t> Catalog::index_of_time(int64_t time) const {
  const auto found = std::lower_bound(times.begin(), times.end(), time);
  return found != times.end() && *found == time ? std::optional(found - times.begin()) : std::nullopt;
}

size_t Catalog::index_of(const std::string& name) const {
  const auto found =
      std::find_if(variables.begin(), variables.end(), [&](const Variable& v) { return v.name == name; });
  if (found != variables.end()) return static_cast<size_t>(found - variables.begin());
  std::vector<std::string> names, relatives;
  for (const Variable& variable : variables) {
    names.push_back(variable.name);
    if (base_of(variable.name) == base_of(name)) relatives.push_back(variable.name);
  }
  std::sort(names.begin(), names.end());
  if (!relatives.empty()) {
    refuse("source", path, " has no ", name, ", but ", base_of(name), " as ", list_of(relatives));
  }
  refuse("source", path, " has no ", name, ": did you mean ", nearest_name(name, names), "? It has ",
         list_of(names));
}

void refuse_values(const Catalog& catalog, const std::string& variable, int64_t time_index, int64_t count,
                   size_t total, const char* kind, const char* way_out) {
  const bool constant = catalog.variables[catalog.index_of(variable)].constant;
  const std::string when =
      constant ? "(constant)"
               : "at " + format_time(catalog.times[static_cast<size_t>(time_index)], catalog.calendar);
  refuse("data", variable, " ", when, " has ", count, " ", kind, " values of ", total, " read from ",
         catalog.path, ": ", way_out);
}

namespace {

// Moves the data sets of one part of the path to the images, which are named below it.
void take_images(const std::string& part, std::vector<Dataset>& datasets, std::vector<ImageFile>& images) {
  const std::string folder = without_slash(part) + "/";
  for (Dataset& data : datasets) {
    std::string name = data.path;
    if (name.starts_with(folder)) name = name.substr(folder.size());
    images.push_back({std::move(name), std::move(data)});
  }
  datasets.clear();
}

}  // namespace

std::unique_ptr<Source> open_source(const std::string& path, const ChannelLayout& layout,
                                    const ImageLayout& images) {
  const bool of_images = is_image(images.grid);
  const bool synthetic = path == "synthetic" || path.starts_with("synthetic:");
  if (synthetic && images.grid != GridKind::sphere)
    refuse("source", "data.grid = \"", name_of(images.grid), "\" with ", path,
           ": synthetic data lie on a sphere; leave data.grid out");
  if (synthetic) return open_synthetic(path);
  if (!is_utf8(path)) refuse("source", "the path ", path, " is not UTF-8: rename it");
  if (path.empty()) refuse("source", "an empty path: give a Zarr folder, NetCDF files or synthetic:...");
  Opener opener{layout, images, of_images};
  std::vector<ImageFile> files;
  const bool one = path.find("://") == std::string::npos && !path.starts_with("/vsi") && exists(path);
  for (const std::string& part : one ? std::vector<std::string>{path} : parts_of(path)) {
    open_part(part, opener);
    if (of_images) take_images(part, opener.datasets, files);
  }
  if (of_images) return make_image_source(path, std::move(files), images, layout.names, opener.cache);
  return make_grid_source(path, std::move(opener.datasets), images, opener.cache);
}

}  // namespace graticule
