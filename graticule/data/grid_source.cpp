#include "graticule/data/grid_source.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/grid.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr const char* where = "source";

// Which dimension of an array is which; the others have size 1.
struct Roles {
  std::optional<size_t> time, level;
  size_t row = 0, column = 0;
};

// One level of one array: the times of a variable that one file holds.
struct Piece {
  StoredArray* array = nullptr;
  const Grid* grid = nullptr;
  Roles roles;
  int64_t level = 0;
};

struct Field {
  Variable variable;
  std::vector<Piece> pieces;
  std::map<int64_t, std::pair<size_t, int64_t>> at;  // time -> piece, index in its file
};

// Nothing for what is no field; a note when it is one that cannot be used.
std::optional<Roles> roles_of(const StoredArray& array, const Grid& grid, std::vector<std::string>& notes) {
  const ArrayHeader& header = array.header();
  Roles roles;
  std::optional<size_t> row, column, other;
  for (size_t d = 0; d < header.shape.size(); ++d) {
    const auto axis = grid.axes.find(header.dimensions[d]);
    const Coordinate kind = axis == grid.axes.end() ? Coordinate::none : axis->second.kind;
    std::optional<size_t>* role = kind == Coordinate::latitude    ? &row
                                  : kind == Coordinate::longitude ? &column
                                  : kind == Coordinate::level     ? &roles.level
                                  : kind == Coordinate::time      ? &roles.time
                                                                  : nullptr;
    if (role && !*role) {
      *role = d;
    } else if (header.shape[d] != 1) {
      other = d;
    }
  }
  if (!row || !column) return std::nullopt;
  if (other) {
    notes.push_back(text(header.name, " (", header.file, "): its dimension ", header.dimensions[*other],
                         " of size ", header.shape[*other], " is no time, level, latitude or longitude"));
    return std::nullopt;
  }
  roles.row = *row;
  roles.column = *column;
  return roles;
}

// A level that stands beside the array as a scalar coordinate, as a selection by xarray leaves it.
std::optional<double> scalar_level(const ArrayHeader& header, const Grid& grid) {
  const std::string names = " " + text_attribute(header.attributes, "coordinates") + " ";
  for (const auto& [name, level] : grid.scalar_levels) {
    if (names.find(" " + name + " ") != std::string::npos) return level;
  }
  return std::nullopt;
}

class GridSource : public Source {
 public:
  GridSource(const std::string& path, std::vector<Dataset> datasets) : datasets_(std::move(datasets)) {
    catalog_.path = path;
    for (const Dataset& data : datasets_) grids_.push_back(read_grid(data));  // all, before any is pointed at
    std::map<std::string, Field> fields;
    for (size_t i = 0; i < datasets_.size(); ++i) add_dataset(datasets_[i], grids_[i], fields);
    if (fields.empty()) {
      refuse(where, path,
             " holds no variable on latitudes and longitudes: they are known by their units "
             "(degrees_north, degrees_east), standard_name, or names such as lat and lon",
             listed_notes());
    }
    set_times(fields);
    for (auto& [name, field] : fields) {
      catalog_.variables.push_back(field.variable);
      fields_.push_back(std::move(field));
    }
  }

