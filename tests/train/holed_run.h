// Runs on an invented atmosphere with missing values, for tests.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "tests/train/scratch_folder.h"

namespace graticule {

/// An invented atmosphere. Values are missing where `missing` returns true.
class HoledSource : public Source {
 public:
  using Missing = std::function<bool(int64_t variable, int64_t time_index, int64_t y, int64_t x)>;
  HoledSource(const std::string& path, Missing missing)
      : whole_(open_source(path)), missing_(std::move(missing)) {}
  const Catalog& catalog() const override { return whole_->catalog(); }
  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    whole_->read(variable, time_index, rows, out);
    const auto columns = static_cast<int64_t>(catalog().longitudes.size());
    for (int64_t i = 0; i < rows.size() * columns; ++i) {
      if (missing_(static_cast<int64_t>(catalog().index_of(variable)), time_index, rows.begin + i / columns,
                   i % columns))
        out[static_cast<size_t>(i)] = std::numeric_limits<float>::quiet_NaN();
    }
  }

 private:
  std::shared_ptr<Source> whole_;
  Missing missing_;
};

// Variable 0 is missing over land; variable 1 is missing at one place at time 4 only.
inline bool on_land(int64_t variable, int64_t time_index, int64_t y, int64_t x) {
  return (variable == 0 && y > 1 && x > 7) || (variable == 1 && time_index == 4 && y == 0 && x == 3);
}
inline bool nowhere(int64_t, int64_t, int64_t, int64_t) { return false; }

struct Setting {
  std::string tokens = "full", predict = "difference", layout;  // the last: of [parallel]
  int patch = 2, history = 1, rollout = 1;
  std::string train = {};  // keys of [train]
};

inline Run build_run(const World& world, const ScratchFolder& folder, const Setting& setting,
                     const HoledSource::Missing& missing, bool for_training = false) {
  const std::string path = "synthetic:rows=6,columns=12,variables=4,times=40,step_hours=6";
  Problem problem = define_problem(parse_recipe(
      text("[data]\npath = \"", path, "\"\nlead_hours = 6\ntrain = [\"2001-01-01\", \"2001-01-08\"]\n",
           "missing = \"mean\"\nbatch = 2\nhistory = ", setting.history, "\npredict = \"", setting.predict,
           "\"\n[model]\ndim = 16\ndepth = 2\nheads = 2\ntokens = \"", setting.tokens,
           "\"\npatch = ", setting.patch, "\n[parallel]\n", setting.layout,
           "[train]\nsteps = 1\nthreads = 1\nrollout = ", setting.rollout, "\n", setting.train,
           "[run]\nout = \"", folder.path(), "\"\n"),
      "test"));
  problem.source = std::make_shared<HoledSource>(path, missing);
  problem.options.data.targets.pop_back();  // the last variable is a forcing
  Run run = assemble(problem, world, false);
  if (for_training) {
    LoaderOptions options = loader_options(run.options, run.shape, run.mesh, run.tokens);
    options.range = parse_time_range("2001-01-01", "2001-01-08");
    run.loader.emplace(std::make_shared<HoledSource>(path, missing), run.statistics, options);
  }
  return run;
}

}  // namespace graticule
