// Joins the arrays of several files into fields: the files may have different variables, levels or times.
// GridSource (grid_source.cpp) is the only user.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/data/declared_times.h"
#include "graticule/data/field_roles.h"
#include "graticule/data/source.h"

namespace graticule {

/// One level of one array: the times of a variable that one file contains.
struct FieldPiece {
  StoredArray* array = nullptr;
  const Plane* plane = nullptr;
  FieldRoles roles;
  int64_t level = 0;
  const DeclaredTimes* declared = nullptr;  ///< other times of the array are not used
};

/// One variable and all pieces that make it up.
struct JoinedField {
  Variable variable;
  std::vector<FieldPiece> pieces;
  std::map<int64_t, std::pair<size_t, int64_t>> at;  ///< time -> piece, index in its array

  Calendar calendar() const { return pieces[0].roles.calendar; }
};

/// Reads `rows` of one piece at an index `time` of its own times into `out`, as Source::read gives them:
/// row-major, south first, fp32 in physical units.
void read_piece(const FieldPiece& piece, int64_t time, Span rows, std::span<float> out);

/// Refuses a piece whose last column does not repeat its first one at its first time, though the plane says so
/// (Plane::closed).
void require_closed(const FieldPiece& piece);

using JoinedFields = std::map<std::string, JoinedField>;

/// Adds every level of the piece's array to `fields` under its canonical name (ArrayHeader::variable if set).
/// Refuses a variable whose units, cell method or standard name differ from an earlier piece, and one given
/// twice for the same time. A constant may be given again with equal values. Notes for the user go to `notes`.
void join(FieldPiece piece, JoinedFields& fields, std::vector<std::string>& notes);

/// Turns fields of land and soil (is_static) that have a single time in each file into constants, with a
/// note.
void make_static_fields_constant(JoinedFields& fields, std::vector<std::string>& notes);

/// The times that all variables have, ascending. A note gives the number of other times and which variables
/// lack them. Refuses fields that have no time in common and gives the period of each.
std::vector<int64_t> common_times(const JoinedFields& fields, const std::string& path,
                                  std::vector<std::string>& notes);

}  // namespace graticule
