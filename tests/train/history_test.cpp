// Tests the history of a run folder: branches, crashes at any moment, metrics.

#include "graticule/train/history.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

class RunFolder : public ScratchFolder {
 public:
  // A complete checkpoint. Its contents tell it from others.
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(*this / "checkpoints") / name);
    write_bytes(*this / ("checkpoints/" + name + "/manifest.json"), content);
  }
  std::string content(const std::string& name) const {
    return read_bytes(*this / ("checkpoints/" + name + "/manifest.json"));
  }
  std::string checkpoint(const std::string& name) const { return *this / ("checkpoints/" + name); }
  std::string append(int64_t step, const std::string& parent, const std::string& content) const {
    const std::string aside = text("step-", step, ".part");
    write(aside, content);
    return append_to_line(path(), checkpoint(aside), step, parent.empty() ? "" : checkpoint(parent));
  }
  std::string line() const {
    std::string names;
    for (const auto& path : checkpoints_of(path())) names += path.filename().string() + " ";
    return names;
  }
};

void train_to_nine(const RunFolder& run) {
  EXPECT_EQ(run.append(3, "", "old"), "");
  EXPECT_EQ(run.append(6, "step-3", "old"), "");
  EXPECT_EQ(run.append(9, "step-6", "old"), "");
}

TEST(History, ABranchLeavesWhatIsNotOnItsLine) {
  const RunFolder run;
  train_to_nine(run);
  const std::string told = run.append(6, "step-3", "new");
  EXPECT_NE(told.find("step-6 step-9 left its line"), std::string::npos) << told;
  EXPECT_NE(told.find("checkpoints/left-1"), std::string::npos) << told;
  EXPECT_EQ(run.line(), "step-3 step-6 ");
  EXPECT_EQ(run.content("step-6"), "new");
  EXPECT_EQ(run.content("left-1/step-6"), "old");
  EXPECT_EQ(run.append(7, "step-6", "new"), "");
  EXPECT_TRUE(remove_old(run.path(), 1, 0).empty());
  EXPECT_EQ(run.line(), "step-7 ");
  EXPECT_EQ(run.content("left-1/step-9"), "old");

  // A checkpoint of a left branch, or of another run, has no ancestor in this line.
  EXPECT_FALSE(lies_on_line(run.path(), run.checkpoint("left-1/step-9")));
  EXPECT_FALSE(run.append(12, "left-1/step-9", "third").empty());
  EXPECT_EQ(run.line(), "step-12 ");
  EXPECT_EQ(run.content("left-2/step-7"), "new");
  EXPECT_EQ(run_folder_of(run.checkpoint("left-1/step-9")), run.path());
  EXPECT_EQ(run_folder_of(run.checkpoint("step-12/")), run.path());
  EXPECT_EQ(run_folder_of(run / "copied"), run.path());
}

TEST(History, TheBestKeepsItsNameAndItsPlace) {
  const RunFolder run;
  train_to_nine(run);
  const auto best = [&] { return fs::read_symlink(run.checkpoint("best")).string(); };
  name_best(run.path(), 3);
  EXPECT_EQ(best(), "step-3");
  EXPECT_TRUE(remove_old(run.path(), 1, 3).empty());
  EXPECT_EQ(run.line(), "step-3 step-9 ");
  name_best(run.path(), 9);
  EXPECT_EQ(best(), "step-9");
  EXPECT_TRUE(remove_old(run.path(), 1, 9).empty());
  EXPECT_EQ(run.line(), "step-9 ");
  for (const int64_t gone : {3, 0}) {
    name_best(run.path(), 9), name_best(run.path(), gone);
    EXPECT_FALSE(fs::is_symlink(run.checkpoint("best")));
  }
}

