// Dates in the names of files: images of a series, such as scenes of a satellite, often say nowhere else when they were
// taken.
//
// A pattern is the name of a file with these in place of its date: %Y year, %m month, %d day, %j day of the year, %H
// hour, %M minute, %S second, all of fixed width; * is any text, as short as possible. It is compared with the whole name, or
// with the whole path below the folder of the data where it has a "/".
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

/// Seconds since 1970 UTC; what the pattern does not give is the first month, day, hour, minute and second. Refuses a
/// pattern without a year, with a field twice or an unknown one, a name that does not match, and a day that there is
/// not.
int64_t date_in_name(const std::string& path, const std::string& pattern);

}  // namespace graticule
