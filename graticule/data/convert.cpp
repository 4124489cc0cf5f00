#include "graticule/data/convert.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/chunk_cache.h"
#include "graticule/data/field_layout.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/reading_order.h"
#include "graticule/data/shard_file.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

fs::path without_slash(const std::string& path) {
  const fs::path given(path);
  return given.has_filename() ? given : given.parent_path();
}

void write_file(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) fail("convert", path.string(), " cannot be written: make room, or choose another folder");
}

Json axis_json(const AxisLayout& axis) {
  const std::vector<int64_t> shape = {std::ssize(axis.values)};
  return {{"zarr_format", 3},
          {"node_type", "array"},
          {"shape", shape},
          {"data_type", axis.whole ? "int64" : "float64"},
          {"chunk_grid", {{"name", "regular"}, {"configuration", {{"chunk_shape", shape}}}}},
          {"chunk_key_encoding", {{"name", "default"}, {"configuration", {{"separator", "/"}}}}},
          {"fill_value", 0},
          {"codecs", Json::array({{{"name", "bytes"}, {"configuration", {{"endian", "little"}}}}})},
          {"attributes", axis.attributes},
          {"dimension_names", Json::array({axis.name})}};
}

std::string axis_bytes(const AxisLayout& axis) {
  const std::vector<int64_t> whole(axis.values.begin(), axis.values.end());
  const void* values = axis.whole ? static_cast<const void*>(whole.data()) : axis.values.data();
  return {static_cast<const char*>(values), axis.values.size() * 8};
}

int64_t product(const std::vector<int64_t>& sizes) {
  int64_t all = 1;
  for (const int64_t size : sizes) all *= size;
  return all;
}

// A file of fields: one array, times [times.begin, times.end) of the chosen ones.
struct ChunkShard {
  size_t array;
  Span times;
  std::string key;  // relative to the array's folder
};

}  // namespace

struct Converter::State {
  State(Source& opened, const ConvertOptions& chosen);
  void plan_shards();
  void check_partial() const;
  std::vector<float> fields_of(const ChunkShard& shard) const;
  void verify(const ChunkShard& shard, const std::vector<float>& values) const;
  void write(const ChunkShard& shard) const;

  Source& source;
  ConvertOptions options;
  fs::path out, partial, aside;  // aside: a shard until it is verified
  int64_t first_time = 0;        // in the catalogue
  FieldLayout layout;
  std::vector<std::vector<int64_t>> shard_shapes;  // by array
  Json root;                                       // zarr.json of the store, with all arrays
  std::vector<ChunkShard> shards;
  ConvertPlan plan;
};

Converter::State::State(Source& opened, const ConvertOptions& chosen)
    : source(opened),
      options(chosen),
      out(without_slash(chosen.out)),
      partial(out.string() + ".partial"),
      aside(partial / ".unverified") {
  if (opened.catalog().grid != GridKind::sphere)
    refuse("convert", opened.catalog().path, " is on a grid of the kind ", name_of(opened.catalog().grid),
           ": only fields on a sphere are converted; train on them as they are");
  if (out.extension() != ".zarr")
    refuse("convert", "'", chosen.out, "' does not end in .zarr: name OUT.zarr");
  if (fs::exists(out)) refuse("convert", out.string(), " exists: remove it first, or choose another name");
  const fs::path folder = out.has_parent_path() ? out.parent_path() : fs::path(".");
  if (!fs::is_directory(folder))
    refuse("convert", "the folder ", folder.string(), " does not exist: make it, or choose another");
  const Catalog& catalog = source.catalog();
  FieldWriterOptions fields;
  fields.path = chosen.out;
  fields.latitudes = catalog.latitudes, fields.longitudes = catalog.longitudes;
  fields.calendar = catalog.calendar;
  const auto begin = std::lower_bound(catalog.times.begin(), catalog.times.end(), chosen.range.begin);
  const auto end = std::upper_bound(catalog.times.begin(), catalog.times.end(), chosen.range.end);
  first_time = begin - catalog.times.begin();
  fields.times.assign(begin, std::max(begin, end));
  bool varying = false;
  for (const std::string& name : chosen.variables) {
    fields.variables.push_back(catalog.variables[catalog.index_of(name)]);
    varying = varying || !fields.variables.back().constant;
  }
  if (varying && fields.times.empty())
    refuse("convert", catalog.path, " has no time from ", format_time(chosen.range.begin, catalog.calendar),
           " to ", format_time(chosen.range.end, catalog.calendar), ": choose another --range");
  fields.attributes = {
      {"title", "Converted by graticule"},
      {"source", text(catalog.path, catalog.provenance.empty() ? "" : "; ", catalog.provenance)}};
  if (!fields.times.empty())
    fields.attributes.merge(
        Attributes{{"time_coverage_start", format_time(fields.times.front(), catalog.calendar)},
                   {"time_coverage_end", format_time(fields.times.back(), catalog.calendar)}});
  plan.times = std::ssize(fields.times);
  layout = layout_of(fields);
  plan_shards();
  check_partial();
}

