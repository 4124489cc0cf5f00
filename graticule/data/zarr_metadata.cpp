#include "graticule/data/zarr_metadata.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/stored_marks.h"
#include "graticule/data/zarr_codec_names.h"
#include "graticule/data/zarr_json.h"

namespace graticule {

namespace {

using nlohmann::json;

void check_shapes(const ZarrMetadata& array, const std::string& where) {
  const auto positive = [](int64_t n) { return n > 0; };
  for (const int64_t n : array.header.shape) {
    if (n < 0) fail(where, "a dimension of ", n, " values: write its metadata anew");
  }
  const std::vector<int64_t>& chunk = array.chunk.shape;
  if (chunk.size() != array.header.shape.size() || !std::all_of(chunk.begin(), chunk.end(), positive)) {
    fail(where, "chunks of ", chunk.size(), " dimensions, or of size 0, for an array of dimension ",
         array.header.shape.size());
  }
  auto bytes = static_cast<double>(size_of(array.header.type));
  for (const int64_t n : chunk) bytes *= static_cast<double>(n);
  if (bytes > 16e9) refuse(where, "chunks of ", bytes / 1e9, " GB: rewrite the store with smaller ones");
}

// Adds the marks of missing values as the filters store them, then drops bitround, which needs no decoding.
void settle_marks(ZarrMetadata& array, const std::string& where) {
  Packing& packing = array.header.packing;
  packing.names_nan |= std::isnan(array.fill);
  std::vector<ByteCodec>& codecs = array.chunk.codecs;
  if (auto note = add_filtered_marks(packing, array.header.type, codecs, where))
    array.notes.push_back(std::move(*note));
  std::erase_if(codecs, [](const ByteCodec& codec) {
    return codec.kind == ByteCodec::Kind::number && codec.filter.kind == NumberFilter::Kind::round;
  });
}

// ---- format 2

// An array of dates (M8[s]) or spans of time (m8[h]) is one of integers, counted in its unit.
struct DateType {
  std::string unit;  // "seconds"
  double count = 1;  // of `M8[10s]`: 10
  bool span = false;
};

std::optional<DateType> date_type_of(const std::string& unit, double count, bool span) {
  static const std::map<std::string, std::string> units = {
      {"D", "days"},          {"h", "hours"},         {"m", "minutes"},     {"s", "seconds"},
      {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}};
  const auto found = units.find(unit);
  if (found == units.end() || count < 1) return std::nullopt;
  return DateType{found->second, count, span};
}

// Gives an array of dates the attributes of CF, unless it has units already.
void describe_date(ArrayHeader& header, const DateType& date) {
  if (!header.attributes.contains("units"))
    header.attributes["units"] = date.span ? date.unit : date.unit + " since 1970-01-01";
  if (!date.span) header.attributes["calendar"] = "proleptic_gregorian";
  header.packing.scale *= date.count;
  header.packing.missing.push_back(static_cast<double>(INT64_MIN));  // "not a time"
}

// "<M8[10s]" -> its unit and count; nothing for another type, and for months and years.
std::optional<DateType> date_type2(const std::string& name) {
  if (name.size() < 6 || (name.substr(1, 3) != "M8[" && name.substr(1, 3) != "m8[") || name.back() != ']')
    return std::nullopt;
  const std::string inside = name.substr(4, name.size() - 5);
  const size_t digits = std::min(inside.find_first_not_of("0123456789"), size_t{9});
  if (digits >= inside.size()) return std::nullopt;
  const double count = digits > 0 ? std::stod(inside.substr(0, digits)) : 1;
  return date_type_of(inside.substr(digits), count, name[1] == 'm');
}

bool is_no_number2(const std::string& name) {
  return name.size() >= 2 && std::string("OUSVMmc").find(name[1]) != std::string::npos;
}

// ---- format 3

std::optional<NumberType> number_type3(const json& type, const std::string& where) {
  static const std::map<std::string, NumberType> known = {
      {"float16", NumberType::f2}, {"float32", NumberType::f4}, {"float64", NumberType::f8},
      {"int8", NumberType::i1},    {"int16", NumberType::i2},   {"int32", NumberType::i4},
      {"int64", NumberType::i8},   {"uint8", NumberType::u1},   {"uint16", NumberType::u2},
      {"uint32", NumberType::u4},  {"uint64", NumberType::u8},  {"bool", NumberType::u1}};
  const std::string name = type.is_object() ? type.value("name", "") : type.get<std::string>();
  if (const auto found = known.find(name); found != known.end()) return found->second;
  for (const char* other : {"string", "utf32", "bytes", "datetime", "timedelta", "struct", "complex"}) {
    if (name.find(other) != std::string::npos) return std::nullopt;
  }
  refuse(where, "unknown data type ", type.dump(), ": known are float16 to 64, int8 to 64 and uint8 to 64");
}

json configuration_of(const json& codec) { return codec.value("configuration", json::object()); }

// {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}
std::optional<DateType> date_type3(const json& type) {
  if (!type.is_object()) return std::nullopt;
  const std::string name = type.value("name", "");
  if (name != "numpy.datetime64" && name != "numpy.timedelta64") return std::nullopt;
  const json configuration = configuration_of(type);
  return date_type_of(configuration.value("unit", ""), configuration.value("scale_factor", 1.0),
                      name == "numpy.timedelta64");
}

void add_shard(const json& configuration, ZarrMetadata& array, const std::string& where);

// Marks the numbers that format 3 stores as big-endian: those of the array, or those of its last filter.
void set_byte_order(ZarrMetadata& array, bool swapped) {
  std::vector<ByteCodec>& codecs = array.chunk.codecs;
  const auto last = std::find_if(codecs.rbegin(), codecs.rend(),
                                 [](const auto& c) { return c.kind == ByteCodec::Kind::number; });
  if (last == codecs.rend()) {
    array.chunk.swapped = swapped;
  } else {
    last->filter.encoded.swapped = swapped;
  }
}

// In format 3 the numbers between two filters have this machine's order.
ByteCodec with_native_order(ByteCodec codec) {
  codec.filter.decoded.swapped = codec.filter.encoded.swapped = false;
  return codec;
}

bool has_delta(const ZarrMetadata& array) {
  return std::any_of(array.chunk.codecs.begin(), array.chunk.codecs.end(), [](const ByteCodec& codec) {
    return codec.kind == ByteCodec::Kind::number && codec.filter.kind == NumberFilter::Kind::delta;
  });
}

void add_codec(const json& codec, ZarrMetadata& array, const std::string& where) {
  constexpr std::string_view prefix = "numcodecs.";
  const std::string name = codec.is_object() ? codec.value("name", "") : codec.get<std::string>();
  const json configuration = codec.is_object() ? configuration_of(codec) : json::object();
  if (name == "bytes") {
    const bool little = configuration.value("endian", "little") == "little";
    set_byte_order(array, little != (std::endian::native == std::endian::little));
  } else if (name == "transpose") {
    if (has_delta(array)) refuse(where, "filter 'delta' before a transpose: rewrite the store without it");
    array.chunk.storage = required(configuration, "order", where).get<std::vector<size_t>>();
    std::vector<size_t> sorted = array.chunk.storage;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != row_major(array.header.shape.size()))
      fail(where,
           "codec transpose has an order that is no permutation of its dimensions: ", configuration.dump());
  } else if (name == "sharding_indexed") {
    add_shard(configuration, array, where);
  } else if (array.shard) {
    refuse(where, "codec '", name, "' around shards cannot be read: rewrite the store without it");
  } else if (name == "crc32c") {
    array.chunk.codecs.push_back({ByteCodec::Kind::crc32c, 1, {}});
  } else {
    const std::string own = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    array.chunk.codecs.push_back(with_native_order(codec_of(own, configuration, where)));
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
  double chunks = 1;
  for (size_t d = 0; d < shard.shape.size(); ++d) {
    if (shard.shape[d] % array.chunk.shape[d] != 0)
      fail(where, "the shape of its shards is no multiple of its chunks': write it anew");
    const int64_t along = shard.shape[d] / array.chunk.shape[d];
    chunks *= static_cast<double>(along);
  }
  constexpr double most = 1 << 26;
  if (chunks > most) refuse(where, "shards of ", chunks, " chunks: rewrite the store with larger chunks");
  for (const json& codec : required(configuration, "codecs", where)) {
    if (codec.is_object() && codec.value("name", "") == "sharding_indexed")
      refuse(where, "shards in shards cannot be read: rewrite the store with shards of chunks");
    add_codec(codec, array, where);
  }
  array.shard = shard;
}

double parse_fill3(const json& fill, NumberType type, const std::string& where) {
  if (!fill.is_string() || !fill.get_ref<const std::string&>().starts_with("0x"))
    return parse_fill(fill, where);
  // The bits of the number in hexadecimal, most significant first.
  const std::string digits = fill.get<std::string>().substr(2);
  const char* end = digits.data() + digits.size();
  uint64_t bits = 0;
  if (const auto [stop, error] = std::from_chars(digits.data(), end, bits, 16);
      error != std::errc() || stop != end)
    refuse(where, "fill value ", fill.dump(), ": expected hexadecimal digits after 0x");
  std::vector<std::byte> number(size_of(type));
  for (size_t i = 0; i < number.size(); ++i) number[i] = static_cast<std::byte>(bits >> 8 * i);
  if constexpr (std::endian::native == std::endian::big) std::reverse(number.begin(), number.end());
  return to_doubles(number, type)[0];
}

}  // namespace

std::optional<ZarrMetadata> parse_zarr2(const json& array, const json& attributes, const std::string& name,
                                        const std::string& where) {
  const json& data_type = required(array, "dtype", where);
  const std::string dtype = data_type.is_string() ? data_type.get<std::string>() : "";
  const std::optional<DateType> date = date_type2(dtype);
  const std::optional<StoredNumber> number = number_of(date ? json(dtype.substr(0, 1) + "i8") : data_type);
  if (!number && is_no_number2(dtype)) return std::nullopt;
  if (!number)
    refuse(where, "unknown data type ", data_type.dump(), ": known are f2, f4, f8, i1 to i8 and u1 to u8");
  const NumberType type = number->type;
  ZarrMetadata result;
  result.header = {name,       where, type, {}, required(array, "shape", where).get<std::vector<int64_t>>(),
                   attributes, {}};
  if (attributes.contains("_ARRAY_DIMENSIONS")) {
    result.header.dimensions = attributes["_ARRAY_DIMENSIONS"].get<std::vector<std::string>>();
  }
  result.chunk.shape = required(array, "chunks", where).get<std::vector<int64_t>>();
  result.chunk.storage = row_major(result.header.shape.size());
  if (array.value("order", "C") == "F")
    std::reverse(result.chunk.storage.begin(), result.chunk.storage.end());
  result.chunk.swapped = number->swapped;
  json codecs = array.value("filters", json()).is_array() ? array["filters"] : json::array();
  if (const json compressor = array.value("compressor", json()); !compressor.is_null())
    codecs.push_back(compressor);
  for (const json& codec : codecs)
    result.chunk.codecs.push_back(codec_of(codec.value("id", ""), codec, where));
  // Old nested stores do not name their separator "/"; a folder "0" shows it.
  const bool nested = !array.contains("dimension_separator") && result.header.shape.size() > 1 &&
                      !where.starts_with("/vsi") && is_folder(where + "/0");
  result.key_separator = nested ? "/" : array.value("dimension_separator", ".");
  result.header.packing = packing_of(attributes, type, where);
  if (date) describe_date(result.header, *date);
  json fill = array.value("fill_value", json());
  if (date && fill == "NaT") fill = INT64_MIN;
  if (!fill.is_null()) {
    result.fill = parse_fill(fill, where);
    // xarray takes the fill value of format 2 as CF's _FillValue. This is not done for coordinates (one
    // dimension): zarr writes fill value 0 by default, and a time or a longitude may be 0. Nor for booleans, where half
    // of all values would be missing.
    if (result.fill == result.fill && result.header.shape.size() > 1 && !dtype.ends_with("b1"))
      result.header.packing.missing.push_back(result.fill);
  }
  settle_marks(result, where);
  check_shapes(result, where);
  return result;
}

std::optional<ZarrMetadata> parse_zarr3(const json& array, const std::string& name,
                                        const std::string& where) {
  const json& data_type = required(array, "data_type", where);
  const std::optional<DateType> date = date_type3(data_type);
  const std::optional<NumberType> type = date ? NumberType::i8 : number_type3(data_type, where);
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
  const json& fill = required(array, "fill_value", where);
  result.fill = date && fill == "NaT" ? static_cast<double>(INT64_MIN) : parse_fill3(fill, *type, where);
  result.header.packing = packing_of(result.header.attributes, *type, where);
  settle_marks(result, where);
  if (date) describe_date(result.header, *date);
  return result;
}

}  // namespace graticule
