#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace graticule {

namespace {

// Values that a number or a text of JSON or of an npy header may be replaced by.
constexpr std::array<std::string_view, 24> words = {"0",
                                                    "1",
                                                    "-1",
                                                    "255",
                                                    "65536",
                                                    "2147483648",
                                                    "4294967295",
                                                    "9223372036854775807",
                                                    "18446744073709551615",
                                                    "1e9",
                                                    "1e400",
                                                    "0.5",
                                                    "NaN",
                                                    "null",
                                                    "true",
                                                    "[]",
                                                    "{}",
                                                    "[[]]",
                                                    "\"\"",
                                                    "\"<f4\"",
                                                    "\"|S9\"",
                                                    "\"-\"",
                                                    "\"0x\"",
                                                    "\"numcodecs.zlib\""};

constexpr std::array<uint64_t, 12> numbers = {
    0,         1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, uint64_t{1} << 40,
    UINT64_MAX};

void flip_bit(std::string& bytes, Random& random) {
  if (!bytes.empty()) bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
}

void set_byte(std::string& bytes, Random& random) {
  if (!bytes.empty()) bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
}

// A binary number, in either byte order.
void set_number(std::string& bytes, Random& random) {
  const size_t width = size_t{1} << random.below(4), at = random.below(bytes.size());
  const bool big = random.below(2) == 0;
  const uint64_t number =
      random.below(4) == 0 ? bytes.size() + random.below(5) - 2 : numbers[random.below(numbers.size())];
  for (size_t i = 0; i < width && at + i < bytes.size(); ++i)
    bytes[at + i] = static_cast<char>(number >> 8 * (big ? width - 1 - i : i));
}

void erase_part(std::string& bytes, Random& random) {
  const size_t at = random.below(bytes.size());
  bytes.erase(at, 1 + random.below(std::min<size_t>(bytes.size(), 64)));
}

void cut_off(std::string& bytes, Random& random) { bytes.resize(random.below(bytes.size())); }

void copy_part(std::string& bytes, const std::string& other, Random& random) {
  const std::string part = other.substr(random.below(other.size()), 1 + random.below(64));
  const size_t at = random.below(bytes.size());
  random.below(2) == 0 ? bytes.insert(at, part) : bytes.replace(at, part.size(), part);
}

// Replaces a number or a quoted text that starts behind a random place.
void set_word(std::string& bytes, Random& random) {
  const size_t at = bytes.find_first_of("\"-0123456789", random.below(bytes.size()));
  if (at == std::string::npos) return;
  size_t end =
      bytes[at] == '"' ? bytes.find('"', at + 1) : bytes.find_first_not_of("-+.eE0123456789", at + 1);
  if (end == std::string::npos) end = bytes.size();
  if (end < bytes.size() && bytes[at] == '"') ++end;
  bytes.replace(at, end - at, words[random.below(words.size())]);
}

}  // namespace

std::string mutated(std::string bytes, const std::string& other, Random& random) {
  for (size_t changes = 1 + random.below(6); changes > 0; --changes) {
    switch (random.below(9)) {
      case 0:
        flip_bit(bytes, random);
        break;
      case 1:
        set_byte(bytes, random);
        break;
      case 2:
      case 3:
        set_number(bytes, random);
        break;
      case 4:
        erase_part(bytes, random);
        break;
      case 5:
        if (random.below(4) == 0 && !bytes.empty()) cut_off(bytes, random);
        break;
      case 6:
        copy_part(bytes, other, random);
        break;
      default:
        if (!bytes.empty()) set_word(bytes, random);
    }
  }
  return bytes;
}

}  // namespace graticule
