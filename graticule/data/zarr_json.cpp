#include "graticule/data/zarr_json.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Puts quotes around NaN and the infinities where they are not inside a text. Returns "" where lists are nested deeper
// than any metadata: the JSON library copies and prints them by calls inside calls, which a full stack would end.
std::string with_quoted_words(std::string_view text) {
  constexpr int deepest = 256;
  int depth = 0;
  constexpr std::array<std::string_view, 3> words = {"-Infinity", "Infinity", "NaN"};
  std::string quoted;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (inside && text[i] == '\\' && i + 1 < text.size()) {
      quoted += text[i++];
    } else if (text[i] == '"') {
      inside = !inside;
    } else if (!inside) {
      if (text[i] == '[' || text[i] == '{') ++depth;
      if (text[i] == ']' || text[i] == '}') --depth;
      if (depth > deepest) return "";
      const auto word =
          std::find_if(words.begin(), words.end(), [&](auto w) { return text.substr(i).starts_with(w); });
      if (word != words.end()) {
        quoted += '"' + std::string(*word) + '"';
        i += word->size() - 1;
        continue;
      }
    }
    quoted += text[i];
  }
  return quoted;
}

}  // namespace

nlohmann::json parse_zarr_json(const std::string& text, const std::string& where) {
  nlohmann::json json = nlohmann::json::parse(with_quoted_words(text), nullptr, false);
  if (json.is_discarded()) fail("zarr", where, " is no JSON (cut off?): copy it again");
  return json;
}

std::optional<nlohmann::json> read_zarr_json(const KeyStore& store, const std::string& key) {
  const std::optional<std::string> text = read_text(store, key);
  if (!text) return std::nullopt;
  const std::string where = store.name() + "/" + key;
  nlohmann::json parsed = parse_zarr_json(*text, where);
  if (!parsed.is_object()) fail("zarr", where, " is no JSON object: copy it again");
  return parsed;
}

const nlohmann::json& required(const nlohmann::json& object, const char* key, const std::string& where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end())
    fail("zarr", where, " lacks \"", key, "\", which the specification asks for: write it anew");
  return *found;
}

}  // namespace graticule