// Chooses the files: all levels of an array, and as many times as fit.
void Converter::State::plan_shards() {
  Json arrays = Json::object();
  for (const AxisLayout& axis : layout.axes) {
    if (axis.values.empty()) continue;
    arrays[axis.name] = axis_json(axis);
    plan.files += 2;
  }
  for (size_t a = 0; a < layout.arrays.size(); ++a) {
    const ArrayLayout& array = layout.arrays[a];
    std::vector<int64_t> shard = array.shape;
    const bool has_time = array.axes.front() == 0;
    std::vector<std::string> names;
    for (const size_t axis : array.axes) names.push_back(layout.axes[axis].name);
    const int64_t times = has_time ? shard[0] : 1;
    const int64_t bytes_of_time = product(shard) / times * static_cast<int64_t>(sizeof(float));
    const int64_t most = std::clamp<int64_t>(options.shard_bytes / bytes_of_time, 1, times);
    const int64_t count = (times + most - 1) / most, each = (times + count - 1) / count;
    if (has_time) shard[0] = each;
    for (int64_t i = 0; i * each < times; ++i) {
      std::string key = "c";
      for (size_t d = 0; d < shard.size(); ++d) key += text("/", d == 0 && has_time ? i : 0);
      shards.push_back({a, intersect({i * each, (i + 1) * each}, {0, times}), key});
    }
    plan.bytes += bytes_of_time * times;
    plan.shard_bytes = std::max(plan.shard_bytes, bytes_of_time * each);
    plan.files += 1;
    arrays[array.name] = sharded_array_json(array, names, shard);
    shard_shapes.push_back(shard);
    if (std::find(array.axes.begin(), array.axes.end(), size_t{2}) == array.axes.end()) continue;
    for (const double level : layout.axes[2].values) {
      const std::string name = text(array.name, "@", level);
      if (!layout.slots.contains(name)) plan.gaps.push_back(name);
    }
  }
  plan.shards = std::ssize(shards);
  plan.files += plan.shards + 1;
  root = {{"zarr_format", 3},
          {"node_type", "group"},
          {"attributes", layout.attributes},
          {"consolidated_metadata", {{"kind", "inline"}, {"must_understand", false}, {"metadata", arrays}}}};
}

// The metadata are the plan: a store that was begun with others belongs to another command.
void Converter::State::check_partial() const {
  const std::optional<std::string> begun = read_text((partial / "zarr.json").string());
  if (begun && *begun != root.dump(2))
    refuse("convert", partial.string(), " was begun with another source, other variables, times or shards: ",
           "remove it, or give the same command again");
}

