#include "graticule/data/zip_data.h"

#include "graticule/core/error.h"
#include "graticule/data/netcdf.h"
#include "graticule/data/zarr.h"
#include "graticule/data/zip_store.h"

namespace graticule {

namespace {

std::vector<Dataset> open_folder_of_zip(const Keys& keys, const std::string& folder,
                                        const std::shared_ptr<NetcdfFiles>& files,
                                        const std::shared_ptr<ChunkCache>& cache) {
  std::vector<Dataset> datasets;
  if (is_zarr(*keys, folder)) {
    datasets.push_back(open_zarr(keys, folder, cache));
    return datasets;
  }
  const std::vector<std::string> names = keys->names_in(folder);
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "" : ", ") + name;
    if (!is_netcdf_name(name) || name.starts_with("._")) continue;
    datasets.push_back(
        open_netcdf("/vsizip/{" + keys->name() + "}/" + join_keys(folder, name), "/", files, cache));
  }
  if (!datasets.empty()) return datasets;
  // `zip -r a.zip a.zarr` puts everything below one folder; macOS adds a folder of its own.
  std::vector<std::string> folders;
  for (const std::string& name : names) {
    if (name != "__MACOSX" && !keys->names_in(join_keys(folder, name)).empty()) folders.push_back(name);
  }
  if (folders.size() == 1) return open_folder_of_zip(keys, join_keys(folder, folders[0]), files, cache);
  refuse("zip", join_keys(keys->name(), folder), " holds neither a Zarr store nor .nc files, but ",
         list.empty() ? "nothing" : list, ": unpack it and give what is in it");
}

}  // namespace

bool is_netcdf_name(const std::string& name) {
  return name.ends_with(".nc") || name.ends_with(".nc4") || name.ends_with(".cdf") ||
         name.ends_with(".netcdf") || name.ends_with(".h5") || name.ends_with(".hdf5");
}

std::vector<Dataset> open_zip(const std::string& file, const std::string& folder,
                              const std::shared_ptr<NetcdfFiles>& files,
                              const std::shared_ptr<ChunkCache>& cache) {
  return open_folder_of_zip(open_zip_store(file), folder, files, cache);
}

}  // namespace graticule
