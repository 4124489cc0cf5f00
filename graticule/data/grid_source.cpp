#include "graticule/data/grid_source.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/cell_list.h"
#include "graticule/data/field_join.h"

namespace graticule {

namespace {

bool same_coordinates(const std::vector<double>& a, const std::vector<double>& b) {
  const double near = grid_tolerance(a);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [near](double x, double y) { return std::abs(x - y) < near; });
}

// The calendar of the first time axis, or of the first scalar time.
Calendar calendar_of(const Coordinates& coordinates) {
  for (const auto* known : {&coordinates.axes, &coordinates.scalars}) {
    for (const auto& [name, axis] : *known) {
      if (axis.kind == Coordinate::time) return axis.calendar;
    }
  }
  return Calendar::gregorian;
}

class GridSource : public Source {
 public:
  GridSource(const std::string& path, std::vector<Dataset> datasets, const ImageLayout& layout,
             std::shared_ptr<ChunkCache> cache)
      : datasets_(std::move(datasets)), cache_(std::move(cache)) {
    catalog_.path = path;
    catalog_.grid = layout.as_found && !any_on(GridKind::sphere) && any_on(GridKind::cells) ? GridKind::cells
                                                                                            : layout.grid;
    JoinedFields fields;
    for (const Dataset& data : datasets_) add_dataset(data, fields);
    if (fields.empty()) refuse_empty();
    make_static_fields_constant(fields, catalog_.notes);
    catalog_.times = common_times(fields, path, catalog_.notes);
    for (auto& [name, field] : fields) {
      catalog_.variables.push_back(field.variable);
      fields_.push_back(std::move(field));
    }
    make_room();
  }

  const Catalog& catalog() const override { return catalog_; }

  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const JoinedField& field = fields_[catalog_.index_of(variable)];
    GRATICULE_CHECK(rows.begin >= 0 && rows.end <= catalog_.rows(), "rows ", rows.begin, " to ", rows.end);
    GRATICULE_CHECK(static_cast<int64_t>(out.size()) == rows.size() * catalog_.columns(), out.size(),
                    " values");
    if (rows.empty()) return;
    std::pair<size_t, int64_t> at{0, 0};
    if (!field.variable.constant) {
      GRATICULE_CHECK(time_index >= 0 && time_index < static_cast<int64_t>(catalog_.times.size()),
                      time_index);
      at = field.at.at(catalog_.times[static_cast<size_t>(time_index)]);
    }
    read_piece(field.pieces[at.first], at.second, rows, out);
  }

  Storage storage_of(const std::string& variable) const override {
    const FieldPiece& piece = fields_[catalog_.index_of(variable)].pieces[0];
    const ArrayHeader& header = piece.array->header();
    const Chunking chunking = piece.array->chunking();
    Storage storage{piece.array->place()};
    if (chunking.shape.empty()) return storage;
    if (piece.roles.time) storage.times = chunking.shape[*piece.roles.time];
    storage.rows = chunking.shape[piece.roles.row];
    storage.whole = chunking.whole;
    storage.bytes_of_time = static_cast<int64_t>(size_of(header.type));
    for (size_t d = 0; d < chunking.shape.size(); ++d) {
      const int64_t size = chunking.shape[d],
                    chunks = d == piece.roles.time ? 1 : (header.shape[d] + size - 1) / size;
      storage.bytes_of_time *= chunks * size;
    }
    return storage;
  }

 private:
  // Whether any array of the data sets is a field on a grid of this kind.
  bool any_on(GridKind grid) const {
    std::vector<std::string> notes;
    return std::any_of(datasets_.begin(), datasets_.end(), [&](const Dataset& data) {
      const Coordinates coordinates = read_coordinates(data, grid);
      return std::any_of(data.arrays.begin(), data.arrays.end(), [&](const auto& array) {
        const auto roles = roles_of(array->header(), data, coordinates, notes);
        return roles && roles->column.has_value() == (grid == GridKind::sphere);
      });
    });
  }

