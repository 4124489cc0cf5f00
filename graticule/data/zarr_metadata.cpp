#include "graticule/data/zarr_metadata.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_json.h"

namespace graticule {

namespace {

using nlohmann::json;

void check_shapes(const ZarrMetadata& array, const std::string& where) {
  const auto positive = [](int64_t n) { return n > 0; };
  const std::vector<int64_t>& chunk = array.chunk.shape;
  if (chunk.size() != array.header.shape.size() || !std::all_of(chunk.begin(), chunk.end(), positive)) {
    fail(where, "chunks of ", chunk.size(), " dimensions, or of size 0, for an array of dimension ",
         array.header.shape.size());
  }
  auto bytes = static_cast<double>(size_of(array.header.type));
  for (const int64_t n : chunk) bytes *= static_cast<double>(n);
  if (bytes > 16e9) refuse(where, "chunks of ", bytes / 1e9, " GB: rewrite the store with smaller ones");
}

// CF units of numpy's datetime64 in this unit; "" for one without a fixed length.
std::string units_of_dates(const std::string& unit) {
  static const std::map<std::string, std::string> known = {
      {"s", "seconds"}, {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"},
      {"m", "minutes"}, {"h", "hours"},         {"D", "days"}};
  const auto found = known.find(unit);
  return found == known.end() ? "" : found->second + " since 1970-01-01";
}

// Makes an array of dates out of one of whole numbers.
void make_dates(ArrayHeader& header, const std::string& units) {
  header.attributes["units"] = units;
  header.attributes["calendar"] = "proleptic_gregorian";
  header.packing.missing.push_back(static_cast<double>(std::numeric_limits<int64_t>::min()));  // not a time
}

// ---- format 2

// The units of dates ("<M8[s]"), or "" for any other type.
std::string units_of_dates2(const json& type) {
  const std::string name = type.is_string() ? type.get<std::string>() : "";
  const bool dates = name.size() > 5 && name.substr(1, 3) == "M8[";
  return dates ? units_of_dates(name.substr(4, name.size() - 5)) : "";
}

std::optional<NumberType> number_type2(const json& type, const std::string& where) {
  static const std::map<std::string, NumberType> known = {
      {"f2", NumberType::f2}, {"f4", NumberType::f4}, {"f8", NumberType::f8}, {"i1", NumberType::i1},
      {"i2", NumberType::i2}, {"i4", NumberType::i4}, {"i8", NumberType::i8}, {"u1", NumberType::u1},
      {"u2", NumberType::u2}, {"u4", NumberType::u4}, {"u8", NumberType::u8}, {"b1", NumberType::u1}};
  const std::string name = type.is_string() ? type.get<std::string>() : "";
  const auto found = name.size() == 3 ? known.find(name.substr(1)) : known.end();
  if (found != known.end()) return found->second;
  if (!units_of_dates2(type).empty()) return NumberType::i8;
  if (name.size() >= 2 && std::string("OUSVMm").find(name[1]) != std::string::npos) return std::nullopt;
  refuse(where, "unknown data type ", type.dump(), ": known are f2, f4, f8, i1 to i8 and u1 to u8");
}

std::vector<ByteCodec> compressor2(const json& compressor, const std::string& where) {
  static const std::map<std::string, ByteCodec> known = {{"blosc", ByteCodec::blosc},
                                                         {"zstd", ByteCodec::zstd},
                                                         {"zlib", ByteCodec::zlib},
                                                         {"gzip", ByteCodec::gzip}};
  if (compressor.is_null()) return {};
  const std::string id = compressor.value("id", "");
  const auto found = known.find(id);
  if (found == known.end())
    refuse(where, "unknown codec '", id, "': known are blosc, zstd, zlib, gzip and none");
  return {found->second};
}

// ---- format 3

// The units of dates, or "" for any other type.
std::string units_of_dates3(const json& type) {
  if (!type.is_object() || type.value("name", "") != "numpy.datetime64") return "";
  const json configuration = type.value("configuration", json::object());
  return configuration.value("scale_factor", 1) == 1 ? units_of_dates(configuration.value("unit", "")) : "";
}

std::optional<NumberType> number_type3(const json& type, const std::string& where) {
  static const std::map<std::string, NumberType> known = {
      {"float16", NumberType::f2}, {"float32", NumberType::f4}, {"float64", NumberType::f8},
      {"int8", NumberType::i1},    {"int16", NumberType::i2},   {"int32", NumberType::i4},
      {"int64", NumberType::i8},   {"uint8", NumberType::u1},   {"uint16", NumberType::u2},
      {"uint32", NumberType::u4},  {"uint64", NumberType::u8},  {"bool", NumberType::u1}};
  const std::string name = type.is_object() ? type.value("name", "") : type.get<std::string>();
  if (const auto found = known.find(name); found != known.end()) return found->second;
  if (!units_of_dates3(type).empty()) return NumberType::i8;
  for (const char* other : {"string", "utf32", "bytes", "datetime", "timedelta", "struct"}) {
    if (name.find(other) != std::string::npos) return std::nullopt;
  }
  refuse(where, "unknown data type ", type.dump(), ": known are float16 to 64, int8 to 64 and uint8 to 64");
}

json configuration_of(const json& codec) { return codec.value("configuration", json::object()); }

void add_shard(const json& configuration, ZarrMetadata& array, const std::string& where);

void add_codec(const json& codec, ZarrMetadata& array, const std::string& where) {
  static const std::map<std::string, ByteCodec> byte_codecs = {{"blosc", ByteCodec::blosc},
                                                               {"zstd", ByteCodec::zstd},
                                                               {"gzip", ByteCodec::gzip},
                                                               {"numcodecs.zlib", ByteCodec::zlib},
                                                               {"numcodecs.gzip", ByteCodec::gzip},
                                                               {"numcodecs.zstd", ByteCodec::zstd},
                                                               {"numcodecs.blosc", ByteCodec::blosc},
                                                               {"crc32c", ByteCodec::crc32c}};
  const std::string name = codec.is_object() ? codec.value("name", "") : codec.get<std::string>();
  const json configuration = codec.is_object() ? configuration_of(codec) : json::object();
  if (name == "numcodecs.bitround") {
    // bitround only rounds before encoding; reading need not undo it.
  } else if (const auto found = byte_codecs.find(name); found != byte_codecs.end()) {
    if (array.shard)
      refuse(where, "codec '", name, "' around shards cannot be read: rewrite the store without it");
    array.chunk.codecs.push_back(found->second);
  } else if (name == "bytes") {
    const bool little = configuration.value("endian", "little") == "little";
    array.chunk.swapped = little != (std::endian::native == std::endian::little);
  } else if (name == "transpose") {
    array.chunk.storage = required(configuration, "order", where).get<std::vector<size_t>>();
    std::vector<size_t> sorted = array.chunk.storage;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != row_major(array.header.shape.size()))
      fail(where,
           "codec transpose has an order that is no permutation of its dimensions: ", configuration.dump());
  } else if (name == "sharding_indexed") {
    add_shard(configuration, array, where);
  } else {
    refuse(where, "unknown codec '", name,
           "': known are bytes, transpose, blosc, zstd, gzip, crc32c and sharding_indexed");
  }
}

void add_shard(const json& configuration, ZarrMetadata& array, const std::string& where) {
  if (array.shard || !array.chunk.codecs.empty() ||
      array.chunk.storage != row_major(array.header.shape.size())) {
    refuse(where, "codec 'sharding_indexed' inside or after another codec cannot be read");
  }
  ZarrShard shard{array.chunk.shape, configuration.value("index_location", "end") == "end", false};
  for (const json& codec : required(configuration, "index_codecs", where)) {
    const std::string name = codec.value("name", "");
    if (name == "crc32c") shard.index_has_checksum = true;
    if (name != "crc32c" &&
        (name != "bytes" || configuration_of(codec).value("endian", "little") != "little")) {
      refuse(where, "shard index codec ", codec.dump(), ": known are bytes (little) and crc32c");
    }
  }
  array.chunk.shape = required(configuration, "chunk_shape", where).get<std::vector<int64_t>>();
  check_shapes(array, where);
  for (size_t d = 0; d < shard.shape.size(); ++d) {
    if (shard.shape[d] % array.chunk.shape[d] != 0)
      fail(where, "the shape of its shards is no multiple of its chunks': write it anew");
  }
  for (const json& codec : required(configuration, "codecs", where)) add_codec(codec, array, where);
  array.shard = shard;
}

double parse_fill3(const json& fill, NumberType type, const std::string& where) {
  if (!fill.is_string() || !fill.get_ref<const std::string&>().starts_with("0x"))
    return parse_fill(fill, where);
  // The bits of the number in hexadecimal, most significant first.
  const uint64_t bits = std::stoull(fill.get<std::string>().substr(2), nullptr, 16);
  std::vector<std::byte> number(size_of(type));
  for (size_t i = 0; i < number.size(); ++i) number[i] = static_cast<std::byte>(bits >> 8 * i);
  if constexpr (std::endian::native == std::endian::big) std::reverse(number.begin(), number.end());
  return to_doubles(number, type)[0];
}

}  // namespace

std::optional<ZarrMetadata> parse_zarr2(const json& array, const json& attributes, const std::string& name,
                                        const std::string& where) {
  const json& data_type = required(array, "dtype", where);
  const std::optional<NumberType> type = number_type2(data_type, where);
  if (!type) return std::nullopt;
  ZarrMetadata result;
  result.header = {name,       where, *type, {}, required(array, "shape", where).get<std::vector<int64_t>>(),
                   attributes, {}};
  if (attributes.contains("_ARRAY_DIMENSIONS")) {
    result.header.dimensions = attributes["_ARRAY_DIMENSIONS"].get<std::vector<std::string>>();
  }
  result.chunk.shape = required(array, "chunks", where).get<std::vector<int64_t>>();
  result.chunk.storage = row_major(result.header.shape.size());
  if (array.value("order", "C") == "F")
    std::reverse(result.chunk.storage.begin(), result.chunk.storage.end());
  const bool big = data_type.get<std::string>()[0] == '>';
  result.chunk.swapped = size_of(*type) > 1 && big == (std::endian::native == std::endian::little);
  result.chunk.codecs = compressor2(array.value("compressor", json()), where);
  for (const json& filter : array.value("filters", json()).is_array() ? array["filters"] : json::array()) {
    const std::string id = filter.value("id", "");
    if (id != "bitround")
      refuse(where, "unknown filter '", id, "': known is bitround, which reading need not undo");
  }
  // Old nested stores do not name their separator "/"; a folder "0" shows it.
  const bool nested = !array.contains("dimension_separator") && result.header.shape.size() > 1 &&
                      !where.starts_with("/vsi") && is_folder(where + "/0");
  result.key_separator = nested ? "/" : array.value("dimension_separator", ".");
  result.header.packing = packing_of(attributes, *type, where);
  if (const std::string units = units_of_dates2(data_type); !units.empty()) make_dates(result.header, units);
  const json fill = array.value("fill_value", json());
  if (!fill.is_null()) {
    result.fill = parse_fill(fill, where);
    // xarray takes the fill value of format 2 as CF's _FillValue. This is not done for coordinates (one
    // dimension): zarr writes fill value 0 by default, and a time or a longitude may be 0.
    if (result.fill == result.fill && result.header.shape.size() > 1)
      result.header.packing.missing.push_back(result.fill);
  }
  check_shapes(result, where);
  return result;
}

std::optional<ZarrMetadata> parse_zarr3(const json& array, const std::string& name,
                                        const std::string& where) {
  const std::optional<NumberType> type = number_type3(required(array, "data_type", where), where);
  if (!type) return std::nullopt;
  ZarrMetadata result;
  result.header = {name,
                   where,
                   *type,
                   {},
                   required(array, "shape", where).get<std::vector<int64_t>>(),
                   array.value("attributes", json::object()),
                   {}};
  if (const json names = array.value("dimension_names", json()); names.is_array()) {
    for (const json& one : names)
      result.header.dimensions.push_back(one.is_string() ? one.get<std::string>() : "");
  }
  // Programs that wrote format 2 before keep its attribute.
  if (const json names = result.header.attributes.value("_ARRAY_DIMENSIONS", json());
      result.header.dimensions.empty() && names.is_array())
    result.header.dimensions = names.get<std::vector<std::string>>();
  const json& grid = required(array, "chunk_grid", where);
  if (grid.value("name", "") != "regular")
    refuse(where, "unknown chunk grid ", grid.dump(), ": known is regular");
  result.chunk.shape = required(configuration_of(grid), "chunk_shape", where).get<std::vector<int64_t>>();
  result.chunk.storage = row_major(result.header.shape.size());
  const json& keys = required(array, "chunk_key_encoding", where);
  const bool v2 = keys.value("name", "") == "v2";
  if (!v2 && keys.value("name", "") != "default") {
    refuse(where, "unknown chunk key encoding ", keys.dump(), ": known are default and v2");
  }
  result.key_separator = configuration_of(keys).value("separator", v2 ? "." : "/");
  result.key_prefix = v2 ? "" : "c" + result.key_separator;
  result.zero_dimensional_c = !v2;
  check_shapes(result, where);
  for (const json& codec : required(array, "codecs", where)) add_codec(codec, result, where);
  const std::string units = units_of_dates3(array["data_type"]);
  const json& fill = required(array, "fill_value", where);
  result.fill = units.empty() || !fill.is_string() ? parse_fill3(fill, *type, where)
                                                   : static_cast<double>(std::numeric_limits<int64_t>::min());
  result.header.packing = packing_of(result.header.attributes, *type, where);
  if (!units.empty()) make_dates(result.header, units);
  return result;
}

}  // namespace graticule
