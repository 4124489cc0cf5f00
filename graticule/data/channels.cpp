#include "graticule/data/channels.h"

#include <algorithm>
#include <map>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/anemoi.h"
#include "graticule/data/cf.h"
#include "graticule/data/channel_array.h"
#include "graticule/data/hdf5_fields.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/names.h"

namespace graticule {

namespace {

// The dimension of a Zarr store's array that has a text for each channel (StormCast, makani's Zarr).
std::optional<size_t> channel_axis(const ArrayHeader& header, const Dataset& data) {
  static const std::set<std::string> names = {"channel", "channels", "variable", "variables"};
  for (size_t d = 1; header.shape.size() > 2 && d < header.shape.size(); ++d) {
    if (names.contains(header.dimensions[d]) && data.labels.contains(header.dimensions[d])) return d;
  }
  return std::nullopt;
}

// makani names its times `timestamp`, in seconds since 1970, without units.
void give_units_to_timestamp(Dataset& data) {
  const StoredArray* there = find_array(data, "timestamp");
  if (!there || there->header().shape.size() != 1 || there->header().attributes.contains("units")) return;
  const std::unique_ptr<StoredArray> stamps = take_array(data, "timestamp");
  add_axis(data, stamps->header().dimensions[0], {{"units", unix_seconds}}, all_values(*stamps));
}

void split_labelled(Dataset& data, const std::string& name, size_t axis, const ChannelLayout& layout) {
  ChannelArray from{take_array(data, name), axis, {}, {}, {}};
  const ArrayHeader& header = from.array->header();
  from.start.assign(header.shape.size(), 0);
  from.dimensions = header.dimensions;
  from.shape = header.shape;
  from.shape[axis] = 1;
  add_channels(
      data, from,
      channels_named(names_of_channels(data, name, header.shape[axis], header.dimensions[axis], layout)));
}

}  // namespace

void split_channels(Dataset& data, const ChannelLayout& layout) {
  if (is_anemoi(data)) return split_anemoi(data, layout);
  if (is_hdf5_fields(data)) return split_hdf5_fields(data, layout);
  std::map<std::string, size_t> found;
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    // On a curvilinear grid the array stays whole: it cannot be read, and one note says so.
    if (header.shape.size() == 2 && coordinate_of(header.name, header.attributes) == Coordinate::latitude)
      return;
    if (const auto axis = channel_axis(header, data)) found[header.name] = *axis;
  }
  if (!found.empty()) give_units_to_timestamp(data);
  for (const auto& [name, axis] : found) split_labelled(data, name, axis, layout);
}

void add_channels(Dataset& data, const ChannelArray& from, const std::vector<NamedChannel>& channels) {
  const std::string file = from.array->header().file;
  std::map<std::string, std::string> given;
  for (size_t i = 0; i < channels.size(); ++i) {
    const NamedChannel& channel = channels[i];
    const auto [other, added] = given.emplace(channel.variable, channel.name);
    if (!added)
      refuse("source", file, ": the channels ", other->second, " and ", channel.name, " are both ",
             channel.variable, ": list the right names in data.layout.names");
    ArrayHeader header{channel.name, file, NumberType::f4,  from.dimensions, from.shape,
                       {},           {},   channel.variable};
    header.attributes = {{"units", channel.units}};
    if (channel.constant) header.dimensions[0] = "once";
    std::vector<int64_t> start = from.start;
    start[from.axis] = static_cast<int64_t>(i);
    data.arrays.push_back(part_of(from.array, std::move(header), std::move(start), channel.times));
  }
}

std::vector<NamedChannel> channels_named(const std::vector<std::string>& names) {
  const std::vector<std::string> variables = variables_of(names);
  std::vector<NamedChannel> channels;
  for (size_t i = 0; i < names.size(); ++i)
    channels.push_back({names[i], variables[i], "", std::nullopt, false});
  return channels;
}

const StoredArray* find_array(const Dataset& data, const std::string& name) {
  const auto found = std::find_if(data.arrays.begin(), data.arrays.end(),
                                  [&](const auto& array) { return array->header().name == name; });
  return found == data.arrays.end() ? nullptr : found->get();
}

std::unique_ptr<StoredArray> take_array(Dataset& data, const std::string& name) {
  const StoredArray* wanted = find_array(data, name);
  const auto found = std::find_if(data.arrays.begin(), data.arrays.end(),
                                  [&](const auto& array) { return array.get() == wanted; });
  if (!wanted) return nullptr;
  std::unique_ptr<StoredArray> array = std::move(*found);
  data.arrays.erase(found);
  return array;
}

const std::vector<std::string>& names_of_channels(const Dataset& data, const std::string& array,
                                                  int64_t count, const std::string& dimension,
                                                  const ChannelLayout& layout) {
  const auto labels = data.labels.find(dimension);
  const bool listed = !layout.names.empty();
  if (!listed && labels == data.labels.end())
    refuse(
        "source", data.path, ": the ", count, " channels of ", array,
        " have no names in the file: list them in a recipe, [data.layout] names = [...]; `graticule data` takes "
        "it by --recipe");
  const std::vector<std::string>& names = listed ? layout.names : labels->second;
  if (std::ssize(names) != count)
    refuse("source", data.path, ": ", array, " has ", count, " channels, but ",
           listed ? "data.layout.names" : dimension, " lists ", names.size(),
           " names: give one for each, in order");
  return names;
}

}  // namespace graticule
