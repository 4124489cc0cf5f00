#include "graticule/data/icechunk.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "graticule/core/error.h"
#include "graticule/data/flat_table.h"
#include "graticule/data/references.h"
#include "graticule/data/zarr_json.h"

namespace graticule {

namespace {

enum class FileType : uint8_t { snapshot = 1, manifest = 2, repo = 6 };

// The numbers of the fields, as Icechunk's schemas order them.
namespace field {
constexpr size_t repo_branches = 2, repo_snapshots = 4, ref_name = 0, ref_snapshot = 1, info_id = 0;
constexpr size_t snapshot_nodes = 2;
constexpr size_t node_id = 0, node_path = 1, node_user_data = 2, node_kind = 3, node_data = 4;
constexpr size_t array_manifests = 2, manifest_ref_id = 0;
constexpr size_t manifest_arrays = 1, manifest_dictionary = 2, array_node_id = 0, array_refs = 1;
constexpr size_t chunk_index = 0, chunk_inline = 1, chunk_offset = 2, chunk_length = 3, chunk_id = 4;
constexpr size_t chunk_location = 5, chunk_packed_location = 8;
}  // namespace field

constexpr size_t long_id = 12, short_id = 8;
using Index = std::vector<uint32_t>;

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  fail("icechunk", where, " is damaged or cut off: ", what, ": copy it again");
}

// An id as Icechunk names files: Crockford's base 32.
std::string name_of(std::string_view id) {
  constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string name;
  uint32_t bits = 0;
  int held = 0;
  for (const char byte : id) {
    bits = bits << 8 | static_cast<uint8_t>(byte);
    for (held += 8; held >= 5; held -= 5) name += digits[bits >> (held - 5) & 31];
  }
  if (held > 0) name += digits[bits << (5 - held) & 31];
  return name;
}

std::string unpack_zstd(std::string_view packed, const std::string& where) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                        &ZSTD_freeDStream);
  constexpr size_t most = size_t{8} << 30;
  std::string bytes;
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  size_t status = 1;
  while (status != 0) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    status = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(status)) damaged(where, ZSTD_getErrorName(status));
    bytes.append(piece.data(), out.pos);
    if (status != 0 && out.pos == 0 && in.pos == in.size) damaged(where, "its bytes do not unpack");
    if (bytes.size() > most) damaged(where, "it is too large");
  }
  return bytes;
}

// A metadata file without its header: 12 bytes that mark the format, 24 of the writer's name, then the version,
// the type of file and the compression.
std::string read_metadata(const std::string& file, FileType type) {
  constexpr std::string_view mark =
      "ICE\xF0\x9F\xA7\x8A"
      "CHUNK";
  constexpr size_t version_at = 36, type_at = 37, compression_at = 38, head = 39;
  const std::optional<std::string> content = read_text(file);
  if (!content) fail("icechunk", file, " does not exist: the repository is incomplete; copy it again");
  if (content->size() < head || !content->starts_with(mark)) damaged(file, "it has no header of Icechunk");
  const auto version = static_cast<uint8_t>((*content)[version_at]);
  if (version != 1 && version != 2)
    refuse("icechunk", file, " is of format ", int{version}, ": known are 1 and 2");
  if (static_cast<uint8_t>((*content)[type_at]) != static_cast<uint8_t>(type))
    damaged(file, "it is a file of another type");
  const std::string_view body = std::string_view(*content).substr(head);
  const char compression = (*content)[compression_at];
  if (compression != 0 && compression != 1) damaged(file, "its compression is unknown");
  return compression == 0 ? std::string(body) : unpack_zstd(body, file);
}

// The snapshot of the branch main.
std::string newest_snapshot(const std::string& folder) {
  const std::string repo = folder + "/repo";
  if (!file_size(repo)) {  // format 1
    const std::string file = folder + "/refs/branch.main/ref.json";
    const std::optional<std::string> text = read_text(file);
    if (!text) refuse("icechunk", folder, " has no branch 'main'");
    const nlohmann::json name = required(parse_zarr_json(*text, file), "snapshot", file);
    const bool plain = name.is_string() && name.get_ref<const std::string&>().find('/') == std::string::npos;
    if (!plain) damaged(file, "it names no snapshot");
    return name.get<std::string>();
  }
  const std::string bytes = read_metadata(repo, FileType::repo);
  const FlatTable root = FlatTable::root(bytes, repo);
  const FlatList branches = root.list(field::repo_branches), snapshots = root.list(field::repo_snapshots);
  for (size_t i = 0; i < branches.size(); ++i) {
    const FlatTable branch = branches.table(i);
    if (branch.text(field::ref_name) != "main") continue;
    const uint64_t index = branch.integer(field::ref_snapshot, 4, 0);
    if (index >= snapshots.size()) damaged(repo, "its branch 'main' names no snapshot");
    return name_of(snapshots.table(index).bytes(field::info_id, long_id));
  }
  refuse("icechunk", folder, " has no branch 'main'");
}

struct Node {
  std::shared_ptr<const std::string> metadata;  // zarr.json
  std::string id;
  std::vector<std::string> manifests;  // names of files; empty for a group
};

class Repository : public KeyStore {
 public:
  Repository(const std::string& folder, const std::string& place)
      : KeyStore(folder), allowed_(folder, folder, place) {
    const std::string file = folder + "/snapshots/" + newest_snapshot(folder);
    const std::string bytes = read_metadata(file, FileType::snapshot);
    const FlatList nodes = FlatTable::root(bytes, file).list(field::snapshot_nodes);
    for (size_t i = 0; i < nodes.size(); ++i) add_node(nodes.table(i));
  }