  // The plane of a field's rows and columns, or its cells.
  Plane plane_of_field(const ArrayHeader& header, const FieldRoles& roles, const Coordinates& coordinates,
                       const std::string& names) const {
    const std::string& row = header.dimensions[roles.row];
    if (roles.column)
      return plane_of(coordinates.axes.at(row), coordinates.axes.at(header.dimensions[*roles.column]), names);
    Plane plane;
    plane.columns = {0}, plane.as_stored = true, plane.cells = coordinates.cells.at(row);
    return plane;
  }

  void add_dataset(const Dataset& data, JoinedFields& fields) {
    if (catalog_.container.find(data.container) == std::string::npos) {
      catalog_.container += (catalog_.container.empty() ? "" : ", ") + data.container;
    }
    if (catalog_.provenance.empty()) catalog_.provenance = data.provenance;
    const Coordinates coordinates = read_coordinates(data, catalog_.grid);
    for (const auto& notes : {data.notes, coordinates.notes})
      catalog_.notes.insert(catalog_.notes.end(), notes.begin(), notes.end());
    for (const std::string& group : data.groups) groups_.push_back(data.path + group);
    const size_t fields_before = fields.size();
    const Calendar calendar = calendar_of(coordinates);
    declared_.push_back(
        std::make_unique<DeclaredTimes>(declared_times(data.attributes, calendar, data.path)));
    std::set<std::string> told;  // notes of times left out, once for all arrays with these times
    std::map<std::pair<std::string, std::string>, const Plane*> planes;  // by row and column dimension
    for (const auto& array : data.arrays) {
      const ArrayHeader& header = array->header();
      const std::optional<FieldRoles> roles = roles_of(header, data, coordinates, catalog_.notes);
      if (!roles) continue;
      if (catalog_.grid == GridKind::cells && roles->column) {
        catalog_.notes.push_back(
            text(header.name, " (", header.file, ") is on latitudes and longitudes: not read"));
        continue;
      }
      const std::string &row = header.dimensions[roles->row],
                        column = roles->column ? header.dimensions[*roles->column] : "";
      const Plane*& plane = planes[{row, column}];
      if (!plane) {
        const std::string names = text(header.file, ": ", row, column.empty() ? "" : ", ", column);
        planes_.push_back(std::make_unique<Plane>(plane_of_field(header, *roles, coordinates, names)));
        plane = planes_.back().get();
        check_grid(*plane, names);
        if (plane->closed) {
          require_closed({array.get(), plane, *roles, 0, nullptr});
          catalog_.notes.push_back(names + ": the last column repeats the first one: left out");
        }
      }
      if (!roles->times.empty()) {
        check_calendar(roles->calendar, header);
        const std::string note =
            note_of_undeclared(*declared_.back(), roles->times, roles->calendar, data.path);
        if (!note.empty() && told.insert(note).second) catalog_.notes.push_back(note);
      }
      join({array.get(), plane, *roles, 0, declared_.back().get()}, fields, catalog_.notes);
    }
    if (fields.size() > fields_before) note_what_is_beside(data, coordinates);
  }

  // Adds notes about parts of a data set that were not read.
  void note_what_is_beside(const Dataset& data, const Coordinates& coordinates) {
    for (const std::string& group : data.groups)
      catalog_.notes.push_back(text(data.path, group, " is a group of its own: not read"));
    for (const auto& [name, scalar] : coordinates.scalars) {
      const bool used =
          std::any_of(data.arrays.begin(), data.arrays.end(), [&, &level = name](const auto& array) {
            return text_attribute(array->header().attributes, "coordinates").find(level) != std::string::npos;
          });
      if (scalar.kind == Coordinate::level && is_level_name(name, {}) && !used)
        catalog_.notes.push_back(text(data.path, ": ", name, " = ", scalar.values[0],
                                      " hPa is a scalar that no field names as its coordinate: not used"));
    }
  }

  // All times of a data set are on one axis, so they must count the same days.
  void check_calendar(Calendar calendar, const ArrayHeader& header) {
    const std::string place = text(header.name, " in ", header.file);
    if (first_times_.empty()) {
      first_times_ = place;
      catalog_.calendar = calendar;
    }
    if (calendar == catalog_.calendar) return;
    refuse("source", "the times of ", place, " are of the calendar ", name_of(calendar), ", those of ",
           first_times_, " of ", name_of(catalog_.calendar), ": give data of one calendar");
  }

