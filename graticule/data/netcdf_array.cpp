#include "graticule/data/netcdf_array.h"

#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_filter.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/flat_array.h"
#include "graticule/data/hdf5_direct.h"

namespace graticule {

namespace {

std::string name_of_filter(unsigned number) {
  static const std::map<unsigned, std::string> names = {
      {4, "szip"},      {307, "bzip2"},  {32000, "lzf"},
      {32001, "blosc"}, {32004, "lz4"},  {32008, "bitshuffle"},
      {32013, "zfp"},   {32015, "zstd"}, {32022, "granular bit rounding"},
      {32026, "blosc2"}};
  const auto found = names.find(number);
  return found == names.end() ? "HDF5's filter " + std::to_string(number)
                              : found->second + " (HDF5's filter " + std::to_string(number) + ")";
}

// The filters of a variable; none in a classic file.
std::vector<unsigned> filters_of(int group, int variable) {
  size_t count = 0;
  if (nc_inq_var_filter_ids(group, variable, &count, nullptr) != NC_NOERR) return {};
  std::vector<unsigned> filters(count);
  nc_inq_var_filter_ids(group, variable, &count, filters.data());
  return filters;
}

bool is_hdf5(int group) {
  int format = 0, mode = 0;
  return nc_inq_format_extended(group, &format, &mode) == NC_NOERR && format == NC_FORMATX_NC_HDF5;
}

void require_filters(const std::vector<unsigned>& filters, const ArrayHeader& header) {
  for (const unsigned filter : filters) {
    if (H5Zfilter_avail(static_cast<H5Z_filter_t>(filter)) > 0) continue;
    refuse("netcdf", header.file, ": ", header.name, " is compressed by ", name_of_filter(filter),
           ", which this machine's HDF5 does not have: install its plug-in (and name its folder in "
           R"(HDF5_PLUGIN_PATH), or write the file with zlib instead (xarray: to_netcdf(..., encoding={")",
           header.name, R"x(": {"zlib": True}}))x");
  }
}

void read_box(const NetcdfPlace& place, const ArrayHeader& header, std::span<const Span> box,
              std::span<std::byte> out) {
  std::vector<size_t> begin, count;
  for (const Span& span : box) {
    begin.push_back(static_cast<size_t>(span.begin));
    count.push_back(static_cast<size_t>(span.size()));
  }
  GRATICULE_CHECK(out.size() == size_of(header.type) * std::accumulate(count.begin(), count.end(), size_t{1},
                                                                       std::multiplies<>()));
  const auto alone = netcdf_alone();
  const int group = open_group(*place.files, place.path, place.group);
  const int status = box.empty() ? nc_get_var(group, place.variable, out.data())
                                 : nc_get_vara(group, place.variable, begin.data(), count.data(), out.data());
  if (status == NC_NOERR) return;
  fail("netcdf", header.file, ": ", header.name, " cannot be read (", nc_strerror(status),
       "): its bytes are damaged or cut off, or the disk fails: copy it again");
}

class NetcdfArray : public StoredArray {
 public:
  NetcdfArray(ArrayHeader header, NetcdfPlace place)
      : StoredArray(std::move(header)), place_(std::move(place)) {}
  void read(std::span<const Span> box, std::span<std::byte> out) override {
    read_box(place_, header(), box, out);
  }

 private:
  NetcdfPlace place_;
};

class DecodedChunkedArray : public ChunkedArray {
 public:
  DecodedChunkedArray(const ArrayHeader& header, NetcdfPlace place, const Index& chunk,
                      std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(header, chunk, row_major(chunk.size()), std::move(cache)),
        place_(std::move(place)),
        chunk_(chunk) {}

 private:
  std::vector<Span> box_of(const Index& chunk) const {
    std::vector<Span> box;
    for (size_t d = 0; d < chunk.size(); ++d) {
      const int64_t begin = chunk[d] * chunk_[d];
      box.push_back({begin, std::min(begin + chunk_[d], header().shape[d])});
    }
    return box;
  }

  Index shape_of(const Index& chunk) const override {
    Index shape;
    for (const Span& span : box_of(chunk)) shape.push_back(span.size());
    return shape;
  }

  std::unique_ptr<Chunk> load(const Index& chunk) override {
    const std::vector<Span> box = box_of(chunk);
    size_t size = size_of(header().type);
    for (const Span& span : box) size *= static_cast<size_t>(span.size());
    Bytes bytes = Bytes::of_size(size);
    read_box(place_, header(), box, bytes.span());
    return std::make_unique<DecodedChunk>(std::move(bytes));
  }

  NetcdfPlace place_;
  Index chunk_;
};

}  // namespace

std::string path_in_file(const std::string& group, const std::string& name) {
  return (group == "/" ? "" : group + "/") + name;
}

int open_group(NetcdfFiles& files, const std::string& path, const std::string& group) {
  const int file = files.open(path);
  if (group == "/") return file;
  int number = -1;
  const int status = nc_inq_grp_full_ncid(file, group.c_str(), &number);
  if (status != NC_NOERR) refuse("netcdf", path, " has no group ", group);
  return number;
}

std::unique_ptr<StoredArray> open_netcdf_array(ArrayHeader header, NetcdfPlace place,
                                               const std::shared_ptr<ChunkCache>& cache) {
  const auto alone = netcdf_alone();
  const int group = open_group(*place.files, place.path, place.group);
  const std::vector<unsigned> filters = filters_of(group, place.variable);
  require_filters(filters, header);
  int storage = NC_CONTIGUOUS;
  std::vector<size_t> chunk(header.shape.size());
  // NetCDF 4.9.0 does not know virtual data sets, but says so.
  if (nc_inq_var_chunking(group, place.variable, &storage, nullptr) == NC_NOERR &&
      (storage == NC_VIRTUAL || storage == NC_UNKNOWN_STORAGE))
    require_virtual_sources(place.path, path_in_file(place.group, header.name));
  const bool chunked = !filters.empty() && !chunk.empty() &&
                       nc_inq_var_chunking(group, place.variable, &storage, chunk.data()) == NC_NOERR &&
                       storage == NC_CHUNKED;
  if (!chunked) {
    // The library takes several times as long for a small part, and one thread at a time.
    const bool local_hdf5 = !place.path.starts_with("/vsi") && storage == NC_CONTIGUOUS && is_hdf5(group);
    const std::string name = path_in_file(place.group, header.name);
    if (const auto offset = local_hdf5 ? offset_of_values(place.path, name, header.type) : std::nullopt)
      return open_flat_array(std::move(header), place.path, *offset, false);
    return std::make_unique<NetcdfArray>(std::move(header), std::move(place));
  }
  return std::make_unique<DecodedChunkedArray>(header, std::move(place),
                                               ChunkedArray::Index(chunk.begin(), chunk.end()), cache);
}

}  // namespace graticule
