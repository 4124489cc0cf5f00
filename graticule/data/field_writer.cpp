#include "graticule/data/field_writer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/array_store.h"
#include "graticule/data/field_layout.h"

namespace graticule {

namespace fs = std::filesystem;

namespace {

void require_new(const fs::path& path) {
  if (path.extension() != ".zarr" && path.extension() != ".nc") {
    refuse("writer", "'", path.string(), "' ends neither in .zarr nor in .nc: name OUT.zarr or OUT.nc");
  }
  if (fs::exists(path)) refuse("writer", path.string(), " exists: remove it first, or choose another name");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder))
    refuse("writer", "the folder ", folder.string(), " does not exist: make it, or choose another");
  if (access(folder.c_str(), W_OK) != 0)
    fail("writer", "the folder ", folder.string(), " is not writable: choose another");
}

// The path without a trailing slash, because the slash would hide the extension.
fs::path plain(const std::string& path) {
  const fs::path given(path);
  return given.has_filename() ? given : given.parent_path();
}

// The unfinished file or folder; the destructor removes it unless it was kept.
struct Aside {
  fs::path path;
  bool kept = false;
  explicit Aside(fs::path p) : path(std::move(p)) { fs::remove_all(path); }
  ~Aside() {
    std::error_code ignored;
    if (!kept) fs::remove_all(path, ignored);
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
};

// Rows (of all layers) and columns.
std::pair<size_t, size_t> size_of_field(const FieldWriterOptions& options) {
  if (options.cells) return {options.cells->latitudes.size(), 1};
  if (options.axes.empty()) return {options.latitudes.size(), options.longitudes.size()};
  size_t rows = 1;
  for (size_t i = 0; i + 1 < options.axes.size(); ++i) rows *= options.axes[i].values.size();
  return {rows, options.axes.back().values.size()};
}

}  // namespace

struct FieldWriter::State {
  // Identifies a chunk in memory that is not complete: array, level, lead, index of the chunk in time.
  using Key = std::array<int64_t, 4>;
  struct Waiting {
    std::vector<float> values;
    int64_t written = 0;
  };

  explicit State(const FieldWriterOptions& chosen)
      : options(chosen), layout(layout_of(chosen)), aside(plain(chosen.path).string() + ".partial") {}

  void put(const Key& key, const Waiting& waiting);
  Span times_of(const Key& key) const;

  FieldWriterOptions options;
  FieldLayout layout;
  Aside aside;
  std::map<Key, Waiting> waiting;
  std::unique_ptr<ArrayStore> store;  // last member: closed before `aside` removes the file
};

// The time indices of a chunk; [0, 1) for an array without time.
Span FieldWriter::State::times_of(const Key& key) const {
  const ArrayLayout& array = layout.arrays[static_cast<size_t>(key[0])];
  if (array.axes.front() != 0) return {0, 1};
  return intersect({key[3] * array.chunk[0], (key[3] + 1) * array.chunk[0]}, {0, array.shape[0]});
}

void FieldWriter::State::put(const Key& key, const Waiting& chunk) {
  const ArrayLayout& array = layout.arrays[static_cast<size_t>(key[0])];
  const Span times = times_of(key);
  std::vector<int64_t> start, count;
  for (size_t i = 0; i < array.axes.size(); ++i) {
    const std::array<int64_t, 6> starts = {times.begin, key[2], key[1]};
    start.push_back(starts[array.axes[i]]);
    count.push_back(array.axes[i] == 0 ? times.size() : array.chunk[i]);
  }
  store->write(static_cast<size_t>(key[0]), start, count, chunk.values);
}

FieldWriter::FieldWriter(const FieldWriterOptions& options) {
  GRATICULE_CHECK(options.time_chunk > 0 && !options.times.empty() && !options.variables.empty());
  require_new(plain(options.path));
  state_ = std::make_unique<State>(options);
  const bool zarr = plain(options.path).extension() == ".zarr";
  state_->store = (zarr ? create_zarr : create_netcdf)(state_->aside.path.string(), state_->layout);
}

FieldWriter::~FieldWriter() = default;

void FieldWriter::write(const std::string& variable, int64_t time_index, int64_t lead_index,
                        std::span<const float> field) {
  State& state = *state_;
  const auto found = state.layout.slots.find(variable);
  GRATICULE_CHECK(found != state.layout.slots.end(), variable);
  const FieldLayout::Slot& slot = found->second;
  const auto [rows, columns] = size_of_field(state.options);
  GRATICULE_CHECK(field.size() == rows * columns, field.size(), " values");
  GRATICULE_CHECK(slot.constant ||
                  (time_index >= 0 && time_index < static_cast<int64_t>(state.options.times.size())));
  GRATICULE_CHECK(!slot.leads ||
                  (lead_index >= 0 && lead_index < static_cast<int64_t>(state.options.lead_hours.size())));

  const int64_t time = slot.constant ? 0 : time_index,
                chunk = slot.constant ? 1 : state.layout.arrays[slot.array].chunk[0];
  const State::Key key = {static_cast<int64_t>(slot.array), slot.level, slot.leads ? lead_index : 0,
                          time / chunk};
  const auto times = static_cast<size_t>(state.times_of(key).size());
  State::Waiting& waiting = state.waiting[key];
  waiting.values.resize(times * field.size(), std::numeric_limits<float>::quiet_NaN());
  float* out = waiting.values.data() + static_cast<size_t>(time % chunk) * field.size();
  for (size_t y = 0; y < rows; ++y) {
    const size_t from = state.options.latitude_descending ? rows - 1 - y : y;
    std::copy_n(field.data() + from * columns, columns, out + y * columns);
  }
  if (++waiting.written < static_cast<int64_t>(times)) return;
  state.put(key, waiting);
  state.waiting.erase(key);
}

void FieldWriter::finish() {
  State& state = *state_;
  for (const auto& [key, chunk] : state.waiting) state.put(key, chunk);
  state.waiting.clear();
  state.store->finish();
  std::error_code error;
  fs::rename(state.aside.path, plain(state.options.path), error);
  if (error)
    fail("writer", state.options.path, " cannot be made from ", state.aside.path.string(), ": ",
         error.message());
  state.aside.kept = true;
}

}  // namespace graticule