  void check_grid(const Plane& plane, const std::string& names) {
    if (plane.cells) {
      if (!catalog_.cells) catalog_.cells = plane.cells, first_grid_ = names;
      if (same_cells(*catalog_.cells, *plane.cells)) return;
      refuse("source", names, " are other cells (", plane.cells->latitudes.size(), ", ", plane.cells->name,
             ") than those of ", first_grid_, " (", catalog_.cells->latitudes.size(), ", ",
             catalog_.cells->name, "): bring all variables onto one grid, or leave the others out");
    }
    if (catalog_.latitudes.empty()) {
      catalog_.latitudes = plane.latitudes;
      catalog_.longitudes = plane.longitudes;
      catalog_.latitude_descending = plane.latitude_descending;
      first_grid_ = names;
    }
    if (same_coordinates(catalog_.latitudes, plane.latitudes) &&
        same_coordinates(catalog_.longitudes, plane.longitudes))
      return;
    refuse("source", names, " are ", plane.latitudes.size(), " x ", plane.longitudes.size(),
           " latitudes and longitudes that differ from the ", catalog_.latitudes.size(), " x ",
           catalog_.longitudes.size(), " of ", first_grid_,
           ": bring all variables onto one grid, or cut the others off");
  }

  [[noreturn]] void refuse_empty() const {
    std::string list;
    for (const std::string& note : catalog_.notes) list += "; " + note;
    if (!groups_.empty()) {
      std::string names;
      for (const std::string& group : groups_) names += (names.empty() ? "" : ", ") + group;
      refuse("source", catalog_.path, " has no variable itself, only groups: give one of ", names, list);
    }
    const bool cells = catalog_.grid == GridKind::cells;
    if (any_on(cells ? GridKind::sphere : GridKind::cells))
      refuse("source", catalog_.path,
             cells ? " is on latitudes and longitudes: leave data.grid = \"cells\" out"
                   : " is on a list of cells: set data.grid = \"cells\"",
             list);
    if (cells)
      refuse("source", catalog_.path,
             " holds no variable on cells: they are known by a latitude and a longitude for each index of a "
             "dimension, or by the attributes of HEALPix",
             list);
    refuse("source", catalog_.path,
           " holds no variable on latitudes and longitudes: they are known by their units "
           "(degrees_north, degrees_east), standard_name, or names such as lat and lon",
           list);
  }

  // Sizes the cache for the order of reading. Where a chunk contains many times, the chunks of one time are kept for the
  // next time, and those of the later time that it is compared with (hence the factor 2). Where it contains one time, the
  // variables in it follow each other, so the chunks of one array are enough, at the few times of a sample.
  void make_room() {
    std::set<std::string> counted;
    int64_t of_all = 0, of_one = 0;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const Storage storage = storage_of(catalog_.variables[i].name);
      if (!counted.insert(storage.array).second) continue;
      const FieldPiece& piece = fields_[i].pieces[0];
      const std::vector<int64_t> chunk = piece.array->chunking().shape;
      if (chunk.empty()) continue;
      const bool apart = piece.roles.level && chunk[*piece.roles.level] == 1;  // a chunk for each level
      if (storage.times > 1) of_all += 2 * storage.bytes_of_time;
      if (storage.times == 1 && !apart) of_one = std::max(of_one, 4 * storage.bytes_of_time);
    }
    cache_->make_room(static_cast<size_t>(std::max(of_all, of_one)));
  }

  std::vector<Dataset> datasets_;
  std::shared_ptr<ChunkCache> cache_;
  std::vector<std::unique_ptr<Plane>> planes_;
  Catalog catalog_;
  std::string first_grid_, first_times_;                  // where the grid and the calendar were seen first
  std::vector<std::unique_ptr<DeclaredTimes>> declared_;  // by data set
  std::vector<std::string> groups_;
  std::vector<JoinedField> fields_;  // in the order of catalog_.variables
};

}  // namespace

std::unique_ptr<Source> make_grid_source(const std::string& path, std::vector<Dataset> datasets,
                                         const ImageLayout& layout, std::shared_ptr<ChunkCache> cache) {
  return std::make_unique<GridSource>(path, std::move(datasets), layout, std::move(cache));
}

}  // namespace graticule
