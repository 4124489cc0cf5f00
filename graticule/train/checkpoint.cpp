#include "graticule/train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/checksum.h"
#include "graticule/train/file.h"
#include "graticule/train/saved_weights.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int format_version = 2;
const std::string prefix = "step-";

std::string file_of(int rank) { return text("rank-", rank, ".safetensors"); }

// A renamed folder survives a power cut only once its parent is on the disk.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0 || ::fsync(descriptor) != 0)
    fail("checkpoint", folder.string(), " cannot be synced to the disk");
  ::close(descriptor);
}

std::optional<int64_t> step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t step = 0;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(step) : std::nullopt;
}

// Whole checkpoints of a run, oldest first.
std::vector<fs::path> checkpoints_of(const fs::path& run_folder) {
  std::vector<fs::path> found;
  const fs::path folder = run_folder / "checkpoints";
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (step_of(entry.path())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return *step_of(a) < *step_of(b); });
  return found;
}

// What each rank tells rank 0 of its file.
json told_by(Run& run, const std::string& checksum) {
  return {{"checksum", checksum}, {"weights", describe_weights(run)}};
}

json manifest_of(Run& run, const std::vector<std::string>& told) {
  json files = json::array();
  std::vector<json> weights;
  std::vector<std::string> names;
  for (size_t rank = 0; rank < told.size(); ++rank) {
    const json of_rank = json::parse(told[rank]);
    names.push_back(file_of(static_cast<int>(rank)));
    files.push_back({{"name", names.back()}, {"checksum", of_rank.at("checksum")}});
    weights.push_back(of_rank.at("weights"));
  }
  return {{"format", format_version},
          {"step", run.step},
          {"position", run.loader ? run.loader->position() : 0},
          {"recipe", to_toml(run.options)},
          {"statistics", json::parse(to_json(run.statistics))},
          {"flats", join_descriptions(weights, names)},
          {"files", files}};
}

void write_manifest(const fs::path& path, const json& manifest) {
  const std::string content = manifest.dump(1) + "\n";
  File file = File::create(path.string(), "checkpoint");
  file.write_at(0, std::as_bytes(std::span(content)));
  file.sync();
}

void remove_old(const fs::path& run_folder, int64_t keep) {
  const auto all = checkpoints_of(run_folder);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) fs::remove_all(all[i]);
}

json read_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  std::ifstream file(path);
  if (!file) {
    refuse("checkpoint", "'", folder.string(),
           "' is no checkpoint: it has no manifest.json; name a folder RUN/checkpoints/step-N");
  }
  try {
    return json::parse(file);
  } catch (const json::exception&) {
    fail("checkpoint", path.string(), " is damaged (no JSON): resume from the checkpoint before it");
  }
}

}  // namespace

void save_checkpoint(Run& run, const World& world) {
  const fs::path folder = fs::path(run.options.run.out) / "checkpoints";
  const fs::path whole = folder / text(prefix, run.step), aside = folder / text(prefix, run.step, ".part");
  std::string checksum;
  agree(world, run.mesh.world, [&] {
    std::error_code error;
    fs::create_directories(aside, error);
    if (error)
      fail("checkpoint", aside.string(), " cannot be made: ", error.message(), "; choose another run.out");
  });
  try {
    agree(world, run.mesh.world, [&] {
      const fs::path mine = aside / file_of(world.rank);
      write_weights(run, mine.string());
      checksum = file_checksum(mine.string());
    });
    const std::vector<std::string> told = gather_texts(told_by(run, checksum).dump(), run.mesh.world);
    agree(world, run.mesh.world, [&] {
      if (world.rank != 0) return;
      write_manifest(aside / "manifest.json", manifest_of(run, told));
      sync_folder(aside);
      fs::remove_all(whole);
      fs::rename(aside, whole);
      sync_folder(folder);
      remove_old(run.options.run.out, run.options.run.keep);
    });
  } catch (...) {
    std::error_code ignored;
    if (world.rank == 0) fs::remove_all(aside, ignored);
    throw;
  }
}

CheckpointInfo read_checkpoint_info(const std::string& folder) {
  const json manifest = read_manifest(folder);
  try {
    if (manifest.at("format") != format_version) {
      refuse("checkpoint", folder, " has format ", manifest.at("format").dump(), ", this version reads ",
             format_version, ": train anew, or use the version that wrote it");
    }
    return {folder, manifest.at("step"), manifest.at("position"),
            parse_recipe(manifest.at("recipe").get<std::string>(), folder + "/manifest.json"),
            statistics_from_json(manifest.at("statistics").dump(), folder + "/manifest.json")};
  } catch (const json::exception& error) {
    fail("checkpoint", folder, "/manifest.json is damaged (", error.what(),
         "): resume from the checkpoint before it");
  }
}

void verify_checkpoint(const CheckpointInfo& info) {
  const json manifest = read_manifest(info.path);
  for (const auto& file : manifest.at("files")) {
    const std::string path = info.path + "/" + file.at("name").get<std::string>();
    const bool there = fs::exists(path);
    if (there && file_checksum(path) == file.at("checksum")) continue;
    std::string way_out = "there is no checkpoint before it: start the run anew";
    for (const auto& older : checkpoints_of(fs::path(info.path).parent_path().parent_path())) {
      if (*step_of(older) < info.step) way_out = "resume from the one before it: --resume " + older.string();
    }
    fail("checkpoint", path, there ? " is damaged (its checksum differs)" : " is missing", "; ", way_out);
  }
}

std::optional<std::string> newest_checkpoint(const std::string& run_folder) {
  const auto all = checkpoints_of(run_folder);
  return all.empty() ? std::nullopt : std::optional(all.back().string());
}

void load_checkpoint(const CheckpointInfo& info, Chain& chain, bool moments) {
  read_weights(read_manifest(info.path).at("flats"), info.path, chain, moments);
}

}  // namespace graticule
