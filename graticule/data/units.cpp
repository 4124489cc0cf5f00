#include "graticule/data/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace graticule {

namespace {

// Spellings of whole units that are no product of factors.
struct Spelling {
  const char *written, *unit;
};
constexpr std::array<Spelling, 16> whole = {{{"", "1"},
                                             {"(0 - 1)", "1"},
                                             {"(0-1)", "1"},
                                             {"0-1", "1"},
                                             {"-", "1"},
                                             {"~", "1"},
                                             {"dimensionless", "1"},
                                             {"unitless", "1"},
                                             {"percent", "%"},
                                             {"per cent", "%"},
                                             {"C", "degC"},
                                             {"deg C", "degC"},
                                             {"degree C", "degC"},
                                             {"degrees C", "degC"},
                                             {"degree Celsius", "degC"},
                                             {"degrees Celsius", "degC"}}};

// Names of factors in small letters, with their symbols. A symbol itself is compared with its capitals.
const std::map<std::string, std::string, std::less<>>& symbols() {
  static const std::map<std::string, std::string, std::less<>> symbols = {
      {"kelvin", "K"},        {"kelvins", "K"},
      {"degk", "K"},          {"deg_k", "K"},
      {"degree_k", "K"},      {"degrees_k", "K"},
      {"degree_kelvin", "K"}, {"degrees_kelvin", "K"},
      {"celsius", "degC"},    {"degc", "degC"},
      {"deg_c", "degC"},      {"degree_c", "degC"},
      {"degrees_c", "degC"},  {"degreec", "degC"},
      {"degreesc", "degC"},   {"degree_celsius", "degC"},
      {"°c", "degC"},         {"degrees_celsius", "degC"},
      {"pascal", "Pa"},       {"pascals", "Pa"},
      {"hectopascal", "hPa"}, {"hectopascals", "hPa"},
      {"mbar", "hPa"},        {"millibar", "hPa"},
      {"millibars", "hPa"},   {"meter", "m"},
      {"meters", "m"},        {"metre", "m"},
      {"metres", "m"},        {"millimeter", "mm"},
      {"millimeters", "mm"},  {"millimetre", "mm"},
      {"millimetres", "mm"},  {"kilometer", "km"},
      {"kilometers", "km"},   {"kilometre", "km"},
      {"kilometres", "km"},   {"second", "s"},
      {"seconds", "s"},       {"sec", "s"},
      {"hour", "h"},          {"hours", "h"},
      {"day", "d"},           {"days", "d"},
      {"gram", "g"},          {"grams", "g"},
      {"kilogram", "kg"},     {"kilograms", "kg"},
      {"joule", "J"},         {"joules", "J"},
      {"watt", "W"},          {"watts", "W"},
      {"newton", "N"},        {"newtons", "N"}};
  return symbols;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\n"), last = text.find_last_not_of(" \t\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

using Factor = std::pair<std::string, int>;  // symbol and power

bool in_a_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '%' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string symbol_of(std::string_view name) {
  std::string small(name);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = symbols().find(small);
  return found == symbols().end() ? std::string(name) : found->second;
}

// Reads a power ("-2", "**-2", "^2") from the front of `rest`: 1 when there is none, nothing when it is no
// whole number.
std::optional<int> take_power(std::string_view& rest) {
  const bool marked = rest.starts_with("**") || rest.starts_with("^");
  if (marked) rest.remove_prefix(rest[0] == '^' ? 1 : 2);
  const bool negative = rest.starts_with("-"), sign = negative || rest.starts_with("+");
  size_t digits = sign ? 1 : 0;
  int power = 0;
  while (digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])) != 0 && power < 100)
    power = 10 * power + (rest[digits++] - '0');
  if (digits == (sign ? 1U : 0U)) return marked || sign ? std::nullopt : std::optional(1);
  rest.remove_prefix(digits);
  return negative ? -power : power;
}

// The factors of a product in sorted order; nothing when the text is no product of names. Factors are not
// cancelled: kg kg-1 is not 1.
std::optional<std::vector<Factor>> factors_of(std::string_view rest) {
  std::vector<Factor> factors;
  bool divides = false, expected = true;
  while (!rest.empty()) {
    if (rest[0] == ' ' || rest[0] == '.' || rest[0] == '*' || rest[0] == '/') {
      if (rest[0] != ' ' && expected) return std::nullopt;
      if (rest[0] == '/') divides = true;
      expected = expected || rest[0] != ' ';
      rest.remove_prefix(1);
      continue;
    }
    const size_t length =
        static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), in_a_name) - rest.begin());
    if (length == 0) return std::nullopt;
    const std::string symbol = symbol_of(rest.substr(0, length));
    rest.remove_prefix(length);
    const auto power = take_power(rest);
    if (!power) return std::nullopt;
    factors.emplace_back(symbol, divides ? -*power : *power);
    divides = expected = false;
  }
  if (expected) return std::nullopt;
  std::sort(factors.begin(), factors.end());
  return factors;
}

}  // namespace

bool same_units(const std::string& a, const std::string& b) {
  const auto unit_of = [](const std::string& text) {
    const std::string unit = trimmed(text);
    for (const auto& [written, stands_for] : whole) {
      if (unit == written) return std::string(stands_for);
    }
    return unit;
  };
  const std::string one = unit_of(a), other = unit_of(b);
  if (one == other) return true;
  const auto factors = factors_of(one);
  return factors && factors == factors_of(other);
}

}  // namespace graticule
