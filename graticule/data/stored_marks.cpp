#include "graticule/data/stored_marks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graticule/core/error.h"

namespace graticule {

namespace {

bool is_float(NumberType type) { return type == NumberType::f4 || type == NumberType::f8; }

// The filters that change numbers, each with the type of the numbers that reach it: bitround names none.
std::vector<NumberFilter> filters_of(const std::vector<ByteCodec>& codecs, NumberType type) {
  std::vector<NumberFilter> filters;
  for (const ByteCodec& codec : codecs) {
    if (codec.kind != ByteCodec::Kind::number) continue;
    NumberFilter filter = codec.filter;
    if (filter.kind == NumberFilter::Kind::round) filter.decoded.type = filter.encoded.type = type;
    type = filter.encoded.type;
    filters.push_back(filter);
  }
  return filters;
}

std::optional<double> stored_and_read(double mark, const std::vector<NumberFilter>& filters) {
  for (const NumberFilter& filter : filters) {
    const std::optional<double> stored = stored_number(mark, filter);
    if (!stored) return std::nullopt;
    mark = *stored;
  }
  for (size_t i = filters.size(); i-- > 0;) mark = read_number(mark, filters[i]);
  return mark;
}

}  // namespace

std::optional<std::string> add_filtered_marks(Packing& packing, NumberType type,
                                              const std::vector<ByteCodec>& codecs, const std::string& name) {
  const std::vector<NumberFilter> filters = filters_of(codecs, type);
  if (filters.empty() || type == NumberType::f2) return std::nullopt;
  std::vector<double> marks = packing.missing;
  if (is_float(type)) marks.push_back(std::numeric_limits<double>::quiet_NaN());
  std::optional<std::string> note;
  for (const double mark : marks) {
    const std::optional<double> other = stored_and_read(mark, filters);
    if (!other && (!std::isnan(mark) || packing.names_nan))
      note = text(name, " marks missing values with ", mark,
                  ", which its filters cannot store: missing values, if it has any, are other numbers");
    if (other && !std::isnan(*other) && *other != mark) packing.missing.push_back(*other);
  }
  return note;
}

}  // namespace graticule
