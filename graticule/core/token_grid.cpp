#include "graticule/core/token_grid.h"

#include "graticule/core/error.h"

namespace graticule {

TokenGrid::Place TokenGrid::locate(int64_t token) const {
  GRATICULE_CHECK(token >= 0 && token < tokens(), "token ", token, " of ", tokens());
  const int64_t place = token % places();
  return {token / places(), place / patch_columns(), place % patch_columns()};
}

Span TokenGrid::variables_of(const Span& span) const {
  if (mode != TokenMode::full) return {0, variables};
  if (span.empty()) return {};
  return {locate(span.begin).variable, locate(span.end - 1).variable + 1};
}

Span TokenGrid::tokens_of(const Span& span, int64_t variable) const {
  if (mode != TokenMode::full) return span;
  return intersect(span, {variable * places(), (variable + 1) * places()});
}

}  // namespace graticule
