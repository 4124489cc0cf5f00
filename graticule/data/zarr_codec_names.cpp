#include "graticule/data/zarr_codec_names.h"

#include <bit>
#include <cmath>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/zarr_json.h"

namespace graticule {

namespace {

using nlohmann::json;
using Kind = ByteCodec::Kind;

StoredNumber filter_number(const json& settings, const char* key, const std::string& name,
                           const std::string& where) {
  const json& dtype =
      settings.contains(key) && !settings[key].is_null() ? settings[key] : required(settings, "dtype", where);
  const std::optional<StoredNumber> number = number_of(dtype);
  if (!number || number->type == NumberType::f2)
    refuse(where, "filter '", name, "' of type ", dtype.dump(),
           ": known are f4, f8, i1 to i8 and u1 to u8; rewrite the store without it");
  return *number;
}

// The power of two that numcodecs multiplies by to keep so many decimal digits (quantize.py).
double quantize_scale(double digits) {
  const double exponent = -digits < 0 ? std::floor(-digits) : std::ceil(-digits);
  return std::exp2(std::ceil(std::log2(std::pow(10.0, -exponent))));
}

NumberFilter filter_of(const std::string& name, const json& settings, const std::string& where) {
  NumberFilter filter;
  const bool convert = name == "astype";
  filter.decoded = filter_number(settings, convert ? "decode_dtype" : "dtype", name, where);
  filter.encoded = filter_number(settings, convert ? "encode_dtype" : "astype", name, where);
  if (name == "delta") filter.kind = NumberFilter::Kind::delta;
  if (name == "quantize") {
    filter.kind = NumberFilter::Kind::quantize;
    filter.scale = quantize_scale(required(settings, "digits", where).get<double>());
  }
  if (name != "fixedscaleoffset") return filter;
  filter.kind = NumberFilter::Kind::scale_offset;
  filter.scale = required(settings, "scale", where).get<double>();
  filter.offset = required(settings, "offset", where).get<double>();
  if (!std::isfinite(filter.scale) || filter.scale == 0 || !std::isfinite(filter.offset))
    fail(where, "filter '", name, "' has no finite scale and offset: write the array anew");
  return filter;
}

}  // namespace

std::optional<StoredNumber> number_of(const json& dtype) {
  static const std::map<std::string, NumberType> known = {
      {"f2", NumberType::f2}, {"f4", NumberType::f4}, {"f8", NumberType::f8}, {"i1", NumberType::i1},
      {"i2", NumberType::i2}, {"i4", NumberType::i4}, {"i8", NumberType::i8}, {"u1", NumberType::u1},
      {"u2", NumberType::u2}, {"u4", NumberType::u4}, {"u8", NumberType::u8}, {"b1", NumberType::u1}};
  static const std::map<std::string, std::string> short_names = {
      {"float32", "<f4"}, {"float64", "<f8"}, {"int8", "|i1"},   {"int16", "<i2"},  {"int32", "<i4"},
      {"int64", "<i8"},   {"uint8", "|u1"},   {"uint16", "<u2"}, {"uint32", "<u4"}, {"uint64", "<u8"}};
  if (!dtype.is_string()) return std::nullopt;
  std::string name = dtype.get<std::string>();
  if (const auto full = short_names.find(name); full != short_names.end()) name = full->second;
  if (name.size() == 2) name = "|" + name;
  const auto found = name.size() == 3 ? known.find(name.substr(1)) : known.end();
  if (found == known.end()) return std::nullopt;
  const bool big = name[0] == '>', little = name[0] == '<';
  const bool other = std::endian::native == std::endian::little ? big : little;
  return StoredNumber{found->second, other && size_of(found->second) > 1};
}

ByteCodec codec_of(const std::string& name, const json& settings, const std::string& where) {
  static const std::map<std::string, Kind> compressors = {
      {"blosc", Kind::blosc}, {"zstd", Kind::zstd}, {"zlib", Kind::zlib}, {"gzip", Kind::zlib},
      {"bz2", Kind::bz2},     {"lzma", Kind::lzma}, {"lz4", Kind::lz4},   {"fletcher32", Kind::fletcher32}};
  ByteCodec codec;
  if (const auto found = compressors.find(name); found != compressors.end()) {
    codec.kind = found->second;
    // Raw LZMA (3) does not say how it was packed; .xz (1) and .lzma (2) do.
    constexpr int raw = 3;
    if (codec.kind == Kind::lzma && settings.value("format", 1) == raw)
      refuse(where, "codec 'lzma' of the raw format: known are .xz and .lzma (format 1 and 2)");
  } else if (name == "shuffle") {
    codec.kind = Kind::shuffle;
    codec.width = settings.value("elementsize", size_t{4});
    constexpr size_t most = 255;
    if (codec.width == 0 || codec.width > most)
      fail(where, "filter 'shuffle' has elements of ", codec.width, " bytes: write the array anew");
  } else if (name == "bitround") {
    codec.kind = Kind::number;
    codec.filter.kind = NumberFilter::Kind::round;
    codec.filter.kept_bits = required(settings, "keepbits", where).get<int>();
    if (codec.filter.kept_bits < 0)
      fail(where, "filter 'bitround' keeps ", codec.filter.kept_bits, " bits: write the array anew");
  } else if (name == "delta" || name == "fixedscaleoffset" || name == "quantize" || name == "astype") {
    codec.kind = Kind::number;
    codec.filter = filter_of(name, settings, where);
  } else {
    refuse(
        where, "unknown codec or filter '", name,
        "': known are blosc, zstd, zlib, gzip, bz2, lzma, lz4, shuffle, fletcher32, delta, fixedscaleoffset, "
        "quantize, astype and bitround; rewrite the store with one of these");
  }
  return codec;
}

}  // namespace graticule
