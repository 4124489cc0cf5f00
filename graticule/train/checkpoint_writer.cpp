#include "graticule/train/checkpoint_writer.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/file.h"
#include "graticule/train/history.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string file_of(int rank) { return text("rank-", rank, ".safetensors"); }

// What each rank sends to rank 0 about its file.
json told_by(Run& run, const std::string& checksum) {
  return {{"checksum", checksum}, {"weights", describe_weights(run)}};
}

// The parent: by its name inside the run, because the run folder may be moved; otherwise by its path.
json parent_of(const Run& run) {
  if (run.parent.empty()) return nullptr;
  const fs::path parent = run.parent;
  return lies_on_line(run.options.run.out, run.parent) ? parent.filename().string()
                                                       : fs::absolute(parent).string();
}

json to_json(const Validation& validation) {
  return {{"best", validation.best},  // null while there is none
          {"best_step", validation.best_step},
          {"without", validation.without},
          {"evaluated", validation.evaluated}};
}

// Crops are of images of any size.
DataForm form_of_run(const Run& run) {
  DataForm form = form_of(run.source->catalog(), run.options.data.variables, run.known_units);
  if (!run.options.data.crop.empty()) form.sizes.clear();
  return form;
}

// The manifest without the files, as the run is now.
json head_of(const Run& run) {
  return {{"format", checkpoint_format},
          {"step", run.step},
          {"position", run.loader ? run.loader->position() : 0},
          {"parent", parent_of(run)},
          {"started_from", run.started_from},
          {"validation", to_json(run.validation)},
          {"recipe", to_toml(run.options)},
          {"data", to_json(form_of_run(run))},
          {"statistics", json::parse(to_json(run.statistics))}};
}

// Adds to the manifest what each rank told about its file.
void add_files(json& manifest, const std::vector<std::string>& told) {
  json files = json::array();
  std::vector<json> weights;
  std::vector<std::string> names;
  for (size_t rank = 0; rank < told.size(); ++rank) {
    const json of_rank = json::parse(told[rank]);
    names.push_back(file_of(static_cast<int>(rank)));
    files.push_back({{"name", names.back()}, {"checksum", of_rank.at("checksum")}});
    weights.push_back(of_rank.at("weights"));
  }
  manifest["flats"] = join_descriptions(weights, names);
  manifest["files"] = files;
}

// Bytes of paths and units that are not UTF-8 are replaced, because JSON must be UTF-8.
void write_manifest(const fs::path& folder, const json& manifest) {
  const std::string content = manifest.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  File file = File::create((folder / "manifest.json").string(), "checkpoint");
  file.write_at(0, std::as_bytes(std::span(content)));
  file.sync();
}

// Removes the unfinished checkpoints of jobs that died while they wrote.
void remove_unfinished(const fs::path& folder) {
  std::error_code error;
  for (const auto& found : fs::directory_iterator(folder, error)) {
    const fs::path& path = found.path();
    if (path.extension() == ".part" && step_in_name(path.stem())) fs::remove_all(path, error);
  }
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

CheckpointWriter::CheckpointWriter(const World& world, int64_t memory) : world_(world), memory_(memory) {}
CheckpointWriter::~CheckpointWriter() = default;

void CheckpointWriter::begin(Run& run, bool goes_on) {
  GRATICULE_CHECK(!under_way());
  begun_ = Clock::now();
  waited_ = 0, bytes_ = 0;
  step_ = run.step;
  const fs::path folder = fs::path(run.options.run.out) / "checkpoints";
  aside_ = (folder / text("step-", step_, ".part")).string();
  agree(world_, run.mesh.world, [&] {
    if (world_.rank == 0) remove_unfinished(folder);
  });
  agree(world_, run.mesh.world, [&] {
    std::error_code error;
    fs::create_directories(aside_, error);
    if (error) fail("checkpoint", aside_, " cannot be made: ", error.message(), "; choose another run.out");
  });
  head_ = std::make_unique<json>(world_.rank == 0 ? head_of(run) : json());
  std::vector<SavedPart> parts = parts_to_save(run);
  for (const SavedPart& part : parts) bytes_ += part.entry.bytes();
  file_ = std::make_unique<BackgroundFile>(std::move(parts), aside_ + "/" + file_of(world_.rank),
                                           goes_on ? memory_ : 0);
  waited_ += seconds_since(begun_);
}

void CheckpointWriter::wait_copied() {
  if (!under_way()) return;
  const auto start = Clock::now();
  file_->wait_copied();
  waited_ += seconds_since(start);
}

bool CheckpointWriter::all_written(const Run& run) const {
  const at::Tensor mine =
      at::full({1}, file_->ended() ? 1 : 0, at::TensorOptions(at::kLong).device(run.device()));
  return run.mesh.world.all_reduce(mine, Reduction::min).wait().item<int64_t>() == 1;
}

std::vector<std::string> CheckpointWriter::finish(Run& run) {
  const auto start = Clock::now();
  const std::string run_folder = run.options.run.out;
  const std::unique_ptr<BackgroundFile> file = std::move(file_);  // nothing is under way after an error
  std::vector<std::string> told;
  std::string checksum;
  try {
    agree(world_, run.mesh.world, [&] { checksum = file->wait(); });
    const std::vector<std::string> of_ranks = gather_texts(told_by(run, checksum).dump(), run.mesh.world);
    agree(world_, run.mesh.world, [&] {
      if (world_.rank != 0) return;
      add_files(*head_, of_ranks);
      write_manifest(aside_, *head_);
      const std::string left = append_to_line(run_folder, aside_, step_, run.parent);
      if (run.options.train.patience > 0) name_best(run_folder, run.validation.best_step);
      told = remove_old(run_folder, run.options.run.keep, run.validation.best_step);
      if (!left.empty()) told.insert(told.begin(), left);
    });
  } catch (...) {
    std::error_code ignored;
    if (world_.rank == 0) fs::remove_all(aside_, ignored);
    throw;
  }
  run.parent = (fs::path(aside_).parent_path() / text("step-", step_)).string();
  waited_ += seconds_since(start);
  if (world_.rank == 0) {
    told.insert(told.begin(),
                fmt::format("checkpoint {}: {} a rank in {:.2f} s, of which training waited {:.2f} s",
                            run.parent, gib(bytes_), seconds_since(begun_), waited_));
  }
  return told;
}

std::vector<std::string> save_checkpoint(Run& run, const World& world) {
  CheckpointWriter writer(world, 0);
  writer.begin(run, false);
  return writer.finish(run);
}

}  // namespace graticule
