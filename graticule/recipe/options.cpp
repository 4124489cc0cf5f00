#include "graticule/recipe/options.h"

#include <algorithm>
#include <fstream>
#include <type_traits>

#include "graticule/core/error.h"
#include "graticule/recipe/presets.h"
#include "graticule/recipe/recipe_fields.h"
#include "graticule/recipe/recipe_rules.h"
#include "graticule/recipe/task_rules.h"
#include "graticule/recipe/toml_text.h"

namespace graticule {

namespace {

class Reader {
 public:
  Reader(const toml::table& recipe, std::string where) : recipe_(recipe), where_(std::move(where)) {}

  void section(const char* name) {
    section_ = name;
    keys_of_[name];
    const toml::node* node = recipe_.at_path(name).node();
    if (const size_t dot = section_.find('.'); dot != std::string::npos)
      keys_of_[section_.substr(0, dot)].push_back(section_.substr(dot + 1));
    if (node && !node->is_table()) refuse_value(*node, "", "a table: [" + section_ + "]");
    table_ = node ? node->as_table() : nullptr;
  }

  template <class T>
  void field(const char* key, KeyKind, T& value) {
    static_assert(std::is_same_v<T, bool> || !std::is_arithmetic_v<T>, "a number needs a range");
    if (const toml::node* node = find(key)) read(*node, key, value);
  }
  template <class T>
  void field(const char* key, KeyKind, T& value, const ValueRange& range) {
    const toml::node* node = find(key);
    if (!node) return;
    read(*node, key, value);
    if (!all_in(range, value)) refuse_value(*node, key, range.words());
  }

  template <class Enum>
  void choice(const char* key, KeyKind, Enum& value) {
    if (const toml::node* node = find(key)) value = word<Enum>(*node, key, "");
  }
  template <class Enum>
  void choice(const char* key, KeyKind, std::optional<Enum>& value) {
    const toml::node* node = find(key);
    if (!node) return;
    value.reset();
    if (node->value<std::string_view>() != automatic) value = word<Enum>(*node, key, ", \"auto\"");
  }

  // Refuses sections and keys of the file that no field() or choice() asked for.
  void refuse_unknown() const {
    std::vector<std::string> sections;
    for (const auto& [name, keys] : keys_of_) sections.push_back(name);
    for (const auto& [key, node] : recipe_) {
      const std::string name(key.str());
      const auto known = keys_of_.find(name);
      if (known == keys_of_.end()) {
        refuse(where_, "unknown section [", name, "]: did you mean [", nearest_name(name, sections), "]?");
      }
      refuse_unknown_keys(name, *node.as_table());
    }
  }

 private:
  // Also of the sections within a section.
  void refuse_unknown_keys(const std::string& section, const toml::table& table) const {
    const std::vector<std::string>& known = keys_of_.at(section);
    for (const auto& [key, value] : table) {
      const std::string name(key.str()), inner = section + "." + name;
      if (std::find(known.begin(), known.end(), name) == known.end())
        refuse(where_, "unknown key ", inner, ": did you mean ", section, ".", nearest_name(name, known),
               "?");
      if (keys_of_.contains(inner)) refuse_unknown_keys(inner, *value.as_table());
    }
  }

  const toml::node* find(const char* key) {
    keys_of_[section_].push_back(key);
    return table_ ? table_->get(key) : nullptr;
  }

  [[noreturn]] void refuse_value(const toml::node& node, const std::string& key,
                                 const std::string& wanted) const {
    const bool of_file = node.source().path != nullptr;  // an override has no line
    refuse(where_, section_, key.empty() ? "" : ".", key, " = ", printed(node),
           of_file ? text(" (line ", node.source().begin.line, ")") : "", ": it must be ", wanted);
  }

  static bool all_in(const ValueRange& range, double value) { return range.holds(value); }
  static bool all_in(const ValueRange& range, int64_t value) {
    return range.holds(static_cast<double>(value));
  }
  template <class T>
  static bool all_in(const ValueRange& range, const std::vector<T>& values) {
    return std::all_of(values.begin(), values.end(), [&](T value) { return all_in(range, value); });
  }
  static bool all_in(const ValueRange& range, const Patch& patch) {
    return all_in(range, std::vector{patch.layers, patch.rows, patch.columns});
  }
  static bool all_in(const ValueRange& range, const LossWeights& weights) {
    return std::all_of(weights.by_name.begin(), weights.by_name.end(),
                       [&](const auto& entry) { return all_in(range, entry.second); });
  }

