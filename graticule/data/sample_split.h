// Which samples without dates belong to training, validation and test: by a list, or by fractions with a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

/// The samples that a list names: "7" by number, "3-9" from one to another, or a name or pattern of names
/// ("train/*", "a_??.npy"). `key` opens messages. Refuses an entry that names no sample.
TimeRange samples_named(const std::vector<std::string>& list, const Catalog& catalog, const std::string& key);

enum class SplitPart { train, valid, test };
/// Fractions of the samples; training gets what is left.
struct SplitFractions {
  double valid = 0, test = 0;
  int64_t seed = 0;
};
/// The samples of one part: those of the whole in an order drawn by the seed, first the test, then the validation,
/// then the training samples. At least one sample for a fraction above 0. Refuses fractions that leave nothing for
/// training.
TimeRange split_by_fraction(const SplitFractions& split, SplitPart part, const Catalog& catalog);

}  // namespace graticule
