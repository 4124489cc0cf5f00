// A checkpoint under a recipe. Parameters of the same names and shapes do not make the same network: with
// another order of variables, number of heads or kind of prediction every number would be wrong in silence.
// So the recipes themselves are compared, both resolved, key by key (KeyKind, recipe_fields.h).
#pragma once

#include <string>
#include <vector>

#include "graticule/recipe/recipe_fields.h"

namespace graticule {

/// A key whose value differs, the values as they would stand in a recipe.
struct KeyChange {
  std::string key;  ///< "section.key"
  KeyKind kind;
  std::string before, now;
};

/// What differs between two resolved recipes, in the recipe's order.
std::vector<KeyChange> changes_between(const Options& before, const Options& now);

/// What a checkpoint is taken up for.
enum class TakenUp { to_train, to_use };

/// Refuses, in one message with every key of meaning that differs, both its values and the way out.
/// `checkpoint`: its folder.
void refuse_another_meaning(const std::string& checkpoint, const Options& trained, const Options& now,
                            TakenUp purpose);

/// The keys of course that differ, a sentence each: "train.lr 0.001 -> 0.0001".
std::vector<std::string> course_changes(const Options& trained, const Options& now);

}  // namespace graticule