  std::optional<BytePlace> find(const std::string& key) const override {
    if (const auto node = nodes_.find(key); node != nodes_.end()) {
      const auto& held = node->second.metadata;
      return BytePlace{name() + "/" + key, 0, held->size(), held};
    }
    // PATH/c/0/1 or PATH/0.1: the array is the longest path with a node.
    for (size_t slash = key.rfind('/'); slash != std::string::npos && slash > 0;
         slash = key.rfind('/', slash - 1)) {
      const auto node = nodes_.find(key.substr(0, slash) + "/zarr.json");
      if (node != nodes_.end()) return find_chunk(node->second, key, key.substr(slash + 1));
    }
    return std::nullopt;
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    return names_below(nodes_, folder);
  }

 private:
  void add_node(const FlatTable& table) {
    Node node;
    node.metadata = std::make_shared<std::string>(table.text(field::node_user_data));
    node.id = table.bytes(field::node_id, short_id);
    constexpr uint64_t array = 1;
    if (table.integer(field::node_kind, 1, 0) == array) {
      const FlatList manifests = table.table(field::node_data).list(field::array_manifests);
      for (size_t i = 0; i < manifests.size(); ++i)
        node.manifests.push_back(name_of(manifests.table(i).bytes(field::manifest_ref_id, long_id)));
    }
    std::string path(table.text(field::node_path));
    if (path.starts_with('/')) path.erase(0, 1);
    nodes_[join_keys(path, "zarr.json")] = std::move(node);
  }

  std::optional<BytePlace> find_chunk(const Node& node, const std::string& key,
                                      const std::string& rest) const {
    Index index;
    std::string digits;
    for (const char letter : rest + "/") {
      if (letter >= '0' && letter <= '9' && digits.size() < 10) {
        digits += letter;
      } else if (letter == '/' || letter == '.') {
        if (!digits.empty()) index.push_back(static_cast<uint32_t>(std::stoull(digits)));
        digits.clear();
      } else if (letter != 'c') {
        return std::nullopt;
      }
    }
    for (const std::string& manifest : node.manifests) {
      if (auto place = find_in(manifest, node.id, index, key)) return place;
    }
    return std::nullopt;
  }

  // Looks an index up among the chunks of a manifest, which are in order.
  std::optional<BytePlace> find_in(const std::string& manifest, const std::string& node, const Index& index,
                                   const std::string& key) const {
    const std::string file = name() + "/manifests/" + manifest;
    const std::shared_ptr<const std::string> bytes = manifest_of(manifest, file);
    const FlatTable root = FlatTable::root(*bytes, file);
    const FlatList arrays = root.list(field::manifest_arrays);
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (arrays.table(i).bytes(field::array_node_id, short_id) != node) continue;
      const FlatList chunks = arrays.table(i).list(field::array_refs);
      size_t low = 0, high = chunks.size();
      while (low < high) {
        const size_t middle = (low + high) / 2;
        index_of(chunks.table(middle)) < index ? low = middle + 1 : high = middle;
      }
      if (low == chunks.size() || index_of(chunks.table(low)) != index) return std::nullopt;
      return place_of(chunks.table(low), root, key, file);
    }
    return std::nullopt;
  }

  static Index index_of(const FlatTable& chunk) {
    const FlatList list = chunk.list(field::chunk_index);
    Index index;
    for (size_t d = 0; d < list.size(); ++d) index.push_back(list.integer(d));
    return index;
  }

  BytePlace place_of(const FlatTable& chunk, const FlatTable& manifest, const std::string& key,
                     const std::string& file) const {
    if (chunk.has(field::chunk_inline)) {
      auto held = std::make_shared<std::string>(chunk.text(field::chunk_inline));
      return {name() + "/" + key, 0, held->size(), held};
    }
    BytePlace place;
    place.offset = chunk.integer(field::chunk_offset, 8, 0);
    place.size = chunk.integer(field::chunk_length, 8, 0);
    if (chunk.has(field::chunk_id)) {
      place.file = name() + "/chunks/" + name_of(chunk.bytes(field::chunk_id, long_id));
    } else {
      place.file = allowed_.resolve(location_of(chunk, manifest, file));
    }
    return place;
  }

  static std::string location_of(const FlatTable& chunk, const FlatTable& manifest, const std::string& file) {
    if (chunk.has(field::chunk_location)) return std::string(chunk.text(field::chunk_location));
    const std::string_view packed = chunk.text(field::chunk_packed_location),
                           words = manifest.text(field::manifest_dictionary);
    if (packed.empty()) damaged(file, "a chunk has no place");
    constexpr size_t longest = 65536;
    std::string location(longest, '\0');
    const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
    const size_t size = ZSTD_decompress_usingDict(context.get(), location.data(), longest, packed.data(),
                                                  packed.size(), words.data(), words.size());
    if (ZSTD_isError(size)) damaged(file, ZSTD_getErrorName(size));
    location.resize(size);
    return location;
  }

  std::shared_ptr<const std::string> manifest_of(const std::string& manifest, const std::string& file) const {
    const std::lock_guard<std::mutex> alone(mutex_);
    auto& bytes = manifests_[manifest];
    if (!bytes) bytes = std::make_shared<std::string>(read_metadata(file, FileType::manifest));
    return bytes;
  }

  AllowedPlaces allowed_;
  std::map<std::string, Node> nodes_;  // by the key of its zarr.json
  mutable std::map<std::string, std::shared_ptr<const std::string>> manifests_;
  mutable std::mutex mutex_;
};

}  // namespace

bool is_icechunk(const std::string& folder) {
  if (folder.starts_with("/vsi") || !is_folder(folder + "/snapshots")) return false;
  return file_size(folder + "/repo") || is_folder(folder + "/refs");
}

Keys open_icechunk(const std::string& folder, const std::string& place) {
  return std::make_shared<Repository>(folder, place);
}

}  // namespace graticule
