#include "graticule/data/key_store.h"

#include <cstring>

#include "graticule/core/error.h"

namespace graticule {

namespace {

class FolderStore : public KeyStore {
 public:
  explicit FolderStore(const std::string& folder) : KeyStore(folder) {}

  std::optional<BytePlace> find(const std::string& key) const override {
    const std::string file = name() + "/" + key;
    const std::optional<size_t> size = file_size(file);
    return size ? std::optional(BytePlace{file, 0, *size, nullptr}) : std::nullopt;
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    return graticule::names_in(join_keys(name(), folder));
  }
};

}  // namespace

Keys open_folder_store(const std::string& folder) { return std::make_shared<FolderStore>(folder); }

std::optional<std::string> read_text(const KeyStore& store, const std::string& key) {
  const std::optional<BytePlace> place = store.find(key);
  if (!place) return std::nullopt;
  if (place->held) return *place->held;
  std::string text(place->size, '\0');
  read_range(*place, 0, std::as_writable_bytes(std::span(text)));
  return text;
}

void read_range(const BytePlace& place, size_t offset, std::span<std::byte> out) {
  if (offset > place.size || out.size() > place.size - offset)
    fail("file", place.file, " ends early: wanted ", out.size(), " bytes from ", offset, " of ", place.size,
         ": copy it again");
  if (!place.held) return read_range(place.file, place.offset + offset, out);
  std::memcpy(out.data(), place.held->data() + offset, out.size());
}

}  // namespace graticule
