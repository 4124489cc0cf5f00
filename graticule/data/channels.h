// Arrays that hold all variables along one dimension, a *channel* for each, as data sets made for training
// do: makani, PhysicsNeMo, anemoi-datasets, StormCast. Each channel becomes an array of its own under our
// name, so that everything else (grid_source.h) sees one array a variable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/core/channel_layout.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Replaces arrays with channels in `data`. Any other data set stays as it is. `layout`: what the file lacks.
/// Refuses channels without names, a wrong number of names, two channels that are one variable, and a data
/// set that is not finished.
void split_channels(Dataset& data, const ChannelLayout& layout);

/// An array of channels, and what is common to all parts of it (part_of in channel_array.h).
struct ChannelArray {
  std::shared_ptr<StoredArray> array;
  size_t axis = 1;                      ///< the dimension of the channels in `array`
  std::vector<int64_t> start;           ///< of a part along each dimension of `array`; that of `axis` is set
  std::vector<std::string> dimensions;  ///< of a part; the first is the time
  std::vector<int64_t> shape;           ///< likewise
};

struct NamedChannel {
  std::string name;                           ///< in the file
  std::string variable;                       ///< our name, with @level
  std::string units;                          ///< "" when the file does not say
  std::optional<std::vector<int64_t>> times;  ///< as part_of takes them
  bool constant = false;                      ///< the same at all times: it gets no time
};

/// Adds an array for each channel to `data`. Refuses two channels of one variable.
void add_channels(Dataset& data, const ChannelArray& from, const std::vector<NamedChannel>& channels);

/// Channels of these names in order, each with all times of the array.
std::vector<NamedChannel> channels_named(const std::vector<std::string>& names);

/// The array `name`; null when it is absent.
const StoredArray* find_array(const Dataset& data, const std::string& name);
/// Removes the array `name` from the data set and returns it; null when it is absent.
std::unique_ptr<StoredArray> take_array(Dataset& data, const std::string& name);

/// The units of times in seconds since 1970.
constexpr const char* unix_seconds = "seconds since 1970-01-01";

/// data.layout.names, or else the texts that the file has along `dimension`. Refuses absent names and a number
/// of names other than `count`; `array` is for messages.
const std::vector<std::string>& names_of_channels(const Dataset& data, const std::string& array,
                                                  int64_t count, const std::string& dimension,
                                                  const ChannelLayout& layout);

}  // namespace graticule
