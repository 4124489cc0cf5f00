// Tests images: what a dimension is, folders and stacks as samples, splits, crops, and what is refused.
#include "graticule/data/image_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/crop.h"
#include "graticule/data/sample_split.h"
#include "graticule/data/source.h"
#include "tests/data/table_source.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

fs::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path path = fs::path(GRATICULE_TEST_FOLDER) / "images" / test->name();
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

// An array as NumPy writes it; value i is first + i.
void write_npy(const fs::path& path, const std::vector<int64_t>& shape, float first = 0) {
  fs::create_directories(path.parent_path());
  std::string sizes;
  for (const int64_t size : shape) sizes += std::to_string(size) + ", ";
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + sizes + "), }\n";
  std::ofstream file(path, std::ios::binary);
  file << std::string("\x93NUMPY\x01\x00", 8) << static_cast<char>(header.size()) << '\0' << header;
  const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  for (int64_t i = 0; i < count; ++i) {
    const float value = first + static_cast<float>(i);
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

std::vector<float> read_all_of(Source& source, const std::string& variable, int64_t time) {
  const Catalog& catalog = source.catalog();
  std::vector<float> field(static_cast<size_t>(catalog.lines() * catalog.columns()));
  source.read(variable, time, {0, catalog.lines()}, field);
  // Any cut into two reads gives the same.
  for (int64_t line = 0; line <= catalog.lines(); ++line) {
    std::vector<float> parts(field.size());
    const std::span<float> all(parts);
    const auto cut = static_cast<size_t>(line * catalog.columns());
    source.read(variable, time, {0, line}, all.first(cut));
    source.read(variable, time, {line, catalog.lines()}, all.subspan(cut));
    EXPECT_EQ(parts, field) << "cut at row " << line;
  }
  return field;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

ImageLayout layout_of(GridKind grid, std::vector<std::string> dimensions = {}) {
  return {.grid = grid, .dimensions = std::move(dimensions), .periodic = {}, .date_pattern = {}};
}

TEST(Images, AStackHasSamplesStepsAndChannels) {
  const fs::path folder = fresh_folder();
  write_npy(folder / "shot.npy", {2, 3, 4, 5, 2});
  const auto source = open_source((folder / "shot.npy").string(), {},
                                  layout_of(GridKind::plane, {"sample", "step", "row", "column", "channel"}));
  const Catalog& catalog = source->catalog();
  ASSERT_EQ(catalog.rows(), 4);
  ASSERT_EQ(catalog.columns(), 5);
  EXPECT_EQ(catalog.calendar, Calendar::none);
  ASSERT_EQ(catalog.times.size(), 6U);
  EXPECT_EQ(catalog.times[4], time_of_sample(1, 1));
  EXPECT_EQ(format_time(catalog.times[4], catalog.calendar), "sample 1, step 1");
  EXPECT_EQ(parse_time("1:1", Calendar::none), catalog.times[4]);
  EXPECT_EQ(catalog.index_of("shot_1"), 1U);
  const std::vector<float> field = read_all_of(*source, "shot_1", 4);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(field[static_cast<size_t>(i)], 4 * 40 + 2 * i + 1) << i;
}

TEST(Images, AreTurnedIntoTheOrderOfTheGrid) {
  const fs::path folder = fresh_folder();
  write_npy(folder / "v.npy", {5, 3, 4});  // columns, layers, rows
  const auto source =
      open_source((folder / "v.npy").string(), {}, layout_of(GridKind::volume, {"column", "layer", "row"}));
  ASSERT_EQ(source->catalog().lines(), 12);
  const std::vector<float> field = read_all_of(*source, "v", 0);
  for (int64_t z = 0; z < 3; ++z) {
    for (int64_t y = 0; y < 4; ++y) {
      for (int64_t x = 0; x < 5; ++x)
        EXPECT_EQ(field[static_cast<size_t>((z * 4 + y) * 5 + x)], (x * 3 + z) * 4 + y);
    }
  }
}

TEST(Images, AFolderHoldsOneSampleAFile) {
  const fs::path folder = fresh_folder();
  for (int i = 0; i < 3; ++i) {
    write_npy(folder / "images" / (i < 2 ? "a" : "b") / (std::to_string(i) + ".npy"), {4, 6},
              static_cast<float>(100 * i));
    write_npy(folder / "labels" / (i < 2 ? "a" : "b") / (std::to_string(i) + ".npy"), {4, 6},
              static_cast<float>(-100 * i));
  }
  write_npy(folder / "height.npy", {4, 6}, 7);
  const auto source = open_source(text((folder / "images").string(), ",", (folder / "labels").string(), ",",
                                       (folder / "height.npy").string()),
                                  {}, layout_of(GridKind::plane));
  const Catalog& catalog = source->catalog();
  EXPECT_EQ(catalog.samples, (std::vector<std::string>{"a/0.npy", "a/1.npy", "b/2.npy"}));
  ASSERT_EQ(catalog.variables.size(), 3U);
  EXPECT_FALSE(catalog.variables[0].constant);
  EXPECT_TRUE(catalog.variables[2].constant);
  EXPECT_EQ(read_all_of(*source, "images", 2)[1], 201);
  EXPECT_EQ(read_all_of(*source, "labels", 1)[0], -100);
  EXPECT_EQ(read_all_of(*source, "height", 1)[0], 7);
  EXPECT_EQ(samples_named({"a/*"}, catalog, "data.train").samples, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(samples_named({"2", "0-1"}, catalog, "data.train").samples, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_NE(refusal([&] { samples_named({"c/*"}, catalog, "data.train"); }).find("such as a/0.npy"),
            std::string::npos);
  EXPECT_NE(refusal([&] { samples_named({"1-3"}, catalog, "data.train"); }).find("3 samples, 0 to 2"),
            std::string::npos);

  write_npy(folder / "images" / "b" / "3.npy", {4, 7});
  const std::string message =
      refusal([&] { open_source((folder / "images").string(), {}, layout_of(GridKind::plane)); });
  EXPECT_NE(message.find("is 4 x 7, but"), std::string::npos) << message;
  EXPECT_NE(message.find("is 4 x 6"), std::string::npos) << message;
}

TEST(Images, WithTooManyDimensionsAreRefused) {
  const fs::path folder = fresh_folder();
  write_npy(folder / "v.npy", {2, 2, 2, 4, 6});
  const auto open = [&](const ImageLayout& layout) {
    return refusal([&] { open_source((folder / "v.npy").string(), {}, layout); });
  };
  EXPECT_NE(open(layout_of(GridKind::plane)).find("say what each is"), std::string::npos);
  EXPECT_NE(open(layout_of(GridKind::plane, {"sample", "row", "column"})).find("names 3"), std::string::npos);
  EXPECT_EQ(open(layout_of(GridKind::volume)), "");  // sample, step, layer, row, column
}

TEST(Split, ByFractionSharesOutAllSamplesOnce) {
  TableSource source = table_source(3, 4, {"a"}, 1, 6, 0);
  source.listing.calendar = Calendar::none;
  for (const int64_t count : {3, 10, 101}) {
    source.listing.times.clear();
    for (int64_t i = 0; i < count; ++i) source.listing.times.push_back(time_of_sample(i));
    std::set<int64_t> seen;
    for (const SplitPart part : {SplitPart::train, SplitPart::valid, SplitPart::test}) {
      for (const int64_t sample : split_by_fraction({0.2, 0.1, 5}, part, source.listing).samples)
        EXPECT_TRUE(seen.insert(sample).second) << sample;
    }
    EXPECT_EQ(std::ssize(seen), count);
  }
  EXPECT_NE(split_by_fraction({0.2, 0.1, 5}, SplitPart::test, source.listing),
            split_by_fraction({0.2, 0.1, 6}, SplitPart::test, source.listing));
  EXPECT_NE(refusal([&] {
              split_by_fraction({0.6, 0.5, 5}, SplitPart::train, source.listing);
            }).find("nothing is left for training"),
            std::string::npos);
}

TEST(Crop, IsAPartOfTheField) {
  TableSource source = table_source(4 * 5, 6, {"a"}, 1, 6, 3);
  make_image(source.listing, GridKind::volume, 4);
  TokenGrid grid{TokenMode::full, 1, 3, 4, 1, 1, GridKind::volume, 2};
  const Crop middle = middle_crop(source.listing, grid);
  EXPECT_EQ(middle.layer, 1);
  EXPECT_EQ(middle.row, 1);
  EXPECT_EQ(middle.column, 1);
  std::vector<float> field(2 * 3 * 4);
  const Crop crop{2, 1, 2};
  read_crop(source, grid, "a", 0, crop, {0, 6}, field);
  for (int64_t z = 0; z < 2; ++z) {
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        const int64_t at = ((crop.layer + z) * 5 + crop.row + y) * 6 + crop.column + x;
        EXPECT_EQ(field[static_cast<size_t>((z * 3 + y) * 4 + x)],
                  source.values["a"][static_cast<size_t>(at)]);
      }
    }
  }
}

}  // namespace
}  // namespace graticule