// The values of a shard in its order: times, levels, rows south first, columns. NaN for levels that the
// source does not have.
std::vector<float> Converter::State::fields_of(const ChunkShard& shard) const {
  const ArrayLayout& array = layout.arrays[shard.array];
  const int64_t rows = std::ssize(source.catalog().latitudes),
                columns = std::ssize(source.catalog().longitudes);
  const bool has_levels = std::find(array.axes.begin(), array.axes.end(), size_t{2}) != array.axes.end();
  const int64_t levels = has_levels ? std::ssize(layout.axes[2].values) : 1;
  std::vector<std::string> names;
  for (const auto& [name, slot] : layout.slots) {
    if (slot.array == shard.array) names.push_back(name);
  }
  std::vector<float> values(static_cast<size_t>(shard.times.size() * levels * rows * columns),
                            std::numeric_limits<float>::quiet_NaN());
  for (const std::vector<std::string>& together : by_array(source, names)) {
    for (const Span& block : row_blocks(source, together[0], {0, rows})) {
      for (int64_t t = shard.times.begin; t < shard.times.end; ++t) {
        for (const std::string& name : together) {
          const int64_t field = (t - shard.times.begin) * levels + layout.slots.at(name).level;
          source.read(name, first_time + t, block,
                      std::span(values).subspan(static_cast<size_t>((field * rows + block.begin) * columns),
                                                static_cast<size_t>(block.size() * columns)));
        }
      }
    }
  }
  return values;
}

// Reads the shard back from where it lies, with the reader that training uses.
void Converter::State::verify(const ChunkShard& shard, const std::vector<float>& values) const {
  const ArrayLayout& array = layout.arrays[shard.array];
  const Json& metadata = root["consolidated_metadata"]["metadata"][array.name];
  const auto reader = open_zarr_array(*parse_zarr3(nlohmann::json(metadata), array.name, aside.string()),
                                      open_folder_store(aside.string()), "", std::make_shared<ChunkCache>());
  std::vector<Span> box;
  for (const int64_t size : array.shape) box.push_back({0, size});
  if (array.axes.front() == 0) box[0] = shard.times;
  std::vector<float> again(values.size());
  reader->read(box, std::as_writable_bytes(std::span(again)));
  if (std::memcmp(again.data(), values.data(), values.size() * sizeof(float)) != 0)
    fail("convert", partial.string(), "/", array.name, "/", shard.key,
         " does not read back as it was written: the disk or the memory is faulty");
}

void Converter::State::write(const ChunkShard& shard) const {
  const ArrayLayout& array = layout.arrays[shard.array];
  const std::vector<float> values = fields_of(shard);
  const auto chunk = static_cast<size_t>(product(array.chunk));
  const auto chunks = static_cast<size_t>(product(shard_shapes[shard.array])) / chunk;
  write_shard(aside / shard.key, values, chunk, chunks, options.threads);
  verify(shard, values);
  const fs::path place = partial / array.name / shard.key;
  fs::create_directories(place.parent_path());
  fs::rename(aside / shard.key, place);
  fs::remove_all(aside);  // keys of another array are of another depth
}

Converter::Converter(Source& source, const ConvertOptions& options)
    : state_(std::make_unique<State>(source, options)) {}

Converter::~Converter() = default;

const ConvertPlan& Converter::plan() const { return state_->plan; }

int64_t Converter::finished() const {
  return std::count_if(state_->shards.begin(), state_->shards.end(), [&](const ChunkShard& shard) {
    return fs::exists(state_->partial / state_->layout.arrays[shard.array].name / shard.key);
  });
}

int64_t Converter::run(const std::function<void(int64_t done)>& progress) {
  State& state = *state_;
  fs::remove_all(state.aside);
  write_file(state.partial / "zarr.json", state.root.dump(2));
  const Json& arrays = state.root["consolidated_metadata"]["metadata"];
  for (const auto& [name, metadata] : arrays.items())
    write_file(state.partial / name / "zarr.json", metadata.dump(2));
  for (const AxisLayout& axis : state.layout.axes) {
    if (!axis.values.empty()) write_file(state.partial / axis.name / "c/0", axis_bytes(axis));
  }
  int64_t done = finished();
  for (const ChunkShard& shard : state.shards) {
    if (fs::exists(state.partial / state.layout.arrays[shard.array].name / shard.key)) continue;
    state.write(shard);
    progress(++done);
  }
  fs::rename(state.partial, state.out);
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(state.out)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace graticule
