// A zip archive on this machine as a set of keys. Members may be stored or deflated.
#pragma once

#include "graticule/data/key_store.h"

namespace graticule {

/// Whether the file begins as a zip archive.
bool is_zip(const std::string& file);

/// Opens the archive's directory. Of two members of one name the later one counts, as in Python: a writer that
/// changes its mind appends. Stored members are read in place; deflated ones are held while they are used.
/// Fails on an archive that is cut off; refuses a member that is encrypted or packed by another method, when
/// it is asked for.
Keys open_zip_store(const std::string& file);

/// The members of an archive, and whether each is deflated.
std::map<std::string, bool> members_of_zip(const std::string& file);

}  // namespace graticule
