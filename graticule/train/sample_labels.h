// Labels of whole samples: a text file of lines `sample,value`, for the tasks classify and regress (task_pooled.cpp).
#pragma once

#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

/// The value of each time of the catalogue, NaN where the file has none. A sample is named as in data.train: by number,
/// by name or pattern, or by its time; a trajectory's value is that of all its steps. A first line without a number is
/// a heading. Refuses a file that cannot be read, a line of another form, and a sample that is not in the data; the
/// message names the line.
std::vector<float> read_sample_labels(const std::string& path, const Catalog& catalog);

}  // namespace graticule
