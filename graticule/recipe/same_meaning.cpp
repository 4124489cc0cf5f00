#include "graticule/recipe/same_meaning.h"

#include <fmt/format.h>

#include "graticule/core/error.h"

namespace graticule {

namespace {

std::string value_text(bool value) { return value ? "true" : "false"; }
std::string value_text(int64_t value) { return std::to_string(value); }
std::string value_text(double value) { return fmt::format("{}", value); }  // the shortest text that is exact
std::string value_text(const std::string& value) { return '"' + value + '"'; }

template <class T>
std::string value_text(const std::vector<T>& values) {
  std::string list;
  for (const T& value : values) list += (list.empty() ? "" : ", ") + value_text(value);
  return "[" + list + "]";
}

std::string value_text(const Patch& patch) { return in_words(patch); }

std::string value_text(const LossWeights& weights) {
  if (weights.by_name.empty()) return value_text(std::string(name_of(weights.rule)));
  std::string table;
  for (const auto& [name, weight] : weights.by_name)
    table += (table.empty() ? "" : ", ") + value_text(name) + " = " + value_text(weight);
  return "{" + table + "}";
}

// Lists every key with its value as text.
class Listing {
 public:
  explicit Listing(Options options) {
    // kv_heads has two spellings of the same value: 0, and as many as heads.
    if (options.model.kv_heads == options.model.heads) options.model.kv_heads = 0;
    visit_fields(*this, options);
  }

  void section(const char* name) { section_ = name; }
  template <class T>
  void field(const char* key, KeyKind kind, const T& value, const ValueRange& = {}) {
    keys.push_back({section_ + "." + key, kind, value_text(value)});
  }
  template <class Enum>
  void choice(const char* key, KeyKind kind, const Enum& value) {
    field(key, kind, std::string(name_of(value)));
  }

  struct Key {
    std::string name;
    KeyKind kind;
    std::string value;
  };
  std::vector<Key> keys;

 private:
  std::string section_;
};

}  // namespace

std::vector<KeyChange> changes_between(const Options& before, const Options& now) {
  const Listing old(before), fresh(now);
  std::vector<KeyChange> changes;
  for (size_t i = 0; i < old.keys.size(); ++i) {
    const auto& [name, kind, value] = old.keys[i];
    if (value != fresh.keys[i].value) changes.push_back({name, kind, value, fresh.keys[i].value});
  }
  return changes;
}

void refuse_another_meaning(const std::string& checkpoint, const Options& trained, const Options& now,
                            TakenUp purpose) {
  std::string differing;
  bool leads = false;
  for (const KeyChange& change : changes_between(trained, now)) {
    if (change.kind != KeyKind::meaning) continue;
    differing += text(differing.empty() ? "" : "; ", change.key, " = ", change.before, ", the recipe has ",
                      change.now);
    leads = leads || change.key == "data.lead_hours";
  }
  if (differing.empty()) return;
  std::string way_out =
      purpose == TakenUp::to_train ? "give the recipe the checkpoint's values" : "leave them out of --set";
  if (leads && purpose == TakenUp::to_use)
    way_out += text(", choose a lead with --lead, one of ", value_text(trained.data.lead_hours));
  refuse("checkpoint", checkpoint, " was trained with ", differing,
         ": its weights mean nothing under other values; ", way_out, ", or train anew into another run.out");
}

void take_unnamed_form(const Options& trained, Options& now) {
  const auto take = [&](const char* key, auto member) {
    if (!now.named.contains(key)) now.model.*member = trained.model.*member;
  };
  take("model.place", &ModelOptions::place);
  take("model.qk_norm", &ModelOptions::qk_norm);
  take("model.qk_variables", &ModelOptions::qk_variables);
  take("model.lead_std", &ModelOptions::lead_std);
}

std::vector<std::string> course_changes(const Options& trained, const Options& now) {
  std::vector<std::string> sentences;
  for (const KeyChange& change : changes_between(trained, now)) {
    if (change.kind == KeyKind::course)
      sentences.push_back(text(change.key, " ", change.before, " -> ", change.now));
  }
  return sentences;
}

}  // namespace graticule
