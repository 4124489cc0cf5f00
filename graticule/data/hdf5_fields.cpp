#include "graticule/data/hdf5_fields.h"

#include <algorithm>
#include <filesystem>

#include "graticule/core/error.h"
#include "graticule/data/channel_array.h"
#include "graticule/data/channels.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

// The first time of a file that has none itself: the recipe's, or the new year of the file's name (2018.h5).
double first_time(const std::string& file, const ChannelLayout& layout) {
  if (!layout.start.empty()) return static_cast<double>(parse_time(layout.start));
  const std::string year = std::filesystem::path(file).stem().string();
  if (year.size() != 4 || year.find_first_not_of("0123456789") != std::string::npos)
    refuse("source", file,
           " has no times, and its name is no year: give the first time in a recipe, [data.layout] start = "
           "\"2018-01-01\"");
  return static_cast<double>(parse_time(year + "-01-01"));
}

std::vector<double> times_of(const std::string& file, int64_t count, const ChannelLayout& layout) {
  if (layout.step_hours == 0)
    refuse(
        "source", file,
        " has no times: give the hours between them in a recipe, [data.layout] step_hours = 6; `graticule data` "
        "takes it by --recipe");
  constexpr double hour = 3600;
  const double first = first_time(file, layout);
  std::vector<double> times;
  for (int64_t i = 0; i < count; ++i)
    times.push_back(first + static_cast<double>(i) * static_cast<double>(layout.step_hours) * hour);
  return times;
}

// `count` values from the first to the last.
std::vector<double> evenly(const std::vector<double>& ends, int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(ends[0] + (ends[1] - ends[0]) * static_cast<double>(i) /
                                   static_cast<double>(std::max<int64_t>(1, count - 1)));
  return values;
}

// The coordinate `name` of the file, or `otherwise` when it has none. Refuses one of another length.
template <class Otherwise>
std::vector<double> coordinate_of_file(Dataset& data, const char* name, int64_t count, Otherwise otherwise) {
  const std::unique_ptr<StoredArray> array = take_array(data, name);
  std::vector<double> values = array ? all_values(*array) : otherwise();
  if (std::ssize(values) != count)
    refuse("source", data.path, ": fields has ", count, " along ", name, ", but ", name, " has ",
           values.size(), " values: write one of them anew");
  return values;
}

void add_place(Dataset& data, const char* name, const char* ours, const char* units, int64_t count,
               const std::vector<double>& ends) {
  const std::vector<double> values = coordinate_of_file(data, name, count, [&] {
    if (ends.empty())
      refuse("source", data.path, " has no ", ours,
             "s: give the first and the last in a recipe, [data.layout] ", ours,
             "s = [first, last]; `graticule data` takes it by --recipe");
    return evenly(ends, count);
  });
  add_axis(data, ours, {{"units", units}}, values);
}

// Applies the mask `valid_data` (time, channel): a field marked with 0 is NaN, and a time without any valid
// field is left out of `times` and of every channel.
void leave_invalid_out(Dataset& data, std::vector<double>& times, std::vector<NamedChannel>& channels,
                       const ArrayHeader& fields) {
  const std::unique_ptr<StoredArray> mask = take_array(data, "valid_data");
  if (!mask) return;
  if (mask->header().shape != std::vector<int64_t>{fields.shape[0], fields.shape[1]})
    refuse("source", data.path,
           ": valid_data must have the shape (times, channels) of fields: write it anew");
  const std::vector<double> valid = all_values(*mask);
  std::vector<double> kept;
  std::vector<int64_t> kept_at;
  size_t missing = 0;
  const size_t count = channels.size();
  for (size_t t = 0; t < times.size(); ++t) {
    const auto row = valid.begin() + static_cast<std::ptrdiff_t>(t * count);
    const auto zeros = static_cast<size_t>(std::count(row, row + static_cast<std::ptrdiff_t>(count), 0.0));
    if (zeros == count) continue;
    missing += zeros;
    kept.push_back(times[t]);
    kept_at.push_back(static_cast<int64_t>(t));
  }
  if (missing > 0 && fields.type != NumberType::f4 && fields.type != NumberType::f8)
    refuse("source", data.path,
           ": valid_data marks fields that are no fp32 or fp64 numbers: they cannot be NaN");
  for (size_t c = 0; c < count; ++c) {
    std::vector<int64_t> stored = kept_at;
    for (int64_t& t : stored) {
      if (valid[static_cast<size_t>(t) * count + c] == 0) t = never_stored;
    }
    channels[c].times = std::move(stored);
  }
  if (kept.size() < times.size())
    data.notes.push_back(text(data.path, ": ", times.size() - kept.size(), " of ", times.size(),
                              " times are left out: valid_data marks all their fields as invalid"));
  if (missing > 0)
    data.notes.push_back(
        text(data.path, ": ", missing, " fields are missing: valid_data marks them as invalid"));
  times = std::move(kept);
}

}  // namespace

bool is_hdf5_fields(const Dataset& data) {
  return data.container == "NetCDF-4" &&
         std::any_of(data.arrays.begin(), data.arrays.end(), [](const auto& a) {
           return a->header().name == "fields" && a->header().shape.size() == 4;
         });
}

void split_hdf5_fields(Dataset& data, const ChannelLayout& layout) {
  data.container = "HDF5";
  const ChannelArray from = [&] {
    std::shared_ptr<StoredArray> fields = take_array(data, "fields");
    const std::vector<int64_t> shape = fields->header().shape;
    return ChannelArray{fields,
                        1,
                        {0, 0, 0, 0},
                        {"time", "channel", "latitude", "longitude"},
                        {shape[0], 1, shape[2], shape[3]}};
  }();
  const ArrayHeader& header = from.array->header();
  std::vector<NamedChannel> channels =
      channels_named(names_of_channels(data, "fields", header.shape[1], "channel", layout));
  add_place(data, "lat", "latitude", "degrees_north", header.shape[2], layout.latitudes);
  add_place(data, "lon", "longitude", "degrees_east", header.shape[3], layout.longitudes);
  std::vector<double> times = coordinate_of_file(
      data, "timestamp", header.shape[0], [&] { return times_of(data.path, header.shape[0], layout); });
  leave_invalid_out(data, times, channels, header);
  add_axis(data, "time", {{"units", unix_seconds}}, times);
  add_channels(data, from, channels);
}

}  // namespace graticule
