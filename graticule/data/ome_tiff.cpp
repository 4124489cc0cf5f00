#include "graticule/data/ome_tiff.h"

#include <cpl_minixml.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/channel_names.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

struct FreeXml {
  void operator()(CPLXMLNode* node) const { CPLDestroyXMLNode(node); }
};

std::vector<const CPLXMLNode*> children_of(const CPLXMLNode* parent, const char* name) {
  std::vector<const CPLXMLNode*> found;
  for (const CPLXMLNode* child = parent->psChild; child; child = child->psNext) {
    if (child->eType == CXT_Element && std::string(child->pszValue) == name) found.push_back(child);
  }
  return found;
}

std::string text_of(const CPLXMLNode* node, const char* attribute) {
  return CPLGetXMLValue(node, attribute, "");
}

// The stacks of one image while its planes are found.
class OmeImage {
 public:
  OmeImage(const CPLXMLNode* pixels, const std::string& file, const std::vector<std::string>& pages,
           int64_t bands)
      : pixels_(pixels),
        file_(file),
        pages_(pages),
        bands_(bands),
        order_(text_of(pixels, "DimensionOrder")) {
    constexpr int64_t most = int64_t{1} << 24;
    for (const char axis : {'Z', 'C', 'T'}) {
      const int64_t size = number(pixels, text("Size", axis).c_str(), 0);
      if (size < 1 || size > most || order_.find(axis) == std::string::npos)
        damaged("its dimensions are not given");
      sizes_[place_of(axis)] = size;
    }
    if (order_.size() != 5 || order_.substr(0, 2) != "XY" || sizes_[1] % bands != 0)
      damaged(
          text("dimensions in the order '", order_, "' and ", sizes_[1], " channels in pages of ", bands));
    if (sizes_[0] * sizes_[1] > most || sizes_[0] * sizes_[1] * sizes_[2] > most)
      damaged("it has too many planes");
    page_of_.assign(static_cast<size_t>(sizes_[0] * sizes_[1] / bands * sizes_[2]), std::nullopt);
    place_pages();
  }

  int64_t channels() const { return sizes_[1]; }

  // The planes of channels [first, first + count).
  RasterStack stack(int64_t first, int64_t count) const {
    RasterStack stack;
    const auto add = [&](const char* name, int64_t size) {
      if (size > 1) stack.dimensions.emplace_back(name), stack.shape.push_back(size);
    };
    add("t", sizes_[2]), add("channel", count), add("z", sizes_[0]);
    for (int64_t t = 0; t < sizes_[2]; ++t) {
      for (int64_t c = first; c < first + count; ++c) {
        for (int64_t z = 0; z < sizes_[0]; ++z) {
          const std::optional<size_t> page = page_of_[number_of_page({z, c / bands_, t})];
          if (!page) damaged(text("no page for layer ", z, ", channel ", c, ", time ", t));
          stack.planes.push_back({pages_[*page], static_cast<int>(c % bands_) + 1});
        }
      }
    }
    return stack;
  }

