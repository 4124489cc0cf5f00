#include "graticule/data/climax.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/npy.h"
#include "graticule/data/time.h"
#include "graticule/data/zip_store.h"

namespace graticule {

namespace {

constexpr int64_t hour = 3600;

struct ClimaxShard {
  std::string file;
  int64_t steps = 0;
};
using Years = std::map<int, std::map<int, ClimaxShard>>;  // year -> number of the shard -> file

// "1979_3.npz" -> year and shard; nothing for any other name.
std::optional<std::pair<int, int>> parts_of_name(const std::string& name) {
  if (!name.ends_with(".npz")) return std::nullopt;
  std::pair<int, int> parts{0, 0};
  const char* end = name.data() + name.size() - 4;
  const auto year = std::from_chars(name.data(), end, parts.first);
  if (year.ec != std::errc() || year.ptr == end || *year.ptr != '_') return std::nullopt;
  const auto shard = std::from_chars(year.ptr + 1, end, parts.second);
  return shard.ec == std::errc() && shard.ptr == end ? std::optional(parts) : std::nullopt;
}

std::vector<std::string> folders_of(const std::string& folder) {
  std::vector<std::string> found;
  for (const std::string& one : {folder, folder + "/train", folder + "/val", folder + "/test"}) {
    if (!is_folder(one)) continue;
    const std::vector<std::string> names = names_in(one);
    if (std::any_of(names.begin(), names.end(), [](const auto& name) { return parts_of_name(name); }))
      found.push_back(one);
  }
  return found;
}

std::vector<double> coordinate(const std::string& folder, const std::string& name) {
  for (const std::string& file : {folder + "/" + name, folder + "/../" + name}) {
    if (file_size(file)) return read_npy(file);
  }
  refuse("climax", folder, " has shards, but no ", name, ", there or one folder above: copy it too");
}

std::string member(const std::string& file, const std::string& name) {
  return "/vsizip/{" + file + "}/" + name;
}

// Hours from the start of the year to the first step, and from step to step.
std::pair<int64_t, int64_t> clock_of(int year, int64_t steps, const std::string& folder) {
  constexpr int64_t most = 8760, fewer = 8736;
  const int64_t days =
      (parse_time(text(year + 1, "-01-01")) - parse_time(text(year, "-01-01"))) / (24 * hour);
  if (steps > 0 && most % steps == 0) return {0, most / steps};
  if (steps > 0 && fewer % steps == 0) return {days * 24 - fewer, fewer / steps};
  refuse("climax", folder, ": the shards of ", year, " hold ", steps,
         " steps, which are no whole part of 8,760 or 8,736 hours: a shard is missing or cut");
}

Dataset open_shard(const ClimaxShard& shard, const std::string& folder, int64_t first, int64_t step,
                   const std::shared_ptr<ChunkCache>& cache) {
  Dataset data;
  data.path = shard.file;
  data.container = "npz";
  const std::vector<double> latitudes = coordinate(folder, "lat.npy"),
                            longitudes = coordinate(folder, "lon.npy");
  std::vector<double> times;
  for (int64_t i = 0; i < shard.steps; ++i) times.push_back(static_cast<double>(first + i * step));
  add_axis(data, "lat", {{"units", "degrees_north"}}, latitudes);
  add_axis(data, "lon", {{"units", "degrees_east"}}, longitudes);
  add_axis(data, "time", {{"units", "seconds since 1970-01-01"}}, times);
  for (const auto& [name, deflated] : members_of_zip(shard.file)) {
    const std::string file = member(shard.file, name);
    const NpyLayout layout = read_npy_layout(file);
    ArrayHeader header;
    header.name = name.substr(0, name.rfind(".npy"));
    header.file = shard.file;
    header.type = layout.type;
    header.dimensions = {"time", "channel", "lat", "lon"};
    header.shape = layout.shape;
    if (header.shape.size() != header.dimensions.size()) {
      data.notes.push_back(text(file, " has ", header.shape.size(), " dimensions instead of 4: not read"));
      continue;
    }
    data.arrays.push_back(open_npy_array(std::move(header), file, layout, deflated, cache));
  }
  return data;
}

void open_year(int year, std::map<int, ClimaxShard>& shards, const std::string& folder,
               const std::shared_ptr<ChunkCache>& cache, std::vector<Dataset>& datasets) {
  int64_t steps = 0;
  int expected = 0;
  for (auto& [number, shard] : shards) {
    if (number != expected++)
      refuse("climax", folder, " lacks ", year, "_", expected - 1, ".npz, but has ", year, "_", number,
             ".npz: the times of a year need all of its shards");
    const auto members = members_of_zip(shard.file);
    if (members.empty()) refuse("climax", shard.file, " holds no array");
    const NpyLayout layout = read_npy_layout(member(shard.file, members.begin()->first));
    if (layout.shape.empty()) refuse("climax", shard.file, " holds no array with times");
    shard.steps = layout.shape[0];
    steps += shard.steps;
  }
  const auto [start, step] = clock_of(year, steps, folder);
  int64_t first = parse_time(text(year, "-01-01")) + start * hour;
  for (const auto& [number, shard] : shards) {
    datasets.push_back(open_shard(shard, folder, first, step * hour, cache));
    first += shard.steps * step * hour;
  }
  datasets.back().notes.push_back(text(folder, ": the files hold no times; those of ", year,
                                       " are taken as every ", step, " h from ", start,
                                       " h after its start, by the number of steps"));
}

}  // namespace

bool is_climax(const std::string& folder) {
  return !folder.starts_with("/vsi") && !folders_of(folder).empty();
}

std::vector<Dataset> open_climax(const std::string& folder, const std::shared_ptr<ChunkCache>& cache) {
  std::vector<Dataset> datasets;
  for (const std::string& one : folders_of(folder)) {
    Years years;
    for (const std::string& name : names_in(one)) {
      if (const auto parts = parts_of_name(name)) years[parts->first][parts->second].file = one + "/" + name;
    }
    for (auto& [year, shards] : years) open_year(year, shards, one, cache, datasets);
  }
  return datasets;
}

}  // namespace graticule
