#include "graticule/data/source.h"

#include <glob.h>

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/channels.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/grid_source.h"
#include "graticule/data/netcdf.h"
#include "graticule/data/synthetic.h"
#include "graticule/data/time.h"
#include "graticule/data/zarr.h"

namespace graticule {

namespace {

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

// The path as GDAL calls it: gs://bucket/path -> /vsigs/bucket/path.
std::string gdal_path(const std::string& path) {
  for (const auto& [scheme, prefix] : {std::pair("gs://", "/vsigs/"), std::pair("s3://", "/vsis3/")}) {
    if (path.starts_with(scheme)) return prefix + path.substr(5);
  }
  if (path.starts_with("http://") || path.starts_with("https://")) return "/vsicurl/" + path;
  if (path.find("://") != std::string::npos) {
    refuse("source", "'", path,
           "' is of an unknown kind: known are gs://, s3://, http://, https:// and GDAL's /vsi... paths");
  }
  return path;
}

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

bool is_netcdf_name(const std::string& name) {
  return name.ends_with(".nc") || name.ends_with(".nc4") || name.ends_with(".cdf") ||
         name.ends_with(".netcdf") || name.ends_with(".h5") || name.ends_with(".hdf5");
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
  std::shared_ptr<NetcdfFiles> files = std::make_shared<NetcdfFiles>();
  std::shared_ptr<ChunkCache> cache = std::make_shared<ChunkCache>();
  std::vector<Dataset> datasets = {};

  void open(const std::string& path) {
    const bool remote = path.starts_with("/vsi");
    if (remote && is_netcdf_name(path)) return open_file(path, "/");
    if (remote || is_folder(path)) return open_folder(path);
    if (file_size(path)) return open_file(path, "/");
    // FILE.nc/a/b names a group of a file.
    for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1)) {
      if (!is_folder(path.substr(0, slash)) && file_size(path.substr(0, slash)))
        return open_file(path.substr(0, slash), path.substr(slash));
    }
    refuse("source", path, " does not exist");
  }

 private:
  void add(Dataset data) {
    split_channels(data, layout);
    datasets.push_back(std::move(data));
  }

  void open_file(const std::string& path, const std::string& group) {
    add(open_netcdf(path, group, files, cache));
  }

  void open_folder(const std::string& path) {
    if (is_zarr(path)) return add(open_zarr(path, cache));
    const std::vector<std::string> names = names_in(path);
    const size_t before = datasets.size();
    std::string passed;  // names that look like data but are not read
    for (const std::string& name : names) {
      if (name.starts_with("._")) continue;  // macOS writes such a file beside each file
      if (is_netcdf_name(name)) {
        open_file(path + "/" + name, "/");
      } else if (looks_like_data(name)) {
        passed += (passed.empty() ? "" : ", ") + name;
      }
    }
    if (datasets.size() > before && !passed.empty())
      datasets.back().notes.push_back(
          path + ": only files named .nc, .nc4, .cdf, .netcdf, .h5 or .hdf5 are read, not " + passed);
    if (datasets.size() > before) return;
    refuse(
        "source", path,
        " is neither a Zarr store (no .zgroup, .zmetadata or zarr.json) nor a folder of .nc or .h5 files; ",
        names.empty() ? "it is empty or absent" : "it holds " + list_of(names));
  }
};

std::string without_slash(const std::string& path) {
  return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// Opens one path. A path that exists is not treated as a pattern, whatever characters it has.
void open_part(const std::string& part, Opener& opener) {
  const std::string location = gdal_path(part);
  const bool pattern = !location.starts_with("/vsi") && location.find_first_of("*?[") != std::string::npos;
  if (!pattern || exists(location)) return opener.open(without_slash(location));
  for (const std::string& one : expand(location)) opener.open(without_slash(one));
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
      constant ? "(constant)" : "at " + format_time(catalog.times[static_cast<size_t>(time_index)]);
  refuse("data", variable, " ", when, " has ", count, " ", kind, " values of ", total, " read from ",
         catalog.path, ": ", way_out);
}

std::unique_ptr<Source> open_source(const std::string& path, const ChannelLayout& layout) {
  if (path == "synthetic" || path.starts_with("synthetic:")) return open_synthetic(path);
  if (!is_utf8(path)) refuse("source", "the path ", path, " is not UTF-8: rename it");
  if (path.empty()) refuse("source", "an empty path: give a Zarr folder, NetCDF files or synthetic:...");
  Opener opener{layout};
  const bool one = path.find("://") == std::string::npos && !path.starts_with("/vsi") && exists(path);
  for (const std::string& part : one ? std::vector<std::string>{path} : parts_of(path))
    open_part(part, opener);
  return make_grid_source(path, std::move(opener.datasets), opener.cache);
}

}  // namespace graticule
