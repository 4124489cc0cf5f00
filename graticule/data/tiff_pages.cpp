#include "graticule/data/tiff_pages.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "graticule/core/error.h"

namespace graticule {

namespace {

using PageDimensions = std::vector<std::pair<std::string, int64_t>>;

int64_t product_of(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

[[noreturn]] void refuse_hidden(const std::string& file, const std::string& program, int64_t told,
                                int64_t there) {
  refuse(
      "raster", file, " holds ", told, " planes, as ", program, " says in its description, but ", there,
      there == 1 ? " page" : " pages",
      ": the others cannot be read; write each plane as a page of its own (ImageJ: above 4 GB as OME-TIFF; tifffile: "
      "bigtiff=True, without truncate or volumetric)");
}

void add(PageDimensions& dimensions, const char* name, int64_t size) {
  if (size > 1) dimensions.emplace_back(name, size);
}

// "ImageJ=1.54f\nimages=24\nchannels=2\nslices=3\nframes=4\n...": channels are the fastest.
PageDimensions of_imagej(const std::string& description, const std::string& file, int64_t pages,
                         int64_t bands) {
  std::map<std::string, int64_t> numbers = {{"images", 1}, {"channels", 1}, {"slices", 1}, {"frames", 1}};
  std::istringstream lines(description);
  for (std::string line; std::getline(lines, line);) {
    const auto number = numbers.find(line.substr(0, line.find('=')));
    constexpr size_t digits = 9;
    const std::string value = line.substr(std::min(line.find('=') + 1, line.size()), digits);
    if (number != numbers.end()) number->second = std::atoll(value.c_str());
  }
  if (numbers["images"] > pages) refuse_hidden(file, "ImageJ", numbers["images"], pages);
  PageDimensions dimensions;
  add(dimensions, "t", numbers["frames"]);
  add(dimensions, "z", numbers["slices"]);
  add(dimensions, "channel", numbers["channels"]);
  const bool fits = numbers["channels"] * numbers["slices"] * numbers["frames"] == pages;
  return fits && (bands == 1 || numbers["channels"] == 1) ? dimensions : PageDimensions{};
}

// {"shape": [4, 3, 2, 20, 30], "axes": "TZCYX"}
PageDimensions of_tifffile(const nlohmann::json& told, const std::string& file,
                           const std::vector<int64_t>& sizes) {
  const auto shape = told.at("shape").get<std::vector<int64_t>>();
  const int64_t pages = sizes[0], bands = sizes[1], plane = product_of(sizes) / pages;
  if (product_of(shape) > product_of(sizes))
    refuse_hidden(file, "tifffile", product_of(shape) / plane, pages);
  const std::string axes = told.value("axes", "");
  static const std::map<char, const char*> names = {{'T', "t"}, {'Z', "z"}, {'C', "channel"}};
  PageDimensions dimensions;
  for (size_t d = 0; d < std::min(axes.size(), shape.size()) && axes[d] != 'Y'; ++d) {
    if (axes[d] == 'S' || shape[d] == 1) continue;
    if (!names.contains(axes[d]) || (axes[d] == 'C' && bands > 1)) return {};
    dimensions.emplace_back(names.at(axes[d]), shape[d]);
  }
  const int64_t counted = std::accumulate(dimensions.begin(), dimensions.end(), int64_t{1},
                                          [](int64_t n, const auto& one) { return n * one.second; });
  return counted == pages ? dimensions : PageDimensions{};
}

}  // namespace

std::vector<std::pair<std::string, int64_t>> page_dimensions(const std::string& description,
                                                             const std::string& file,
                                                             const std::vector<int64_t>& sizes) {
  if (description.starts_with("ImageJ=")) return of_imagej(description, file, sizes[0], sizes[1]);
  const auto told = nlohmann::json::parse(description, nullptr, false);
  if (!told.is_object() || !told.contains("shape")) return {};
  try {
    return of_tifffile(told, file, sizes);
  } catch (const nlohmann::json::exception&) {
    return {};  // the shape of something else
  }
}

}  // namespace graticule
