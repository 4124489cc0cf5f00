// Tests the readers: every file layout gives the same tensor, and bad files are refused or fail with a clear
// message.
#include "graticule/data/source.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "graticule/core/error.h"
#include "graticule/data/info.h"
#include "tests/seed.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

constexpr int64_t rows = 6, columns = 8, times = 5;
const std::vector<std::string> names = {"2m_temperature", "land_sea_mask", "temperature@500",
                                        "temperature@850"};

// The cases are written once, by xarray.
const fs::path& folder() {
  static const fs::path made = [] {
    const fs::path path = fs::path(GRATICULE_TEST_FOLDER) / "data_cases";
    const fs::path script = fs::path(GRATICULE_SOURCE_FOLDER) / "tests/data/make_cases.py";
    if (!fs::exists(path / "cases.json") ||
        fs::last_write_time(path / "cases.json") < fs::last_write_time(script)) {
      // Each test is a process: they write aside, the first one done wins.
      const fs::path aside = path.string() + "." + std::to_string(std::random_device()());
      const std::string command =
          text(GRATICULE_SOURCE_FOLDER, "/.venv/bin/python ", script, " ", aside, " ", path, " 2>&1");
      if (std::system(command.c_str()) != 0) throw std::runtime_error("make_cases.py failed");
    }
    return path;
  }();
  return made;
}

float truth(size_t variable, int64_t time, int64_t row, int64_t column) {
  static const std::vector<float> values = [] {
    std::vector<float> all(names.size() * times * rows * columns);
    std::ifstream(folder() / "truth.bin", std::ios::binary)
        .read(reinterpret_cast<char*>(all.data()), static_cast<std::streamsize>(all.size() * 4));
    return all;
  }();
  return values[((variable * times + static_cast<size_t>(time)) * rows + static_cast<size_t>(row)) * columns +
                static_cast<size_t>(column)];
}

void expect_truth(const std::string& path, double tolerance, unsigned seed) {
  const auto source = open_source(path);
  const Catalog& catalog = source->catalog();
  ASSERT_EQ(catalog.latitudes.size(), rows);
  EXPECT_NEAR(catalog.latitudes.front(), -75, 1e-9);
  ASSERT_EQ(catalog.longitudes.size(), columns);
  EXPECT_NEAR(catalog.longitudes[5], 225, 1e-9);
  ASSERT_EQ(catalog.times.size(), times);
  EXPECT_EQ(catalog.times[1], 978307200 + 6 * 3600);
  ASSERT_EQ(catalog.variables.size(), names.size());
  std::mt19937 random(seed);
  for (int repeat = 0; repeat < 40; ++repeat) {
    const size_t v = random() % names.size();
    const int64_t t = random() % times, begin = random() % rows, end = begin + 1 + random() % (rows - begin);
    std::vector<float> out(static_cast<size_t>((end - begin) * columns));
    source->read(names[v], t, {begin, end}, out);
    for (int64_t i = 0; i < static_cast<int64_t>(out.size()); ++i) {
      const float want = truth(v, t, begin + i / columns, i % columns), got = out[static_cast<size_t>(i)];
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got));
      } else {
        ASSERT_NEAR(got, want, tolerance) << names[v] << " time " << t << " row " << begin + i / columns;
      }
    }
  }
}

TEST(Source, EveryLayoutGivesTheSameTensor) {
  const unsigned seed = test_seed();
  const auto cases = nlohmann::json::parse(std::ifstream(folder() / "cases.json"));
  EXPECT_GE(cases.size(), 60);
  for (const auto& one : cases) {
    SCOPED_TRACE(text(one["name"], ", seed ", seed));
    EXPECT_NO_THROW(expect_truth(one["path"], one["tolerance"], seed));
  }
}

TEST(Source, AbsentChunkIsTheFillValue) {
  const auto source = open_source((folder() / "absent.zarr").string());
  std::vector<float> out(rows * columns);
  source->read("temperature@500", 0, {0, rows}, out);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_FALSE(std::isnan(out.back()));
}

TEST(Source, InfoTellsWhatIsThere) {
  const auto source = open_source((folder() / "cds").string());
  const std::string human = describe(*source, true);
  for (const char* part :
       {"NetCDF-4", "6 x 8", "temperature", "500, 850", "2001-01-01T00:00:00", "constant"}) {
    EXPECT_NE(human.find(part), std::string::npos) << part << " in\n" << human;
  }
  const auto json = nlohmann::json::parse(describe_json(*source, true));
  EXPECT_EQ(json["times"]["count"], times);
  EXPECT_EQ(json["times"]["step_seconds"], 21600);
  EXPECT_EQ(json["missing"]["2m_temperature"], 1);
}

// The message of what `action` throws.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::string read_all(const std::string& path) {
  return error_of([&] {
    const auto source = open_source(path);
    std::vector<float> out(source->catalog().latitudes.size() * source->catalog().longitudes.size());
    for (const Variable& variable : source->catalog().variables) {
      for (int64_t t = 0; t < static_cast<int64_t>(source->catalog().times.size()); ++t) {
        source->read(variable.name, t, {0, static_cast<int64_t>(source->catalog().latitudes.size())}, out);
      }
    }
  });
}

void write(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch = fs::path(GRATICULE_TEST_FOLDER) /
              ("bad_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(scratch);
    fs::create_directories(scratch);
  }
  void TearDown() override { fs::remove_all(scratch); }
  void expect_error(const std::string& path, const std::string& part) {
    const std::string error = read_all(path);
    EXPECT_NE(error.find(part), std::string::npos)
        << path << ": wanted '" << part << "', got '" << error << "'";
  }
  fs::path scratch;
};

