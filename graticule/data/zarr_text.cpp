#include "graticule/data/zarr_text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "graticule/core/error.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_codec.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

namespace {

using nlohmann::json;
using Texts = std::optional<std::vector<std::string>>;

void append_utf8(std::string& text, uint32_t code) {
  const auto rest = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6), rest(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12), rest(6), rest(0);
  } else {
    text += static_cast<char>(0xF0 | code >> 18), rest(12), rest(6), rest(0);
  }
}

// "<U5" -> 5; 0 for anything else.
int64_t width_of(const std::string& type) {
  int64_t width = 0;
  const char* end = type.data() + type.size();
  return std::from_chars(type.data() + 2, end, width).ptr == end ? width : 0;
}

// Texts of fixed width are stored like `width` numbers each: letters (bytes) or code points. So the array is
// read as one of numbers. `array`: its metadata as such an array, with the shapes of the texts.
Texts read_fixed(std::optional<ZarrMetadata> numbers, int64_t width, const Keys& store,
                 const std::string& key) {
  constexpr int64_t longest = 4096;
  if (!numbers || width <= 0 || width > longest) return std::nullopt;
  numbers->header.shape[0] *= width;
  numbers->chunk.shape[0] *= width;
  if (numbers->shard) numbers->shard->shape[0] *= width;
  const std::vector<double> codes =
      all_values(*open_zarr_array(*numbers, store, key, std::make_shared<ChunkCache>()));
  std::vector<std::string> texts;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (i % static_cast<size_t>(width) == 0) texts.emplace_back();
    if (codes[i] != 0) append_utf8(texts.back(), static_cast<uint32_t>(codes[i]));
  }
  return texts;
}

// One chunk of vlen-utf8: the number of texts, then each as its length and its bytes; lengths in 32 bits.
void append_chunk(std::span<const std::byte> bytes, std::vector<std::string>& texts,
                  const std::string& where) {
  const auto number = [&]() -> size_t {
    uint32_t value = 0;
    if (bytes.size() < sizeof(value)) fail("zarr", where, " is damaged or cut off: copy it again");
    std::memcpy(&value, bytes.data(), sizeof(value));
    bytes = bytes.subspan(sizeof(value));
    return value;
  };
  for (size_t count = number(); count > 0; --count) {
    const size_t length = number();
    if (length > bytes.size()) fail("zarr", where, " is damaged or cut off: copy it again");
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
  }
}

// `chunks`: the metadata of an array of bytes with the same chunks. An absent chunk holds empty texts.
Texts read_variable(const ZarrMetadata& chunks, const Keys& store, const std::string& key) {
  constexpr size_t most = 1 << 24;
  std::vector<std::string> texts;
  const int64_t count = chunks.header.shape[0], size = chunks.chunk.shape[0];
  for (int64_t chunk = 0; chunk * size < count; ++chunk) {
    texts.resize(static_cast<size_t>(chunk * size));
    const auto place = store->find(join_keys(key, chunks.key_prefix + std::to_string(chunk)));
    if (!place) continue;
    append_chunk(decode_up_to(read_all(*place), chunks.chunk.codecs, most, place->file).span(), texts,
                 place->file);
  }
  texts.resize(static_cast<size_t>(count));
  return texts;
}

}  // namespace

Texts read_texts2(const json& array, const Keys& store, const std::string& key) {
  const std::string where = join_keys(store->name(), key);
  const std::string type = array["dtype"].is_string() ? array["dtype"].get<std::string>() : "";
  if (array["shape"].size() != 1 || type.size() < 2) return std::nullopt;
  json numbers = array;
  numbers["fill_value"] = 0;
  numbers["filters"] = nullptr;
  numbers["dtype"] = type[1] == 'U' ? type.substr(0, 1) + "u4" : "|u1";
  if (type[1] == 'U' || type[1] == 'S')
    return read_fixed(parse_zarr2(numbers, json::object(), "", where), width_of(type), store, key);
  const json filters = array.value("filters", json());
  const bool texts = filters.is_array() && filters.size() == 1 && filters[0].value("id", "") == "vlen-utf8";
  return texts ? read_variable(*parse_zarr2(numbers, json::object(), "", where), store, key) : std::nullopt;
}

Texts read_texts3(const json& array, const Keys& store, const std::string& key) {
  const std::string where = join_keys(store->name(), key);
  if (array["shape"].size() != 1) return std::nullopt;
  const json& type = array["data_type"];
  const std::string name = type.is_object() ? type.value("name", "") : type.get<std::string>();
  const int64_t bytes =
      type.is_object() ? type.value("configuration", json::object()).value("length_bytes", int64_t{0}) : 0;
  json numbers = array;
  numbers["fill_value"] = 0;
  if (name == "string") {
    numbers["data_type"] = "uint8";
    std::erase_if(numbers["codecs"].get_ref<json::array_t&>(), [](const json& codec) {
      return codec.is_object() && codec.value("name", "") == "vlen-utf8";
    });
    const auto chunks = parse_zarr3(numbers, "", where);
    return chunks && !chunks->shard ? read_variable(*chunks, store, key) : std::nullopt;
  }
  const bool points = name == "fixed_length_utf32";
  if (!points && name != "null_terminated_bytes") return std::nullopt;
  numbers["data_type"] = points ? "uint32" : "uint8";
  return read_fixed(parse_zarr3(numbers, "", where), points ? bytes / 4 : bytes, store, key);
}

}  // namespace graticule
