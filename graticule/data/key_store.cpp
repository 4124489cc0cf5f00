#include "graticule/data/key_store.h"

#include <cstring>
#include <filesystem>

#include "graticule/core/error.h"

namespace graticule {

namespace {

class FolderStore : public KeyStore {
 public:
  explicit FolderStore(const std::string& folder) : KeyStore(folder) {}

  std::optional<BytePlace> find(const std::string& key) const override {
    const std::string file = inside(key);
    const std::optional<size_t> size = file_size(file);
    return size ? std::optional(BytePlace{file, 0, *size, nullptr}) : std::nullopt;
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    return graticule::names_in(inside(folder));
  }

 private:
  // Metadata of a store name other keys of it. Whoever wrote them must not choose what is read elsewhere.
  std::string inside(const std::string& key) const {
    for (const auto& part : std::filesystem::path(key)) {
      if (part == "..")
        refuse("zarr", name(), " names '", key,
               "', which is not in its folder: take data whose origin you know");
    }
    return join_keys(name(), key);
  }
};

}  // namespace

Keys open_folder_store(const std::string& folder) { return std::make_shared<FolderStore>(folder); }

std::optional<std::string> read_text(const KeyStore& store, const std::string& key) {
  const std::optional<BytePlace> place = store.find(key);
  if (!place) return std::nullopt;
  if (place->held) return *place->held;
  const Bytes bytes = read_all(*place);
  return std::string(reinterpret_cast<const char*>(bytes.data.get()), bytes.size);
}

Bytes read_all(const BytePlace& place) {
  constexpr size_t large = size_t{64} << 20;  // only a large size is worth asking the file for its own
  if (!place.held && place.size > large) {
    const size_t there = file_size(place.file).value_or(0);
    if (place.offset > there || place.size > there - place.offset)
      fail("file", place.file, " ends early: wanted ", place.size, " bytes from ", place.offset, " of ",
           there, ": copy it again");
  }
  Bytes bytes = Bytes::of_size(place.size);
  read_range(place, 0, bytes.span());
  return bytes;
}

void read_range(const BytePlace& place, size_t offset, std::span<std::byte> out) {
  if (offset > place.size || out.size() > place.size - offset)
    fail("file", place.file, " ends early: wanted ", out.size(), " bytes from ", offset, " of ", place.size,
         ": copy it again");
  if (!place.held) return read_range(place.file, place.offset + offset, out);
  std::memcpy(out.data(), place.held->data() + offset, out.size());
}

}  // namespace graticule