  const Catalog& catalog() const override { return catalog_; }

  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const Field& field = fields_[catalog_.index_of(variable)];
    const auto row_count = static_cast<int64_t>(catalog_.latitudes.size());
    const auto column_count = static_cast<int64_t>(catalog_.longitudes.size());
    GRATICULE_CHECK(rows.begin >= 0 && rows.end <= row_count, "rows ", rows.begin, " to ", rows.end);
    GRATICULE_CHECK(static_cast<int64_t>(out.size()) == rows.size() * column_count, out.size(), " values");
    if (rows.empty()) return;
    std::pair<size_t, int64_t> at{0, 0};
    if (!field.variable.constant) {
      GRATICULE_CHECK(time_index >= 0 && time_index < static_cast<int64_t>(catalog_.times.size()),
                      time_index);
      at = field.at.at(catalog_.times[static_cast<size_t>(time_index)]);
    }
    read_piece(field.pieces[at.first], at.second, rows, out);
  }

 private:
  void add_dataset(const Dataset& data, const Grid& grid, std::map<std::string, Field>& fields) {
    if (catalog_.container.find(data.container) == std::string::npos) {
      catalog_.container += (catalog_.container.empty() ? "" : ", ") + data.container;
    }
    if (catalog_.provenance.empty()) catalog_.provenance = data.provenance;
    catalog_.notes.insert(catalog_.notes.end(), data.notes.begin(), data.notes.end());
    for (const auto& array : data.arrays) {
      const std::optional<Roles> roles = roles_of(*array, grid, catalog_.notes);
      if (!roles) continue;
      check_grid(data, grid);
      add_array({array.get(), &grid, *roles, 0}, fields);
    }
  }

  void check_grid(const Dataset& data, const Grid& grid) {
    if (catalog_.latitudes.empty()) {
      catalog_.latitudes = grid.latitudes;
      catalog_.longitudes = grid.longitudes;
      catalog_.latitude_descending = grid.latitude_descending;
      first_path_ = data.path;
    }
    const auto near = [](double a, double b) { return std::abs(a - b) < 1e-3; };
    const auto same = [&](const std::vector<double>& a, const std::vector<double>& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(), near);
    };
    if (!same(catalog_.latitudes, grid.latitudes) || !same(catalog_.longitudes, grid.longitudes)) {
      refuse(where, data.path, " has ", grid.latitudes.size(), " x ", grid.longitudes.size(),
             " latitudes and longitudes that differ from the ", catalog_.latitudes.size(), " x ",
             catalog_.longitudes.size(), " of ", first_path_, ": bring them onto one grid");
    }
  }

  void add_array(Piece piece, std::map<std::string, Field>& fields) {
    const ArrayHeader& header = piece.array->header();
    const auto axis_of = [&](size_t d) { return piece.grid->axes.at(header.dimensions[d]); };
    const std::optional<double> beside = scalar_level(header, *piece.grid);
    const std::vector<double> levels = piece.roles.level ? axis_of(*piece.roles.level).values
                                       : beside          ? std::vector<double>{*beside}
                                                         : std::vector<double>{};
    const std::vector<int64_t> times =
        piece.roles.time ? axis_of(*piece.roles.time).times : std::vector<int64_t>{};
    const std::string base = long_name_of(header.name, !levels.empty());
    for (piece.level = 0; piece.level < std::max<int64_t>(1, static_cast<int64_t>(levels.size()));
         ++piece.level) {
      const std::string name =
          levels.empty() ? base : name_at_level(base, levels[static_cast<size_t>(piece.level)]);
      add_piece(name, piece, times, fields);
    }
  }

  void add_piece(const std::string& name, const Piece& piece, const std::vector<int64_t>& times,
                 std::map<std::string, Field>& fields) {
    const ArrayHeader& header = piece.array->header();
    const bool constant = !piece.roles.time;
    const bool first = !fields.contains(name);
    Field& field = fields[name];
    if (first) {
      field.variable = {name, text_attribute(header.attributes, "units"),
                        text_attribute(header.attributes, "long_name"),
                        text_attribute(header.attributes, "standard_name"), constant};
    } else if (constant || field.variable.constant) {
      refuse(where, name, " is given twice, by ", field.pieces[0].array->header().file, " and ", header.file,
             ": give one of them");
    }
    for (size_t i = 0; i < times.size(); ++i) {
      const auto [known, added] =
          field.at.emplace(times[i], std::pair(field.pieces.size(), static_cast<int64_t>(i)));
      if (!added) {
        const Piece& other =
            known->second.first < field.pieces.size() ? field.pieces[known->second.first] : piece;
        refuse(where, name, " at ", format_time(times[i]), " is given twice, by ", other.array->header().file,
               " and ", header.file, ": give one of them");
      }
    }
    field.pieces.push_back(piece);
  }

  // The times that every variable has; constants have none.
  void set_times(const std::map<std::string, Field>& fields) {
    std::map<int64_t, size_t> variables_at;
    size_t varying = 0;
    for (const auto& [name, field] : fields) {
      varying += !field.variable.constant;
      for (const auto& [time, place] : field.at) ++variables_at[time];
    }
    for (const auto& [time, count] : variables_at) {
      if (count == varying) catalog_.times.push_back(time);
    }
    const size_t left_out = variables_at.size() - catalog_.times.size();
    if (left_out == 0) return;
    if (catalog_.times.empty()) {
      refuse(where, catalog_.path, ": no time that all of its ", varying,
             " variables have; between them they have ", variables_at.size());
    }
    catalog_.notes.push_back(text(left_out, " times that not every variable has"));
  }

  std::string listed_notes() const {
    std::string list;
    for (const std::string& note : catalog_.notes) list += "; left out " + note;
    return list;
  }

  void read_piece(const Piece& piece, int64_t time, Span rows, std::span<float> out) {
    const ArrayHeader& header = piece.array->header();
    const auto row_count = static_cast<int64_t>(catalog_.latitudes.size());
    const bool flipped = piece.grid->latitude_descending;
    std::vector<Span> box(header.shape.size(), Span{0, 1});
    box[piece.roles.row] = flipped ? Span{row_count - rows.end, row_count - rows.begin} : rows;
    const int64_t column_count = header.shape[piece.roles.column];
    box[piece.roles.column] = {0, column_count};
    if (piece.roles.time) box[*piece.roles.time] = {time, time + 1};
    if (piece.roles.level) box[*piece.roles.level] = {piece.level, piece.level + 1};

    stored_.resize(out.size() * size_of(header.type));
    piece.array->read(box, stored_);
    values_.resize(out.size());
    unpack(stored_, header.type, header.packing, values_);
    const bool rows_first = piece.roles.row < piece.roles.column;
    const int64_t row_stride = rows_first ? column_count : 1, column_stride = rows_first ? 1 : rows.size();
    float* target = out.data();
    for (int64_t y = 0; y < rows.size(); ++y) {
      const float* row = values_.data() + (flipped ? rows.size() - 1 - y : y) * row_stride;
      for (const int64_t column : piece.grid->columns) *target++ = row[column * column_stride];
    }
  }

  std::vector<Dataset> datasets_;
  std::vector<Grid> grids_;  // one a data set
  Catalog catalog_;
  std::string first_path_;
  std::vector<Field> fields_;      // as catalog_.variables
  std::vector<std::byte> stored_;  // scratch of read
  std::vector<float> values_;
};

}  // namespace

std::unique_ptr<Source> make_grid_source(const std::string& path, std::vector<Dataset> datasets) {
  return std::make_unique<GridSource>(path, std::move(datasets));
}

}  // namespace graticule
