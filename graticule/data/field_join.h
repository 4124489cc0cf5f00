// Fields put together from the arrays of several files: other variables, other levels, other times.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/data/field_roles.h"
#include "graticule/data/source.h"

namespace graticule {

/// One level of one array: the times of a variable that one file holds.
struct FieldPiece {
  StoredArray* array = nullptr;
  const Plane* plane = nullptr;
  FieldRoles roles;
  int64_t level = 0;
};

struct JoinedField {
  Variable variable;
  std::vector<FieldPiece> pieces;
  std::map<int64_t, std::pair<size_t, int64_t>> at;  ///< time -> piece, index in its array
};

/// Reads rows of one piece at one index of its times, south first, as `Source::read` gives them.
void read_piece(const FieldPiece& piece, int64_t time, Span rows, std::span<float> out);

using JoinedFields = std::map<std::string, JoinedField>;

/// Adds every level of the piece's array under its name. Refuses a variable in other units, by another
/// cell method or of another standard name than before, and one given twice for one time; a constant that is
/// given again must be equal.
void join(FieldPiece piece, JoinedFields& fields, std::vector<std::string>& notes);

/// Fields of land and soil that have a single time become constants, with a note.
void make_static_fields_constant(JoinedFields& fields, std::vector<std::string>& notes);

/// The times that every variable has, ascending; a note says how many others there are and who lacks them.
/// Refuses fields that share none, saying when each has values.
std::vector<int64_t> common_times(const JoinedFields& fields, const std::string& path,
                                  std::vector<std::string>& notes);

}  // namespace graticule
