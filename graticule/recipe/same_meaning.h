// Compares a checkpoint's recipe with the recipe that continues from it. Equal names and shapes of parameters
// do not make the same network: with another order of variables, number of heads or kind of prediction, every
// number would be wrong without an error. So the two recipes are compared key by key, both resolved (KeyKind,
// recipe_fields.h).
#pragma once

#include <string>
#include <vector>

#include "graticule/recipe/recipe_fields.h"

namespace graticule {

/// A key whose value differs; both values are written as in a recipe.
struct KeyChange {
  std::string key;  ///< "section.key"
  KeyKind kind;
  std::string before, now;
};

/// The keys that differ between two resolved recipes, in the recipe's order.
std::vector<KeyChange> changes_between(const Options& before, const Options& now);

/// Why a checkpoint is loaded: to train on, or to use it (eval, forecast).
enum class TakenUp { to_train, to_use };

/// Refuses when keys of the kind `meaning` differ. One message lists all of them with both values and what
/// the user can do. `checkpoint`: its folder.
void refuse_another_meaning(const std::string& checkpoint, const Options& trained, const Options& now,
                            TakenUp purpose);

/// Gives the keys of the form of queries and keys that `now` does not name the values of the checkpoint. So a
/// recipe of before the form could be chosen goes on with its run.
void take_unnamed_form(const Options& trained, Options& now);

/// A sentence for each key of the kind `course` that differs: "train.lr 0.001 -> 0.0001".
std::vector<std::string> course_changes(const Options& trained, const Options& now);

}  // namespace graticule
