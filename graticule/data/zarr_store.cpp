// Writes Zarr format 2 as WeatherBench does: Blosc lz4 with byte shuffle, chunk keys joined by dots,
// `_ARRAY_DIMENSIONS`, .zmetadata.
#include <blosc.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/data/array_store.h"

namespace graticule {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void write_file(const fs::path& path, const char* bytes, size_t size) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file.write(bytes, static_cast<std::streamsize>(size));
  file.close();
  if (!file)
    fail("writer", path.string(), " cannot be written: ", std::strerror(errno),
         ". Make room, or choose another folder");
}

void write_json(const fs::path& path, const Json& json) {
  const std::string text = json.dump(4);
  write_file(path, text.data(), text.size());
}

void write_chunk(const fs::path& path, const void* values, size_t bytes, size_t element) {
  std::vector<char> packed(bytes + BLOSC_MAX_OVERHEAD);
  const int size =
      blosc_compress_ctx(5, BLOSC_SHUFFLE, element, bytes, values, packed.data(), packed.size(), "lz4", 0, 1);
  if (size <= 0) fail("writer", "Blosc could not compress ", bytes, " bytes for ", path.string());
  write_file(path, packed.data(), static_cast<size_t>(size));
}

Json describe(const std::vector<int64_t>& shape, const std::vector<int64_t>& chunk, const char* type,
              const Json& fill) {
  const Json blosc = {{"blocksize", 0}, {"clevel", 5}, {"cname", "lz4"}, {"id", "blosc"}, {"shuffle", 1}};
  return {{"chunks", chunk},    {"compressor", blosc}, {"dtype", type},  {"fill_value", fill},
          {"filters", nullptr}, {"order", "C"},        {"shape", shape}, {"zarr_format", 2}};
}

class ZarrStore : public ArrayStore {
 public:
  ZarrStore(const std::string& path, const FieldLayout& layout) : root_(path), layout_(layout) {
    make_folder(root_);
    add(".zgroup", {{"zarr_format", 2}});
    add(".zattrs", layout.attributes);
    for (const AxisLayout& axis : layout.axes) {
      if (!axis.values.empty()) add_axis(axis);
    }
    for (const CoordinateLayout& one : layout.coordinates) add_coordinate(one);
    for (const ArrayLayout& array : layout.arrays) {
      std::vector<std::string> names;
      for (const size_t axis : array.axes) names.push_back(layout.axes[axis].name);
      add_array(array.name, describe(array.shape, array.chunk, "<f4", "NaN"), array.attributes, names);
    }
    write_json(root_ / ".zmetadata", {{"metadata", metadata_}, {"zarr_consolidated_format", 1}});
  }

  void write(size_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
             std::span<const float> values) override {
    const ArrayLayout& layout = layout_.arrays[array];
    std::string key;
    size_t size = 1;
    for (size_t axis = 0; axis < start.size(); ++axis) {
      key += text(axis ? "." : "", start[axis] / layout.chunk[axis]);
      size *= static_cast<size_t>(layout.chunk[axis]);
    }
    GRATICULE_CHECK(std::equal(count.begin() + 1, count.end(), layout.chunk.begin() + 1),
                    "only the first axis ends early");
    std::vector<float> whole(values.begin(), values.end());
    whole.resize(size, std::numeric_limits<float>::quiet_NaN());  // the last chunk is stored in full size
    write_chunk(root_ / layout.name / key, whole.data(), size * sizeof(float), sizeof(float));
  }

  void finish() override {}

 private:
  static void make_folder(const fs::path& path) {
    std::error_code error;
    if (!fs::create_directory(path, error))
      fail("writer", path.string(), " cannot be made: ", error.message());
  }

  void add(const std::string& key, const Json& json) {
    write_json(root_ / key, json);
    if (key != ".zmetadata") metadata_[key] = json;
  }

  void add_array(const std::string& name, const Json& description, const Attributes& attributes,
                 const std::vector<std::string>& axes) {
    make_folder(root_ / name);
    Json all = attributes;
    all["_ARRAY_DIMENSIONS"] = axes;
    add(name + "/.zarray", description);
    add(name + "/.zattrs", all);
  }

  void add_axis(const AxisLayout& axis) {
    const std::vector<int64_t> shape = {static_cast<int64_t>(axis.values.size())};
    add_array(axis.name, describe(shape, shape, axis.whole ? "<i8" : "<f8", nullptr), axis.attributes,
              {axis.name});
    const std::vector<int64_t> whole(axis.values.begin(), axis.values.end());
    const void* values = axis.whole ? static_cast<const void*>(whole.data()) : axis.values.data();
    write_chunk(root_ / axis.name / "0", values, whole.size() * 8, 8);
  }

  void add_coordinate(const CoordinateLayout& one) {
    const std::vector<int64_t> shape = {static_cast<int64_t>(one.values.size())};
    add_array(one.name, describe(shape, shape, "<f8", nullptr), one.attributes,
              {layout_.axes[one.axis].name});
    write_chunk(root_ / one.name / "0", one.values.data(), one.values.size() * 8, 8);
  }

  fs::path root_;
  const FieldLayout& layout_;
  Json metadata_;
};

}  // namespace

std::unique_ptr<ArrayStore> create_zarr(const std::string& path, const FieldLayout& layout) {
  return std::make_unique<ZarrStore>(path, layout);
}

}  // namespace graticule
