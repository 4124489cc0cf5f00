#include "graticule/data/field_join.h"

#include <algorithm>
#include <cstring>

#include "graticule/core/error.h"
#include "graticule/data/names.h"
#include "graticule/data/time.h"
#include "graticule/data/units.h"

namespace graticule {

namespace {

const ArrayHeader& header_of(const FieldPiece& piece) { return piece.array->header(); }

// Two arrays of one variable must agree in units, cell methods and standard name, or different quantities
// would be mixed.
void require_same_meaning(const std::string& name, const FieldPiece& first, const FieldPiece& next,
                          std::vector<std::string>& notes) {
  const ArrayHeader &a = header_of(first), &b = header_of(next);
  for (const char* key : {"units", "cell_methods", "standard_name"}) {
    const std::string one = text_attribute(a.attributes, key), other = text_attribute(b.attributes, key);
    const bool units = std::string_view(key) == "units";
    if (units ? same_units(one, other) : one == other) continue;
    if (one.empty() || other.empty()) {
      if (units)
        notes.push_back(text(name, " has no units in ", (one.empty() ? a : b).file, ": taken for ",
                             one.empty() ? other : one));
      continue;
    }
    refuse("source", name, " has ", key, " '", one, "' in ", a.file, " and '", other, "' in ", b.file,
           ": bring both to the same, or give one of them");
  }
}

// Two arrays with different scalar coordinates (ensemble member, height, depth) are different variables.
void require_same_place(const std::string& name, const FieldPiece& a, const FieldPiece& b) {
  for (const auto& [coordinate, value] : a.roles.beside) {
    const auto other = b.roles.beside.find(coordinate);
    if (other == b.roles.beside.end() || other->second == value) continue;
    refuse("source", name, " is at ", coordinate, " = ", value, " in ", header_of(a).file, " and at ",
           other->second, " in ", header_of(b).file, ": give one of them");
  }
}

// Whether two files have the same values. A field without time is often repeated in each file.
bool same_values(const FieldPiece& a, const FieldPiece& b) {
  const int64_t rows = a.plane->rows();
  std::vector<float> first(static_cast<size_t>(rows) * a.plane->columns.size()), second(first.size());
  read_piece(a, 0, {0, rows}, first);
  read_piece(b, 0, {0, rows}, second);
  return std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0;
}

[[noreturn]] void refuse_twice(const std::string& name, const FieldPiece& a, const FieldPiece& b) {
  refuse("source", name, " is given twice, by ", header_of(a).name, " in ", header_of(a).file, " and ",
         header_of(b).name, " in ", header_of(b).file, ": give one of them");
}

void join_level(const std::string& name, const FieldPiece& piece, JoinedFields& fields,
                std::vector<std::string>& notes) {
  const ArrayHeader& header = header_of(piece);
  const bool constant = piece.roles.times.empty();
  const bool first = !fields.contains(name);
  JoinedField& field = fields[name];
  if (first) {
    field.variable = {name, text_attribute(header.attributes, "units"),
                      text_attribute(header.attributes, "long_name"),
                      text_attribute(header.attributes, "standard_name"), constant};
  } else {
    require_same_meaning(name, field.pieces[0], piece, notes);
    require_same_place(name, field.pieces[0], piece);
    if (field.variable.units.empty()) field.variable.units = text_attribute(header.attributes, "units");
    if (constant != field.variable.constant || (constant && !same_values(field.pieces[0], piece)))
      refuse_twice(name, field.pieces[0], piece);
    if (constant) return;
  }
  for (size_t i = 0; i < piece.roles.times.size(); ++i) {
    const int64_t time = piece.roles.times[i];
    if (!piece.declared->holds(time)) continue;
    const auto [known, added] =
        field.at.emplace(time, std::pair(field.pieces.size(), static_cast<int64_t>(i)));
    if (added) continue;
    if (known->second.first == field.pieces.size())
      refuse("source", header.file, ": ", header.name, " has ", format_time(time, piece.roles.calendar),
             " twice along its time, at index ", known->second.second, " and ", i, ": cut one of them off");
    const ArrayHeader& other = header_of(field.pieces[known->second.first]);
    refuse("source", name, " at ", format_time(time, piece.roles.calendar), " is given twice, by ",
           other.name, " in ", other.file, " and ", header.name, " in ", header.file, ": give one of them");
  }
  field.pieces.push_back(piece);
}

// For a note: "2m_temperature lacks 40, ...", for the first five variables.
std::string lacking(const JoinedFields& fields, const std::map<int64_t, size_t>& variables_at) {
  constexpr size_t listed = 5;
  std::string list;
  size_t count = 0;
  for (const auto& [name, field] : fields) {
    const size_t lacks = variables_at.size() - field.at.size();
    if (field.variable.constant || lacks == 0) continue;
    if (++count > listed) return list + ", ...";
    list += text(count > 1 ? ", " : "", name, " lacks ", lacks);
  }
  return list;
}

[[noreturn]] void refuse_no_common_time(const JoinedFields& fields, const std::string& path) {
  std::map<std::string, std::string> variables_of;  // period -> variables
  for (const auto& [name, field] : fields) {
    if (field.variable.constant) continue;
    const std::string period =
        field.at.empty()
            ? std::string("no time that its store declares")
            : text(field.at.size(), " times from ", format_time(field.at.begin()->first, field.calendar()),
                   " to ", format_time(field.at.rbegin()->first, field.calendar()));
    std::string& names = variables_of[period];
    names += (names.empty() ? "" : ", ") + name;
  }
  std::string list;
  for (const auto& [period, names] : variables_of)
    list += (list.empty() ? "" : "; ") + names + " has " + period;
  refuse("source", path, " has no time that all of its variables have: ", list,
         ". Give data of one period; a field that does not change needs no time");
}

// The part of the piece's array that holds these rows (south first) and file columns at one time.
std::vector<Span> box_of(const FieldPiece& piece, int64_t time, Span rows, Span columns) {
  const int64_t row_count = piece.plane->rows();
  std::vector<Span> box(header_of(piece).shape.size(), Span{0, 1});
  box[piece.roles.row] =
      piece.plane->latitude_descending ? Span{row_count - rows.end, row_count - rows.begin} : rows;
  if (piece.roles.column) box[*piece.roles.column] = columns;
  if (piece.roles.time) box[*piece.roles.time] = {time, time + 1};
  if (piece.roles.level) box[*piece.roles.level] = {piece.level, piece.level + 1};
  return box;
}

}  // namespace

void require_closed(const FieldPiece& piece) {
  const ArrayHeader& header = header_of(piece);
  const Span rows{0, piece.plane->rows()};
  const int64_t last = header.shape[*piece.roles.column] - 1;
  std::vector<std::byte> west(static_cast<size_t>(rows.size()) * size_of(header.type)), east(west.size());
  piece.array->read(box_of(piece, 0, rows, {0, 1}), west);
  piece.array->read(box_of(piece, 0, rows, {last, last + 1}), east);
  if (west == east) return;
  refuse("grid", header.file, ": the first and the last column of ", header.name,
         " are 360 degrees apart, which is one place, but hold other values: cut one of them off");
}

void read_piece(const FieldPiece& piece, int64_t time, Span rows, std::span<float> out) {
  const ArrayHeader& header = header_of(piece);
  const bool flipped = piece.plane->latitude_descending;
  const int64_t column_count = piece.roles.column ? header.shape[*piece.roles.column] : 1;
  const std::vector<Span> box = box_of(piece, time, rows, {0, column_count});

  const bool rows_first = !piece.roles.column || piece.roles.row < *piece.roles.column;
  if (rows_first && !flipped && piece.plane->as_stored && is_plain(header.type, header.packing)) {
    return piece.array->read(box, std::as_writable_bytes(out));
  }
  std::vector<float> values(static_cast<size_t>(rows.size() * column_count));
  std::vector<std::byte> stored(values.size() * size_of(header.type));
  piece.array->read(box, stored);
  unpack(stored, header.type, header.packing, values);
  const int64_t row_stride = rows_first ? column_count : 1, column_stride = rows_first ? 1 : rows.size();
  float* target = out.data();
  for (int64_t y = 0; y < rows.size(); ++y) {
    const float* row = values.data() + (flipped ? rows.size() - 1 - y : y) * row_stride;
    for (const int64_t column : piece.plane->columns) *target++ = row[column * column_stride];
  }
}

namespace {

// The canonical name of the array. '@' is reserved for levels, so it becomes '_'.
std::string base_name(const FieldPiece& piece) {
  const ArrayHeader& header = header_of(piece);
  std::string base = long_name_of(header.name, !piece.roles.levels.empty(), header.attributes);
  std::replace(base.begin(), base.end(), '@', '_');
  return base;
}

// A note for a translated name without a pressure level: it gives the field's height, depth or other scalars
// instead.
void note_other_level(const FieldPiece& piece, const std::string& base, std::vector<std::string>& notes) {
  const ArrayHeader& header = header_of(piece);
  if (!piece.roles.levels.empty() || base == header.name || is_at_surface(base)) return;
  std::string beside;
  for (const auto& [name, value] : piece.roles.beside)
    beside += text(beside.empty() ? "" : ", ", name, " = ", value);
  notes.push_back(text(header.name, " (", header.file, ") has no pressure level",
                       beside.empty() ? "" : ", but ", beside, ": taken for ", base));
}

}  // namespace

void join(FieldPiece piece, JoinedFields& fields, std::vector<std::string>& notes) {
  if (const std::string& known = header_of(piece).variable; !known.empty())
    return join_level(known, piece, fields, notes);
  // When one level was selected, xarray attaches it as a scalar to every field, also to fields at the
  // surface.
  if (piece.roles.scalar_level &&
      is_at_surface(long_name_of(header_of(piece).name, true, header_of(piece).attributes)))
    piece.roles.levels.clear();
  const std::vector<double>& levels = piece.roles.levels;
  std::string base = base_name(piece);
  const bool orography = base == "geopotential_at_surface" && header_of(piece).name == "z";
  if (orography && !piece.roles.beside.empty()) base = "geopotential";
  if (orography && base != "geopotential" && piece.roles.times.size() > 1)
    notes.push_back(text("z (", header_of(piece).file, ") has no level: taken for ", base));
  note_other_level(piece, base, notes);
  for (piece.level = 0; piece.level < std::max<int64_t>(1, std::ssize(levels)); ++piece.level) {
    join_level(levels.empty() ? base : name_at_level(base, levels[static_cast<size_t>(piece.level)]), piece,
               fields, notes);
  }
}

void make_static_fields_constant(JoinedFields& fields, std::vector<std::string>& notes) {
  for (auto& [name, field] : fields) {
    const FieldPiece& first = field.pieces[0];
    const bool still = std::all_of(field.pieces.begin(), field.pieces.end(), [&](const FieldPiece& piece) {
      return piece.roles.times.size() == 1 && (&piece == &first || same_values(first, piece));
    });
    if (field.variable.constant || !is_static(name) || !still) continue;
    notes.push_back(text(name, " has one time in each file, the first ",
                         format_time(first.roles.times[0], first.roles.calendar), ": taken for a constant"));
    field.variable.constant = true;
    field.pieces.resize(1);
    field.at.clear();
  }
}

std::vector<int64_t> common_times(const JoinedFields& fields, const std::string& path,
                                  std::vector<std::string>& notes) {
  std::map<int64_t, size_t> variables_at;
  size_t varying = 0;
  for (const auto& [name, field] : fields) {
    varying += !field.variable.constant;
    for (const auto& [time, place] : field.at) ++variables_at[time];
  }
  std::vector<int64_t> times;
  for (const auto& [time, count] : variables_at) {
    if (count == varying) times.push_back(time);
  }
  const size_t left_out = variables_at.size() - times.size();
  if (left_out == 0 && (varying == 0 || !times.empty())) return times;
  if (times.empty()) refuse_no_common_time(fields, path);
  notes.push_back(
      text(left_out, " of ", variables_at.size(),
           " times are left out, because not every variable has them: ", lacking(fields, variables_at)));
  return times;
}

}  // namespace graticule
