// Tests the writer of forecasts and synthetic data: contents, read by xarray, and errors.
#include "graticule/data/field_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "graticule/data/synth.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

// A folder of this test alone, removed afterwards.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("graticule_writer_" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

FieldWriterOptions small(const std::string& path, bool forecast) {
  FieldWriterOptions options;
  options.path = path;
  options.latitudes = {-60, 0, 60};
  options.longitudes = {0, 90, 180, 270};
  for (int t = 0; t < 5; ++t) options.times.push_back(978307200 + 21600 * t);
  if (forecast) options.lead_hours = {6, 12};
  options.variables = {{"temperature@850", "K", "Temperature", "air_temperature", false},
                       {"temperature@500", "K", "Temperature", "air_temperature", false},
                       {"2m_temperature", "K", "", "", false},
                       {"land_sea_mask", "1", "", "", true}};
  options.attributes = {{"source", "synthetic: a test"}};
  options.latitude_descending = forecast;
  options.time_chunk = 2;
  return options;
}

// 1000 v + 100 t + 10 lead index + row from the south + 0.1 column; 2m_temperature of time 4 is left out.
void fill(FieldWriter& writer, const FieldWriterOptions& options) {
  const auto leads = std::max<int64_t>(1, static_cast<int64_t>(options.lead_hours.size()));
  for (int64_t t = 0; t < static_cast<int64_t>(options.times.size()); ++t) {
    for (int64_t lead = 0; lead < leads; ++lead) {
      for (size_t v = 0; v < options.variables.size(); ++v) {
        const bool constant = options.variables[v].constant;
        if ((constant && t + lead > 0) || (v == 2 && t == 4)) continue;
        std::vector<float> field;
        for (size_t i = 0; i < options.latitudes.size() * options.longitudes.size(); ++i) {
          field.push_back(1000.0f * v + 100.0f * t + 10.0f * lead + i / options.longitudes.size() +
                          0.1f * (i % options.longitudes.size()));
        }
        writer.write(options.variables[v].name, t, lead, field);
      }
    }
  }
}

const char* const check_in_python = R"(
import sys, numpy as np, xarray as xr
for path in sys.argv[1:]:
    forecast = "forecast" in path
    zarr = path.endswith(".zarr")
    d = xr.open_dataset(path, engine="zarr" if zarr else "netcdf4")
    assert d.attrs["Conventions"] == "CF-1.8" and d.attrs["source"] == "synthetic: a test"
    lead = ("prediction_timedelta",) if forecast else ()
    assert d.temperature.dims == ("time", *lead, "level", "latitude", "longitude"), d.temperature.dims
    assert d["2m_temperature"].dims == ("time", *lead, "latitude", "longitude")
    assert d.land_sea_mask.dims == ("latitude", "longitude")
    assert d.temperature.dtype == np.float32 and d.temperature.attrs["units"] == "K"
    assert d.temperature.attrs["standard_name"] == "air_temperature"
    assert (d.time.values == np.datetime64("2001-01-01", "ns") + np.arange(5) * np.timedelta64(6, "h")).all()
    assert list(d.level.values) == [500, 850] and d.level.attrs["units"] == "hPa"
    assert list(d.latitude.values) == ([60, 0, -60] if forecast else [-60, 0, 60])
    assert list(d.longitude.values) == [0, 90, 180, 270] and d.longitude.attrs["units"] == "degrees_east"
    if forecast:
        assert list(d.prediction_timedelta.values / np.timedelta64(1, "h")) == [6, 12]
    d = d.sortby("latitude")
    t, y, x = np.arange(5)[:, None, None], np.arange(3)[:, None], 0.1 * np.arange(4)
    for index in range(2 if forecast else 1):
        pick = {"prediction_timedelta": index} if forecast else {}
        plane = 100 * t + 10 * index + y + x
        two = d["2m_temperature"].isel(pick).values
        np.testing.assert_allclose(d.temperature.isel(pick).sel(level=850).values, plane, rtol=1e-6)
        np.testing.assert_allclose(d.temperature.isel(pick).sel(level=500).values, 1000 + plane, rtol=1e-6)
        np.testing.assert_allclose(two[:4], 2000 + plane[:4], rtol=1e-6)
        assert np.isnan(two[4]).all()
    np.testing.assert_allclose(d.land_sea_mask.values, 3000 + y + x, rtol=1e-6)
)";

