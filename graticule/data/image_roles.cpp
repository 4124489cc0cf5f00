#include "graticule/data/image_roles.h"

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"

namespace graticule {

namespace {

std::string shape_in_words(const ArrayHeader& header) {
  std::string words;
  for (size_t d = 0; d < header.shape.size(); ++d)
    words += text(d ? " x " : "", header.shape[d], " ", header.dimensions[d]);
  return words;
}

std::optional<ImageDimension> named(const std::string& dimension) {
  static const std::map<std::string, ImageDimension> known = {
      {"step", ImageDimension::step},        {"time", ImageDimension::step},
      {"t", ImageDimension::step},           {"channel", ImageDimension::channel},
      {"channels", ImageDimension::channel}, {"band", ImageDimension::channel},
      {"bands", ImageDimension::channel},    {"c", ImageDimension::channel}};
  const auto found = known.find(lower(dimension));
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

// The dimensions as data.dimensions lists them.
ImageRoles listed_roles(const ImageLayout& layout) {
  ImageRoles roles;
  for (size_t d = 0; d < layout.dimensions.size(); ++d)
    roles.of[static_cast<size_t>(*value_named<ImageDimension>(layout.dimensions[d]))] = d;
  return roles;
}

}  // namespace

std::vector<ImageDimension> grid_dimensions(GridKind grid) {
  std::vector<ImageDimension> all = {ImageDimension::row, ImageDimension::column};
  if (grid == GridKind::volume) all.insert(all.begin(), ImageDimension::layer);
  return all;
}

std::optional<ImageRoles> image_roles(const ArrayHeader& header, const ImageLayout& layout) {
  const std::vector<ImageDimension> grid = grid_dimensions(layout.grid);
  const size_t rank = header.shape.size();
  if (rank < grid.size()) return std::nullopt;
  const bool constant = rank == grid.size() && !layout.dimensions.empty();
  if (layout.dimensions.size() == rank) return listed_roles(layout);
  if (!layout.dimensions.empty() && !constant) {
    refuse("source", header.file, ": ", header.name, " has ", rank, " dimensions (", shape_in_words(header),
           "), but data.dimensions names ", layout.dimensions.size(),
           ": name each of them, or leave this array out by data.variables");
  }
  ImageRoles roles;
  std::vector<size_t> rest;
  for (size_t d = 0; d < rank; ++d) {
    const auto what = named(header.dimensions[d]);
    if (what && !roles[*what] && rank > grid.size()) {
      roles.of[static_cast<size_t>(*what)] = d;
    } else {
      rest.push_back(d);
    }
  }
  if (rest.size() < grid.size()) {  // a dimension of the grid is called like a step or a channel
    roles = {}, rest.clear();
    for (size_t d = 0; d < rank; ++d) rest.push_back(d);
  }
  for (auto what = grid.rbegin(); what != grid.rend(); ++what, rest.pop_back())
    roles.of[static_cast<size_t>(*what)] = rest.back();
  const bool room_for_step = !roles[ImageDimension::step];
  if (rest.size() > (room_for_step ? 2U : 1U)) {
    refuse("source", header.file, ": ", header.name, " has ", rank, " dimensions (", shape_in_words(header),
           "), too many for a ", name_of(layout.grid),
           ": say what each is, such as data.dimensions = [\"sample\", \"step\", \"channel\", \"row\", "
           "\"column\"]");
  }
  if (rest.size() == 2) roles.of[static_cast<size_t>(ImageDimension::step)] = rest[1];
  if (!rest.empty()) roles.of[static_cast<size_t>(ImageDimension::sample)] = rest[0];
  return roles;
}

}  // namespace graticule