  // The names of the channels, where each has another one.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const CPLXMLNode* channel : children_of(pixels_, "Channel"))
      names.push_back(text_of(channel, "Name"));
    return distinct_names(std::move(names), sizes_[1]);
  }

 private:
  using Place = std::array<int64_t, 3>;  // layer, page of channels, time

  [[noreturn]] void damaged(const std::string& what) const {
    fail("raster", file_, " has a description of OME that does not fit its pages: ", what, ": write it anew");
  }

  int64_t number(const CPLXMLNode* node, const char* attribute, int64_t otherwise) const {
    const std::string value = text_of(node, attribute);
    if (value.empty()) return otherwise;
    int64_t result = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size())
      damaged(text(attribute, " is '", value, "', which is no number"));
    return result;
  }

  static size_t place_of(char axis) { return axis == 'Z' ? 0 : axis == 'C' ? 1 : 2; }
  int64_t pages_along(char axis) const { return axis == 'C' ? sizes_[1] / bands_ : sizes_[place_of(axis)]; }

  // The number of a page in the order of the file: the first letter behind XY is the fastest.
  size_t number_of_page(const Place& place) const {
    int64_t at = 0;
    for (size_t i = 5; i-- > 2;) at = at * pages_along(order_[i]) + place[place_of(order_[i])];
    return static_cast<size_t>(at);
  }

  void place_pages() {
    const std::vector<const CPLXMLNode*> blocks = children_of(pixels_, "TiffData");
    const auto count = std::ssize(page_of_);
    if (blocks.empty()) damaged("it has no TiffData");
    for (const CPLXMLNode* block : blocks) {
      const CPLXMLNode* other = CPLGetXMLNode(const_cast<CPLXMLNode*>(block), "UUID");
      const std::string name = other ? text_of(other, "FileName") : "";
      if (!name.empty() && name != std::filesystem::path(file_).filename().string())
        refuse("raster", file_, " has planes in other files (", name, "): write it as one file");
      const bool one = !text_of(block, "IFD").empty();
      const int64_t first = number(block, "IFD", 0), pages = number(block, "PlaneCount", one ? 1 : count);
      const Place place = {number(block, "FirstZ", 0), number(block, "FirstC", 0) / bands_,
                           number(block, "FirstT", 0)};
      for (const char axis : {'Z', 'C', 'T'}) {
        const int64_t at = place[place_of(axis)];
        if (at < 0 || at >= pages_along(axis)) damaged("a page outside its dimensions");
      }
      const auto begin = static_cast<int64_t>(number_of_page(place));
      if (first < 0 || pages < 0 || pages > count - begin || pages > std::ssize(pages_) - first)
        damaged(text(pages, " pages from page ", first, " on, but it has ", pages_.size()));
      for (int64_t i = 0; i < pages; ++i)
        page_of_[static_cast<size_t>(begin + i)] = static_cast<size_t>(first + i);
    }
  }

  const CPLXMLNode* pixels_;
  const std::string& file_;
  const std::vector<std::string>& pages_;
  int64_t bands_;
  std::string order_;
  Place sizes_{};  // layers, channels, times
  std::vector<std::optional<size_t>> page_of_;
};

}  // namespace

bool is_ome_tiff(const std::string& description) {
  return description.find("<OME") != std::string::npos && description.find("<Pixels") != std::string::npos;
}

std::vector<std::pair<std::string, RasterStack>> ome_stacks(const std::string& description,
                                                            const std::string& file,
                                                            const std::vector<std::string>& pages,
                                                            int64_t bands, std::vector<std::string>& notes) {
  const QuietGdal quiet;
  const std::unique_ptr<CPLXMLNode, FreeXml> tree(CPLParseXMLString(description.c_str()));
  if (tree) CPLStripXMLNamespace(tree.get(), nullptr, TRUE);
  const CPLXMLNode* root = tree ? CPLGetXMLNode(tree.get(), "=OME") : nullptr;
  const auto images = root ? children_of(root, "Image") : std::vector<const CPLXMLNode*>{};
  const auto pixels = images.empty() ? images : children_of(images.front(), "Pixels");
  if (pixels.empty()) fail("raster", file, " has a description of OME without pixels: write it anew");
  if (images.size() > 1) notes.push_back(text(file, ": the first of ", images.size(), " images is read"));
  const OmeImage image(pixels.front(), file, pages, bands);
  std::vector<std::pair<std::string, RasterStack>> stacks;
  const std::vector<std::string> names = image.names();
  for (size_t c = 0; c < names.size(); ++c)
    stacks.emplace_back(names[c], image.stack(static_cast<int64_t>(c), 1));
  if (names.empty()) stacks.emplace_back("", image.stack(0, image.channels()));
  return stacks;
}

}  // namespace graticule