TEST(FieldWriter, xarray_reads_what_was_written) {
  const fs::path python = fs::path(__FILE__).parent_path().parent_path().parent_path() / ".venv/bin/python";
  if (!fs::exists(python)) GTEST_SKIP() << python << " is not there";
  const Folder folder;
  std::string command = python.string() + " " + (folder / "check.py");
  std::ofstream(folder / "check.py") << check_in_python;
  for (const char* name : {"analysis.zarr", "analysis.nc", "forecast.zarr", "forecast.nc"}) {
    const auto options = small(folder / name, std::string(name).starts_with("forecast"));
    FieldWriter writer(options);
    fill(writer, options);
    EXPECT_FALSE(fs::exists(options.path));
    writer.finish();
    EXPECT_FALSE(fs::exists(options.path + ".partial"));
    command += " " + options.path;
  }
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(FieldWriter, a_synthetic_data_set_reads_back_bit_by_bit) {
  const Folder folder;
  const SyntheticOptions options{5, 6, 25, 3, 6, 978307200, 7};
  const auto direct = open_synthetic(options);
  for (const char* name : {"a.zarr", "a.nc"}) {
    write_synthetic(options, folder / name);
    const auto stored = open_source(folder / name);
    EXPECT_EQ(stored->catalog().times, direct->catalog().times);
    EXPECT_EQ(stored->catalog().latitudes, direct->catalog().latitudes);
    for (const Variable& variable : direct->catalog().variables) {
      std::vector<float> expected(30), held(30);
      direct->read(variable.name, 2, {0, 5}, expected);
      stored->read(variable.name, 2, {0, 5}, held);
      EXPECT_EQ(held, expected) << name << " " << variable.name;
      const auto& found = stored->catalog().variables[stored->catalog().index_of(variable.name)];
      EXPECT_EQ(found.units, variable.units);
      EXPECT_EQ(found.constant, variable.constant);
    }
  }
}

TEST(FieldWriter, leaves_nothing_half_written) {
  const Folder folder;
  for (const char* name : {"a.zarr", "a.nc"}) {
    const auto options = small(folder / name, false);
    {
      FieldWriter writer(options);
      fill(writer, options);
    }
    EXPECT_TRUE(fs::is_empty(folder.path)) << name;
  }
}

// A full disk, played by a limit on the size of files.
TEST(FieldWriter, a_full_disk_is_an_error_and_leaves_nothing) {
  const Folder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{40'000, before.rlim_max};
  for (const char* name : {"a.zarr", "a.nc"}) {
    setrlimit(RLIMIT_FSIZE, &tight);
    EXPECT_THROW(write_synthetic({64, 128, 3, 4, 6, 0, 0}, folder / name), std::runtime_error) << name;
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_TRUE(fs::is_empty(folder.path)) << name;
  }
}

TEST(FieldWriter, refuses_other_endings_existing_paths_and_folders_that_are_not_there) {
  const Folder folder;
  fs::create_directories(folder / "there.zarr");
  for (const char* name : {"a.grib", "there.zarr", "missing/a.nc"}) {
    EXPECT_THROW(FieldWriter{small(folder / name, false)}, std::invalid_argument) << name;
  }
  EXPECT_THROW(FieldWriter{small("/proc/a.zarr", false)}, std::runtime_error);
  EXPECT_THROW(write_synthetic({0, 64}, folder / "a.zarr"), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