  template <class Enum>
  Enum word(const toml::node& node, const char* key, const char* others) const {
    const auto value = value_named<Enum>(node.is_string() ? **node.as_string() : "");
    if (!value) refuse_value(node, key, "one of " + words_of<Enum>() + others);
    return *value;
  }
  void read(const toml::node& node, const char* key, std::string& value) const {
    if (!node.is_string()) refuse_value(node, key, "a text in quotes");
    value = **node.as_string();
  }
  void read(const toml::node& node, const char* key, bool& value) const {
    if (!node.is_boolean()) refuse_value(node, key, "true or false");
    value = **node.as_boolean();
  }
  void read(const toml::node& node, const char* key, int64_t& value) const {
    if (!node.is_integer()) refuse_value(node, key, "a whole number");
    value = **node.as_integer();
  }
  void read(const toml::node& node, const char* key, double& value) const {
    if (!node.is_number()) refuse_value(node, key, "a number");
    value = *node.value<double>();
  }
  void read(const toml::node& node, const char* key, LossWeights& value) const {
    value = {};
    const auto* table = node.as_table();
    if (!table) value.rule = word<LossRule>(node, key, ", or a table {variable = weight}");
    for (const auto& [name, weight] : table ? *table : toml::table()) {
      if (!weight.is_number()) refuse_value(node, key, "a table of numbers, {variable = weight}");
      value.by_name[std::string(name.str())] = *weight.value<double>();
    }
  }
  void read(const toml::node& node, const char* key, Patch& value) const {
    std::vector<int64_t> sides;
    read(node, key, sides);
    if (sides.empty() || sides.size() > 3)
      refuse_value(node, key, "one number, [rows, columns] or [layers, rows, columns]");
    value = sides.size() == 1   ? Patch(sides[0])
            : sides.size() == 2 ? Patch(1, sides[0], sides[1])
                                : Patch(sides[0], sides[1], sides[2]);
  }
  void read(const toml::node& node, const char* key, std::vector<std::string>& value) const {
    read_list(node, key, value, "a list of texts");
  }
  void read(const toml::node& node, const char* key, std::vector<int64_t>& value) const {
    if (node.is_integer()) {
      value = {**node.as_integer()};
      return;
    }
    read_list(node, key, value, "a whole number or a list of them");
  }
  void read(const toml::node& node, const char* key, std::vector<double>& value) const {
    value.clear();
    const auto* array = node.as_array();
    for (const auto& item : array ? *array : toml::array()) {
      if (const auto number = item.value<double>()) value.push_back(*number);
    }
    if (!array || value.size() != array->size()) refuse_value(node, key, "a list of numbers");
  }
  template <class T>
  void read_list(const toml::node& node, const char* key, std::vector<T>& value, const char* wanted) const {
    if (!node.is_array()) refuse_value(node, key, wanted);
    value.clear();
    for (const auto& item : *node.as_array()) {
      const auto* typed = item.as<T>();
      if (!typed) refuse_value(node, key, wanted);
      value.push_back(**typed);
    }
  }

