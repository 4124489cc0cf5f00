#include "graticule/recipe/recipe_rules.h"

#include <algorithm>
#include <set>

#include "graticule/core/error.h"
#include "graticule/core/token_grid.h"
#include "graticule/recipe/value_range.h"

namespace graticule {

namespace {

void require(bool good, const std::string& where, const std::string& message) {
  if (!good) refuse(where, message);
}

// Refuses what says something about images where there are none, and words that are unknown.
void check_images(const DataOptions& data, const std::string& where) {
  const ImageLayout& images = data.images;
  const bool globe = !is_image(images.grid);
  require(
      !globe || (images.dimensions.empty() && images.periodic.empty() && data.crop.empty() &&
                 images.level == 0 && images.date_pattern.empty()),
      where,
      R"(data.dimensions, data.periodic, data.level, data.date_pattern and data.crop are for images: set data.grid = "plane" or "volume")");
  const bool dated = globe || !images.date_pattern.empty();
  require(!dated || (data.split.valid == 0 && data.split.test == 0), where,
          "data.split is for samples without dates: give data.valid and data.test, [first, last]");
  std::set<std::string> seen;
  for (const std::string& word : images.dimensions) {
    require(value_named<ImageDimension>(word).has_value() && seen.insert(word).second, where,
            text("data.dimensions names ", word, ": give each of ", words_of<ImageDimension>(),
                 " at most once, the outermost first"));
  }
  for (const char* wanted : {"row", "column", images.grid == GridKind::volume ? "layer" : "row"}) {
    require(images.dimensions.empty() || seen.contains(wanted), where,
            text("data.dimensions has no ", wanted, ": a ", name_of(images.grid), " needs it"));
  }
  const size_t axes = images.grid == GridKind::volume ? 3 : 2;
  require(data.crop.empty() || data.crop.size() == axes, where,
          text("data.crop has ", data.crop.size(), " numbers: a ", name_of(images.grid), " needs ", axes));
  for (const std::string& word : images.periodic)
    require(value_named<GridAxis>(word).has_value() && (axes == 3 || word != "layers"), where,
            text("data.periodic names ", word, ": choose among ", axes == 3 ? R"("layers", )" : "",
                 R"("rows", "columns")"));
}

}  // namespace

void check_rules(const Options& o, const std::string& where) {
  require(!o.data.path.empty(), where,
          "data.path is missing: name a Zarr folder, a NetCDF file or \"synthetic:...\"");
  check_images(o.data, where);
  require(!o.data.lead_hours.empty(), where, "data.lead_hours is empty: give one or more leads in hours");
  for (const auto& [key, range] :
       {std::pair{"train", &o.data.train}, {"valid", &o.data.valid}, {"test", &o.data.test}}) {
    if (is_image(o.data.images.grid) && o.data.images.date_pattern.empty()) break;  // a list of samples
    require(range->empty() || range->size() == 2, where,
            text("data.", key, ": give two times, [first, last]"));
  }
  for (const auto& [key, ends] :
       {std::pair{"latitudes", &o.data.layout.latitudes}, {"longitudes", &o.data.layout.longitudes}}) {
    require(ends->empty() || ends->size() == 2, where,
            text("data.layout.", key, ": give two numbers, [first, last]"));
  }
  const ParallelOptions& p = o.parallel;
  double ranks = 1;
  for (const int64_t degree : {p.data, p.context, p.ulysses, p.tensor, p.pipeline}) {
    ranks *= static_cast<double>(std::max<int64_t>(1, degree));
  }
  require(ranks <= most_int, where, text("the degrees of [parallel] make ", ranks, " ranks: choose fewer"));
  require(o.train.min_lr <= o.train.lr, where,
          text("train.min_lr = ", o.train.min_lr, ": it must be at most train.lr = ", o.train.lr));
  require(o.train.state_in.empty() || o.train.device == DeviceKind::cpu, where,
          text("train.state_in = \"", o.train.state_in, "\" with train.device = \"", name_of(o.train.device),
               "\": the update reads its state from the device's memory; leave state_in out, or set "
               "train.moments = \"bf16\" or parallel.shard to make the state smaller"));
  require(o.train.patience == 0 || o.run.eval_every > 0, where,
          text("train.patience = ", o.train.patience, " counts evaluations: set run.eval_every too"));
  require(!o.run.out.empty(), where, "run.out is empty: name a folder for the run");
}

}  // namespace graticule