TEST_F(BadInput, NoDataIsNamed) {
  expect_error("/nowhere/data.nc", "does not exist");
  expect_error(scratch.string(), "it is empty");
  write(scratch / "text.nc", "these are words\n");
  expect_error((scratch / "text.nc").string(), "is no NetCDF");
  write(scratch / "empty.nc", "");
  expect_error((scratch / "empty.nc").string(), "an empty file");
  write(scratch / "download.nc", "PK\3\4 and so on");
  expect_error((scratch / "download.nc").string(), "zip");
  expect_error((scratch / "*.zarr").string(), "no file matches");
  expect_error("ftp://host/file.nc", "known are gs://");
  write(scratch / "bad.zarr/zarr.json", "{\"zarr_form");
  expect_error((scratch / "bad.zarr").string(), "no JSON");
  expect_error((folder() / "zarr3_plain.zarr/temperature").string(), "one array");
}

TEST_F(BadInput, UnknownNamesListWhatIsThere) {
  const auto source = open_source((folder() / "cds").string());
  EXPECT_NE(error_of([&] {
              source->catalog().index_of("temperature@700");
            }).find("temperature@500, temperature@850"),
            std::string::npos);
  EXPECT_NE(error_of([&] { source->catalog().index_of("land_sea_mas"); }).find("did you mean land_sea_mask"),
            std::string::npos);
}

TEST_F(BadInput, UnknownCodecFilterAndTypeAreNamed) {
  const auto change = [&](const std::string& store, const std::string& from, const std::string& to,
                          const std::string& part) {
    const fs::path copy = scratch / "copy.zarr";
    fs::remove_all(copy);
    fs::copy(folder() / store, copy, fs::copy_options::recursive);
    for (const char* name : {"temperature/.zarray", "temperature/zarr.json"}) {
      std::string json = content_of(copy / name);
      const size_t at = json.find(from);
      if (at != std::string::npos) write(copy / name, json.replace(at, from.size(), to));
    }
    expect_error(copy.string(), part);
    expect_error(copy.string(), "temperature");
  };
  change("zarr2_zlib.zarr", "\"zlib\"", "\"snappy\"", "unknown codec or filter 'snappy'");
  change("zarr2_zlib.zarr", "\"filters\": null", "\"filters\": [{\"id\": \"lzf\"}]",
         "unknown codec or filter 'lzf'");
  change("zarr2_zlib.zarr", "<f4", "<f16", "unknown data type \"<f16\"");
  change("zarr3_plain.zarr", "\"bytes\"", "\"pcodec\"", "unknown codec or filter 'pcodec'");
  change("zarr3_plain.zarr", "\"float32\"", "\"bfloat16\"", "unknown data type \"bfloat16\"");
}

TEST_F(BadInput, FilesGivenTwiceOrOnOtherGridsAreRefused) {
  const std::string year = (folder() / "years/year0.nc").string();
  expect_error(year + "," + year, "is given twice");
}

TEST_F(BadInput, EveryTruncationOfAChunkIsAnError) {
  for (const char* store : {"zarr2_blosc_lz4_1", "zarr2_blosc_zstd_2", "zarr2_zlib", "zarr3_plain",
                            "zarr3_gzip", "zarr3_blosc_crc", "zarr3_zstd_f8"}) {
    const fs::path copy = scratch / "copy.zarr";
    fs::remove_all(copy);
    fs::copy(folder() / (std::string(store) + ".zarr"), copy, fs::copy_options::recursive);
    const bool v2 = fs::exists(copy / "land_sea_mask/0.0");
    const fs::path chunk = copy / (v2 ? "land_sea_mask/0.0" : "land_sea_mask/c/0/0");
    const std::string whole = content_of(chunk);
    ASSERT_FALSE(whole.empty()) << chunk;
    const auto source = [&] { return open_source(copy.string()); };
    std::vector<float> out(rows * columns);
    for (size_t length = 0; length < whole.size(); ++length) {
      write(chunk, whole.substr(0, length));
      const std::string error = error_of([&] { source()->read("land_sea_mask", 0, {0, rows}, out); });
      ASSERT_NE(error.find("land_sea_mask"), std::string::npos) << store << " at " << length << ": " << error;
    }
    // A flipped byte may go unseen without a checksum, but never crashes.
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(~flipped[i]);
      write(chunk, flipped);
      error_of([&] { source()->read("land_sea_mask", 0, {0, rows}, out); });
    }
  }
}

TEST_F(BadInput, TruncatedNetcdfAndShardsFail) {
  for (const char* name : {"packed3.nc", "cds/t.nc"}) {
    const std::string whole = content_of(folder() / name);
    for (size_t cut = 1; cut < 24; ++cut) {
      write(scratch / "cut.nc", whole.substr(0, whole.size() * cut / 24));
      expect_error((scratch / "cut.nc").string(), "cut");
    }
  }
  const fs::path copy = scratch / "copy.zarr";
  fs::copy(folder() / "zarr3_sharded.zarr", copy, fs::copy_options::recursive);
  const fs::path shard = copy / "land_sea_mask/c/0/0";
  const std::string whole = content_of(shard);
  for (size_t length = 0; length < whole.size(); length += 7) {
    write(shard, whole.substr(0, length));
    expect_error(copy.string(), "land_sea_mask");
  }
}

}  // namespace
}  // namespace graticule