  const toml::table& recipe_;
  std::string where_;
  std::string section_;
  const toml::table* table_ = nullptr;
  std::map<std::string, std::vector<std::string>> keys_of_;
};

// The table at "section" or "section.section", made where it does not exist. Null where something else is.
toml::table* table_at(toml::table& root, std::string_view path) {
  toml::table* table = &root;
  while (table && !path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    table = table->insert(path.substr(0, dot), toml::table{}).first->second.as_table();
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return table;
}

class Writer {
 public:
  void section(const char* name) { current_ = table_at(root, name); }
  template <class T>
  void field(const char* key, KeyKind, const T& value, const ValueRange& = {}) {
    current_->insert_or_assign(key, value);
  }
  template <class T>
  void field(const char* key, KeyKind, const std::vector<T>& values, const ValueRange& = {}) {
    toml::array array;
    for (const T& value : values) array.push_back(value);
    current_->insert_or_assign(key, std::move(array));
  }
  void field(const char* key, KeyKind kind, const Patch& patch, const ValueRange& range) {
    if (patch == Patch(patch.rows)) return field(key, kind, patch.rows, range);
    std::vector<int64_t> sides = {patch.rows, patch.columns};
    if (patch.layers > 1) sides.insert(sides.begin(), patch.layers);
    field(key, kind, sides, range);
  }
  void field(const char* key, KeyKind kind, const LossWeights& weights, const ValueRange&) {
    if (weights.by_name.empty()) return choice(key, kind, weights.rule);
    toml::table table;
    for (const auto& [name, weight] : weights.by_name) table.insert_or_assign(name, weight);
    current_->insert_or_assign(key, std::move(table));
  }
  template <class Enum>
  void choice(const char* key, KeyKind, const Enum& value) {
    current_->insert_or_assign(key, name_of(value));
  }
  toml::table root;

 private:
  toml::table* current_ = nullptr;
};

// Applies "train.lr=1e-3". The value is TOML; if it is not, it is taken as a text, so quotes may be left out.
void apply_override(toml::table& recipe, const std::string& assignment) {
  const size_t equals = assignment.find('='), dot = assignment.rfind('.', equals);
  if (dot == std::string::npos || equals == std::string::npos) {
    refuse("--set", "'", assignment, "' is not understood: write section.key=value, such as train.lr=1e-3");
  }
  const std::string section = assignment.substr(0, dot), key = assignment.substr(dot + 1, equals - dot - 1);
  const std::string value = assignment.substr(equals + 1);
  toml::table parsed;
  try {
    parsed = parse_toml("value = " + value, "");  // of no file, so messages name no line
  } catch (const std::invalid_argument&) {
    parsed.insert_or_assign("value", value);
  }
  toml::table* table = table_at(recipe, section);
  if (!table) refuse("--set", "'", assignment, "': ", section, " is not a section");
  parsed.get("value")->visit([&](auto& node) { table->insert_or_assign(key, std::move(node)); });
}

// Replaces a preset by its width, depth and heads. In a file, keys named beside the preset have priority. A
// preset that is set by an override (`replace`) has priority over the keys of the file.
void expand_preset(toml::table& recipe, bool replace) {
  const auto name = recipe["model"]["preset"].value<std::string>();
  if (!name || name->empty()) return;
  toml::table& model = *recipe["model"].as_table();
  const Preset& preset = preset_of(*name);
  for (const auto& [key, value] :
       {std::pair{"dim", preset.dim}, {"depth", preset.depth}, {"heads", preset.heads}}) {
    if (replace || !model.contains(key)) model.insert_or_assign(key, value);
  }
}

// Before queries and keys had forms, qk_norm was true or false. A recipe with such a value was written for
// that model and keeps it: keys of the form that it does not name get the values of that time. Recipes in run
// folders and checkpoints name every key, so all of that time have such a value.
void keep_old_form(toml::table& recipe) {
  const auto norm = recipe["model"]["qk_norm"].value_exact<bool>();
  if (!norm) return;
  toml::table& model = *recipe["model"].as_table();
  model.insert_or_assign("qk_norm", name_of(*norm ? QkNorm::layer : QkNorm::none));
  model.insert("place", name_of(PlaceForm::added));
  model.insert("qk_variables", false);
  model.insert("lead_std", 0.02);
}

std::set<std::string> names_in(const toml::table& recipe) {
  std::set<std::string> names;
  for (const auto& [section, node] : recipe) {
    names.insert(std::string(section.str()));
    for (const auto& [key, value] : *node.as_table()) names.insert(text(section.str(), ".", key.str()));
  }
  return names;
}

}  // namespace

Options parse_recipe(const std::string& toml_text, const std::string& where,
                     const std::vector<std::string>& overrides) {
  toml::table recipe = parse_toml(toml_text, where);
  expand_preset(recipe, false);
  for (const auto& assignment : overrides) {
    apply_override(recipe, assignment);
    if (assignment.starts_with("model.preset=")) expand_preset(recipe, true);
  }
  keep_old_form(recipe);
  Options options;
  Reader reader(recipe, where);
  visit_fields(reader, options);
  reader.refuse_unknown();
  options.named = names_in(recipe);
  apply_task(options, where);
  check_rules(options, where);
  return options;
}

Options read_recipe(const std::string& path, const std::vector<std::string>& overrides) {
  std::ifstream file(path);
  if (!file) refuse("recipe", "'", path, "' cannot be read: name an existing TOML file");
  std::stringstream content;
  content << file.rdbuf();
  return parse_recipe(content.str(), path, overrides);
}

std::string to_toml(const Options& options) {
  Options copy = options;
  Writer writer;
  visit_fields(writer, copy);
  std::ostringstream stream;
  stream << writer.root << "\n";
  return stream.str();
}

}  // namespace graticule
