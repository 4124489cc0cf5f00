// Tests the refusal of data on another grid, or in other units, than those of a checkpoint.

#include "graticule/train/same_data.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

Catalog catalog_of(std::vector<double> latitudes, std::vector<double> longitudes,
                   const std::string& units_of_a, const std::string& units_of_b) {
  Catalog catalog;
  catalog.path = "new.zarr";
  catalog.latitudes = std::move(latitudes), catalog.longitudes = std::move(longitudes);
  catalog.variables = {{"a", units_of_a, "", "", false}, {"b", units_of_b, "", "", false}};
  return catalog;
}

const std::vector<double> latitudes = {-45, 0, 45}, longitudes = {0, 90, 180, 270};

DataForm trained() {
  const Catalog catalog = catalog_of(latitudes, longitudes, "K", "");
  return data_form_from_json(to_json(form_of(catalog, {"a", "b"})), "step-3");
}

std::string refusal(const Catalog& now) {
  return message_of<std::invalid_argument>([&] { refuse_other_data("step-3", trained(), now); });
}

TEST(SameData, TakesTheSameInAnotherSpelling) {
  EXPECT_TRUE(
      refuse_other_data("step-3", trained(), catalog_of(latitudes, longitudes, "kelvin", "")).empty());
  EXPECT_TRUE(
      refuse_other_data("step-3", trained(), catalog_of({-45.0004, 0, 45}, {0, 90.0004, -180, 270}, "K", ""))
          .empty());
  EXPECT_TRUE(refuse_other_data("step-3", std::nullopt, catalog_of({1}, {2}, "m", "m")).empty());
}

TEST(SameData, RefusesAnotherGridNamingBoth) {
  const std::vector<std::pair<Catalog, std::string>> cases = {
      {catalog_of({-45, 45}, longitudes, "K", ""),
       "it was trained on 3 latitudes from -45 to 45, the data have 2 latitudes from -45 to 45"},
      {catalog_of(latitudes, {0, 90, 180}, "K", ""),
       "it was trained on 4 longitudes from 0 to 270, the data have 3 longitudes from 0 to 180"},
      {catalog_of({-45, 0.002, 45}, longitudes, "K", ""), "the one numbered 2 is 0, the data's is 0.002"},
  };
  for (const auto& [now, words] : cases) {
    const std::string message = refusal(now);
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_NE(message.find("'new.zarr'"), std::string::npos) << message;
  }
}

// Rows 0.002 degrees apart: a tenth of that is another grid, a hundredth is rounding.
TEST(SameData, MeasuresAFineGridByItsSpacing) {
  const DataForm fine = form_of(catalog_of({0, 0.002, 0.004}, longitudes, "K", ""), {"a", "b"});
  const auto moved = [&](double by) { return catalog_of({by, 0.002 + by, 0.004 + by}, longitudes, "K", ""); };
  EXPECT_TRUE(refuse_other_data("step-3", fine, moved(2e-5)).empty());
  EXPECT_THROW(refuse_other_data("step-3", fine, moved(2e-4)), std::invalid_argument);
}

// The manifest has the places of some cells alone. Another number of cells, and one other cell of those, are refused.
TEST(SameData, KeepsThePlacesOfSomeCells) {
  const auto cells_of = [](int64_t count, double moved) {
    Catalog catalog = catalog_of({}, {}, "K", "");
    auto cells = std::make_shared<Cells>(spiral_cells(count));
    for (double& north : cells->latitudes) north += moved;
    catalog.grid = GridKind::cells, catalog.cells = std::move(cells);
    return catalog;
  };
  for (const int64_t count : {7, 4096, 4097, 10001}) {
    const DataForm form = data_form_from_json(to_json(form_of(cells_of(count, 0), {"a", "b"})), "step-3");
    EXPECT_LE(form.latitudes.size(), 4096U);
    EXPECT_TRUE(refuse_other_data("step-3", form, cells_of(count, 0)).empty());
    const auto refused = [&](const Catalog& now) {
      return message_of<std::invalid_argument>([&] { refuse_other_data("step-3", form, now); });
    };
    const std::string more = refused(cells_of(count + 1, 0)), moved = refused(cells_of(count, 0.1));
    EXPECT_NE(more.find(text("trained on ", count, " cells, the data have ", count + 1)), std::string::npos)
        << more;
    EXPECT_NE(moved.find(text("of its ", count, " latitudes the one numbered 1 is ")), std::string::npos)
        << moved;
  }
}

TEST(SameData, RefusesAnotherUnitAndTellsAMissingOne) {
  const std::string message = refusal(catalog_of(latitudes, longitudes, "degC", ""));
  EXPECT_NE(message.find("was trained on a in K, 'new.zarr' has it in degC"), std::string::npos) << message;
  const auto told = refuse_other_data("step-3", trained(), catalog_of(latitudes, longitudes, "", "m"));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0], "a: the data name no unit, the checkpoint's were in K; they are taken to be the same");
  EXPECT_EQ(told[1], "b: the data are in m, the checkpoint's named none; they are taken to be the same");
}

// The degree sign of Latin-1, as some files have it.
TEST(SameData, KeepsBytesThatAreNoUtf8) {
  const Catalog catalog = catalog_of(latitudes, longitudes,
                                     "\xB0"
                                     "C",
                                     "");
  const DataForm form = data_form_from_json(to_json(form_of(catalog, {"a", "b"})), "step-3");
  EXPECT_TRUE(refuse_other_data("step-3", form, catalog).empty());
}

}  // namespace
}  // namespace graticule