// The job dies between any two renames.
TEST(History, IsALineWhereverAJobDies) {
  for (int renamed = 0; renamed <= 2; ++renamed) {
    const RunFolder run;
    train_to_nine(run);
    run.write("step-6.part", "new");
    write_bytes(run.checkpoint("leaving"), "left-1\nstep-6\nstep-9\n");
    fs::create_directories(run.checkpoint("left-1"));
    if (renamed > 0) fs::rename(run.checkpoint("step-6"), run.checkpoint("left-1/step-6"));
    if (renamed > 1) fs::rename(run.checkpoint("step-9"), run.checkpoint("left-1/step-9"));
    EXPECT_EQ(run.line(), "step-3 ") << renamed;
    finish_leaving(run.path());
    EXPECT_EQ(run.line(), "step-3 ") << renamed;
    EXPECT_EQ(run.append(6, "step-3", "again"), "");
    EXPECT_EQ(run.line(), "step-3 step-6 ");
    EXPECT_EQ(run.content("left-1/step-6") + run.content("left-1/step-9"), "oldold");
  }
}

std::string lines(int from, int to, const std::string& more = "") {
  std::string all;
  for (int step = from; step <= to; ++step) all += text("{\"step\":", step, more, "}\n");
  return all;
}

TEST(History, NoStepIsTwiceInTheMetrics) {
  const RunFolder run;
  train_to_nine(run);
  const std::string metrics = run / "metrics.jsonl", leaving = run / "metrics.leaving.jsonl";
  const auto add = [&](const std::string& text) { write_bytes(metrics, read_bytes(metrics) + text); };
  // After a crash: lines beyond the newest checkpoint, and an incomplete last line.
  write_bytes(metrics, lines(1, 11) + "{\"step\":1");
  start_record(run.path(), run.checkpoint("step-9"), 9);
  EXPECT_EQ(read_bytes(metrics), lines(1, 9));
  add(lines(10, 12, ",\"a\":0"));
  run.append(12, "step-9", "old");
  EXPECT_EQ(read_bytes(run / "metrics.left-1.jsonl"), lines(10, 11) + "{\"step\":1\n");

  // A branch that dies before its first checkpoint does not count: its lines leave, and the old lines come
  // back.
  start_record(run.path(), run.checkpoint("step-3"), 3);
  EXPECT_EQ(read_bytes(metrics), lines(1, 3));
  add(lines(4, 5, ",\"b\":0"));
  EXPECT_EQ(*newest_checkpoint(run.path()), run.checkpoint("step-12"));
  start_record(run.path(), run.checkpoint("step-12"), 12);
  EXPECT_EQ(read_bytes(metrics), lines(1, 9) + lines(10, 12, ",\"a\":0"));
  EXPECT_EQ(read_bytes(run / "metrics.left-2.jsonl"), lines(4, 5, ",\"b\":0"));
  EXPECT_FALSE(fs::exists(leaving));

  // A branch with a checkpoint takes its number from the folder.
  start_record(run.path(), run.checkpoint("step-3"), 3);
  add(lines(4, 4, ",\"c\":0"));
  run.append(4, "step-3", "new");
  EXPECT_EQ(read_bytes(metrics), lines(1, 3) + lines(4, 4, ",\"c\":0"));
  EXPECT_EQ(read_bytes(run / "metrics.left-3.jsonl"), lines(4, 9) + lines(10, 12, ",\"a\":0"));
  EXPECT_TRUE(fs::exists(run.checkpoint("left-3/step-12")));

  // A run that continues a checkpoint of a left branch keeps no line of this one.
  start_record(run.path(), run.checkpoint("left-3/step-9"), 9);
  EXPECT_EQ(read_bytes(metrics), "");
}

// The job died between writing the two files: no line is lost, and none is there twice.
TEST(History, MetricsSurviveADeathBetweenTheirFiles) {
  const RunFolder run;
  train_to_nine(run);
  write_bytes(run / "metrics.jsonl", lines(1, 9));
  write_bytes(run / "metrics.leaving.jsonl", lines(4, 9));
  start_record(run.path(), run.checkpoint("step-9"), 9);
  EXPECT_EQ(read_bytes(run / "metrics.jsonl"), lines(1, 9));
  EXPECT_FALSE(fs::exists(run / "metrics.left-1.jsonl"));
}

}  // namespace
}  // namespace graticule
