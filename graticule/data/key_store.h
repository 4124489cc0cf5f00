// A set of bytes under keys with slashes ("t2m/0.0.0"): a folder, a zip archive, or references into other
// files. The reader of Zarr finds metadata and chunks through it, so it works alike on all of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/file_bytes.h"

namespace graticule {

/// Where the bytes of one key are: a part of a file, or in memory.
struct BytePlace {
  std::string file;  ///< for messages too
  size_t offset = 0, size = 0;
  std::shared_ptr<const std::string> held;  ///< the bytes; then `file` is for messages only
};

class KeyStore {
 public:
  virtual ~KeyStore() = default;
  /// The name for messages.
  const std::string& name() const { return name_; }
  /// Nothing when there surely is no such key. Fails when that cannot be known.
  virtual std::optional<BytePlace> find(const std::string& key) const = 0;
  /// The names directly below a folder ("" for the root), sorted.
  virtual std::vector<std::string> names_in(const std::string& folder) const = 0;

 protected:
  explicit KeyStore(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

using Keys = std::shared_ptr<const KeyStore>;

/// A folder, local or remote: keys are its files. It refuses a key with "..", which would lead out of it.
Keys open_folder_store(const std::string& folder);

/// All bytes of a place. Fails when the file is shorter, before it asks for memory.
Bytes read_all(const BytePlace& place);

/// The bytes of a key as text; nothing when there is no such key.
std::optional<std::string> read_text(const KeyStore& store, const std::string& key);

/// Fills `out` from byte `offset` of the place on. Fails when the bytes end before.
void read_range(const BytePlace& place, size_t offset, std::span<std::byte> out);

/// "a", "b" -> "a/b"; an empty folder is the root.
inline std::string join_keys(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

/// KeyStore::names_in for keys in a map.
template <class Value>
std::vector<std::string> names_below(const std::map<std::string, Value>& keys, const std::string& folder) {
  const std::string start = folder.empty() ? "" : folder + "/";
  std::vector<std::string> names;
  for (auto at = keys.lower_bound(start); at != keys.end() && at->first.starts_with(start);) {
    const std::string name = at->first.substr(start.size(), at->first.find('/', start.size()) - start.size());
    if (!name.empty() && (names.empty() || names.back() != name)) names.push_back(name);
    const bool below = at->first.size() > start.size() + name.size();
    // '0' follows '/' in ASCII: this skips all keys below the name.
    at = below ? keys.lower_bound(start + name + '0') : std::next(at);
  }
  return names;
}

}  // namespace graticule
