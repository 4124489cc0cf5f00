#include "graticule/data/packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "graticule/core/error.h"
#include "graticule/data/number_types.h"

namespace graticule {

namespace {

template <class Number>
double load(const std::byte* stored, size_t index) {
  Number number;
  std::memcpy(&number, stored + index * sizeof(Number), sizeof(Number));
  return static_cast<double>(number);
}

std::vector<uint8_t> decode_base64(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char letter : text.substr(0, text.find('='))) {
    const size_t digit = alphabet.find(letter);
    if (digit == std::string_view::npos) return {};
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8) bytes.push_back(static_cast<uint8_t>(bits >> (held -= 8)));
  }
  return bytes;
}

// A missing value from an attribute; nothing for a text that is no number.
std::optional<double> parse_missing(const nlohmann::json& value, std::string_view where) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_string()) return parse_fill(value, where);
  const auto& text = value.get_ref<const std::string&>();
  if (const std::vector<uint8_t> bytes = decode_base64(text); text.size() == 12 && bytes.size() == 8) {
    double number = 0;
    std::memcpy(&number, bytes.data(), 8);
    return number;
  }
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);  // also reads nan and inf
  const bool all =
      end != text.c_str() && text.find_first_not_of(' ', end - text.c_str()) == std::string::npos;
  return all ? std::optional(number) : std::nullopt;
}

// The offset that `_Unsigned` implies: the stored bytes are numbers of the other signedness (NetCDF best
// practices).
double wrap_of(const nlohmann::json& attributes, NumberType type) {
  const auto found = attributes.find("_Unsigned");
  if (found == attributes.end() || !found->is_string()) return 0;
  const std::string word = found->get<std::string>();
  const bool is_unsigned = word == "true" || word == "True" || word == "TRUE";
  const bool is_signed = word == "false" || word == "False" || word == "FALSE";
  const auto values = [&] { return std::ldexp(1.0, static_cast<int>(8 * size_of(type))); };
  switch (type) {
    case NumberType::i1:
    case NumberType::i2:
    case NumberType::i4:
      return is_unsigned ? values() : 0;
    case NumberType::u1:
    case NumberType::u2:
    case NumberType::u4:
      return is_signed ? -values() : 0;
    default:
      return 0;
  }
}

double wrapped(double value, double wrap) {
  if (wrap > 0) return value < 0 ? value + wrap : value;
  return wrap < 0 && value >= -wrap / 2 ? value + wrap : value;
}

double physical(double as_stored, const Packing& packing) {
  const double value = wrapped(as_stored, packing.wrap);
  for (const double mark : packing.missing) {
    if (mark == as_stored || mark == value) return std::numeric_limits<double>::quiet_NaN();
  }
  return value * packing.scale + packing.offset;
}

double number_or(const nlohmann::json& attributes, const char* name, double otherwise,
                 std::string_view where) {
  if (!attributes.contains(name)) return otherwise;
  const nlohmann::json& value = attributes[name];
  const nlohmann::json& first = value.is_array() && value.size() == 1 ? value[0] : value;
  if (!first.is_number() || !std::isfinite(first.get<double>()))
    refuse(where, name, " is ", value.dump(), ": expected one number");
  return first.get<double>();
}

}  // namespace

size_t size_of(NumberType type) {
  return with_number_type(type, [](auto number) { return sizeof(number); });
}

double parse_fill(const nlohmann::json& fill, std::string_view where) {
  if (fill.is_number()) return fill.get<double>();
  if (fill.is_boolean()) return fill.get<bool>() ? 1 : 0;
  if (fill == "NaN" || fill == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (fill == "Infinity") return HUGE_VAL;
  if (fill == "-Infinity") return -HUGE_VAL;
  refuse(where, "fill value ", fill.dump(), R"(: expected a number, "NaN", "Infinity" or "-Infinity")");
}

Packing packing_of(const nlohmann::json& attributes, NumberType type, std::string_view where) {
  Packing packing;
  packing.scale = number_or(attributes, "scale_factor", 1, where);
  packing.offset = number_or(attributes, "add_offset", 0, where);
  packing.wrap = wrap_of(attributes, type);
  for (const char* name : {"_FillValue", "missing_value"}) {
    if (!attributes.contains(name)) continue;
    const nlohmann::json& value = attributes[name];
    for (const nlohmann::json& one : value.is_array() ? value : nlohmann::json::array({value})) {
      const std::optional<double> missing = parse_missing(one, where);
      if (!missing) continue;
      // On an fp32 array, an attribute in double means the nearest fp32.
      packing.missing.push_back(type == NumberType::f4 ? static_cast<double>(static_cast<float>(*missing))
                                                       : *missing);
    }
  }
  // NaN is NaN already, so it needs no mark.
  packing.names_nan = std::erase_if(packing.missing, [](double missing) { return std::isnan(missing); }) > 0;
  return packing;
}

bool is_plain(NumberType type, const Packing& packing) {
  return type == NumberType::f4 && packing.missing.empty() && packing.scale == 1 && packing.offset == 0;
}

void unpack(std::span<const std::byte> stored, NumberType type, const Packing& packing,
            std::span<float> out) {
  GRATICULE_CHECK(stored.size() == out.size() * size_of(type), stored.size(), " bytes");
  if (is_plain(type, packing)) {
    std::memcpy(out.data(), stored.data(), stored.size());
    return;
  }
  // The usual case: at most two marks of missing values, compared without a branch in the loop.
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double>& marks = packing.missing;
  const bool usual = packing.wrap == 0 && marks.size() <= 2;
  const double first = marks.empty() ? nan : marks[0], second = marks.size() < 2 ? first : marks[1];
  const double scale = packing.scale, offset = packing.offset;
  with_number_type(type, [&](auto number) {
    for (size_t i = 0; usual && i < out.size(); ++i) {
      const double value = load<decltype(number)>(stored.data(), i);
      const bool missing = (value == first) | (value == second);
      out[i] = static_cast<float>(missing ? nan : value * scale + offset);
    }
    for (size_t i = 0; !usual && i < out.size(); ++i)
      out[i] = static_cast<float>(physical(load<decltype(number)>(stored.data(), i), packing));
  });
}

std::vector<double> unpack_doubles(std::span<const std::byte> stored, NumberType type,
                                   const Packing& packing) {
  std::vector<double> values = to_doubles(stored, type);
  for (double& value : values) value = physical(value, packing);
  return values;
}

std::vector<double> to_doubles(std::span<const std::byte> stored, NumberType type) {
  std::vector<double> values(stored.size() / size_of(type));
  with_number_type(type, [&](auto number) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = load<decltype(number)>(stored.data(), i);
  });
  return values;
}

void swap_bytes(std::span<std::byte> numbers, size_t width) {
  if (width == 1) return;
  for (size_t i = 0; i + width <= numbers.size(); i += width) {
    std::reverse(numbers.begin() + static_cast<std::ptrdiff_t>(i),
                 numbers.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
}

}  // namespace graticule
