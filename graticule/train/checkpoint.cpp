#include "graticule/train/checkpoint.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/checksum.h"
#include "graticule/train/file.h"
#include "graticule/train/history.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int format_version = 2;

std::string file_of(int rank) { return text("rank-", rank, ".safetensors"); }

std::string manifest_path(const fs::path& folder) { return (folder / "manifest.json").string(); }

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
          {"parent", parent_of(run)},
          {"started_from", run.started_from},
          {"validation", to_json(run.validation)},
          {"recipe", to_toml(run.options)},
          {"data", to_json(form_of(run.source->catalog(), run.options.data.variables, run.known_units))},
          {"statistics", json::parse(to_json(run.statistics))},
          {"flats", join_descriptions(weights, names)},
          {"files", files}};
}

// Bytes of paths and units that are not UTF-8 are replaced, because JSON must be UTF-8.
void write_manifest(const fs::path& folder, const json& manifest) {
  const std::string content = manifest.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  File file = File::create(manifest_path(folder), "checkpoint");
  file.write_at(0, std::as_bytes(std::span(content)));
  file.sync();
}

json read_manifest(const fs::path& folder) {
  const std::string path = manifest_path(folder);
  std::error_code error;
  if (!fs::exists(path, error) && !error) {
    refuse("checkpoint", "'", folder.string(),
           "' is no checkpoint: it has no manifest.json; name a folder RUN/checkpoints/step-N");
  }
  const File file = File::open(path, "checkpoint");
  std::string content(static_cast<size_t>(file.size()), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(content)));
  json manifest = json::parse(content, nullptr, false);
  if (!manifest.is_object())
    fail("checkpoint", path, " is damaged (no JSON object): resume from the checkpoint before it");
  return manifest;
}

// Reads an entry of the manifest, or of one of its objects. Fails when it does not have the form that this
// version writes.
template <class T>
T entry(const json& object, const char* key, const fs::path& folder) {
  try {
    return object.at(key).get<T>();
  } catch (const json::exception&) {
    fail("checkpoint", manifest_path(folder), " has no entry \"", key,
         "\" of the form that this version reads: copy the checkpoint again, or take the one before it");
  }
}

Statistics statistics_in(const json& manifest, const fs::path& folder) {
  return statistics_of_text(entry<json>(manifest, "statistics", folder).dump(), manifest_path(folder),
                            "copy the checkpoint again, or take the one before it");
}

// The form of the data; nothing for old checkpoints, which do not have the entry "data".
std::optional<DataForm> data_in(const json& manifest, const fs::path& folder) {
  if (!manifest.contains("data")) return std::nullopt;
  const json data = entry<json>(manifest, "data", folder);
  return DataForm{entry<std::vector<double>>(data, "latitudes", folder),
                  entry<std::vector<double>>(data, "longitudes", folder),
                  entry<std::map<std::string, std::string>>(data, "units", folder)};
}

// The default for old checkpoints, which do not have the entry.
Validation validation_in(const json& manifest, const fs::path& folder) {
  Validation validation;
  if (!manifest.contains("validation")) return validation;
  const json saved = entry<json>(manifest, "validation", folder);
  if (saved.contains("best") && !saved["best"].is_null())
    validation.best = entry<double>(saved, "best", folder);
  validation.best_step = entry<int64_t>(saved, "best_step", folder);
  validation.without = entry<int64_t>(saved, "without", folder);
  validation.evaluated = entry<int64_t>(saved, "evaluated", folder);
  return validation;
}

// Removes the unfinished checkpoints of jobs that died while they wrote.
void remove_unfinished(const fs::path& folder) {
  std::error_code error;
  for (const auto& found : fs::directory_iterator(folder, error)) {
    const fs::path& path = found.path();
    if (path.extension() == ".part" && step_in_name(path.stem())) fs::remove_all(path, error);
  }
}

// What to do about a damaged checkpoint: resume from the last one before it in the same folder, if there is
// one.
std::string way_out_of_damage(const CheckpointInfo& damaged) {
  std::string way_out = "there is no checkpoint before it: start the run anew";
  int64_t nearest = -1;
  std::error_code error;
  for (const auto& beside : fs::directory_iterator(fs::path(damaged.path) / "..", error)) {
    const auto step = step_in_name(beside.path());
    if (!step || *step >= damaged.step || *step < nearest || !fs::exists(manifest_path(beside), error))
      continue;
    nearest = *step;
    way_out = "resume from the one before it: --resume " + beside.path().lexically_normal().string();
  }
  return way_out;
}

}  // namespace

std::vector<std::string> save_checkpoint(Run& run, const World& world) {
  const std::string run_folder = run.options.run.out;
  const fs::path folder = fs::path(run_folder) / "checkpoints";
  const std::string name = text("step-", run.step);
  const fs::path aside = folder / (name + ".part");
  std::vector<std::string> told;
  std::string checksum;
  agree(world, run.mesh.world, [&] {
    if (world.rank == 0) remove_unfinished(folder);
  });
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
    const std::vector<std::string> of_ranks = gather_texts(told_by(run, checksum).dump(), run.mesh.world);
    agree(world, run.mesh.world, [&] {
      if (world.rank != 0) return;
      write_manifest(aside, manifest_of(run, of_ranks));
      const std::string left = append_to_line(run_folder, aside.string(), run.step, run.parent);
      if (run.options.train.patience > 0) name_best(run_folder, run.validation.best_step);
      told = remove_old(run_folder, run.options.run.keep, run.validation.best_step);
      if (!left.empty()) told.insert(told.begin(), left);
    });
  } catch (...) {
    std::error_code ignored;
    if (world.rank == 0) fs::remove_all(aside, ignored);
    throw;
  }
  run.parent = (folder / name).string();
  return told;
}

CheckpointInfo read_checkpoint_info(const std::string& named) {
  fs::path folder = (fs::path(named) / "").lexically_normal().parent_path();
  std::error_code none;
  if (fs::is_symlink(folder, none)) folder = folder.parent_path() / fs::read_symlink(folder, none);
  const json manifest = read_manifest(folder);
  const auto format = entry<json>(manifest, "format", folder);
  if (format != format_version) {
    refuse("checkpoint", folder.string(), " has format ", format.dump(), ", this version reads ",
           format_version, ": train anew, or use the version that wrote it");
  }
  return {folder.string(),
          entry<int64_t>(manifest, "step", folder),
          entry<int64_t>(manifest, "position", folder),
          parse_recipe(entry<std::string>(manifest, "recipe", folder), manifest_path(folder)),
          statistics_in(manifest, folder),
          data_in(manifest, folder),
          manifest.contains("started_from") ? entry<std::string>(manifest, "started_from", folder) : "",
          validation_in(manifest, folder)};
}

void verify_checkpoint(const CheckpointInfo& info) {
  const json manifest = read_manifest(info.path);
  for (const auto& file : entry<json>(manifest, "files", info.path)) {
    const std::string path = info.path + "/" + entry<std::string>(file, "name", info.path);
    std::error_code unknown;  // if the check is not allowed, reading the file fails and says why
    const bool there = fs::exists(path, unknown) || unknown;
    if (there && file_checksum(path) == entry<std::string>(file, "checksum", info.path)) continue;
    fail("checkpoint", path, there ? " is damaged (its checksum differs)" : " is missing", "; ",
         way_out_of_damage(info));
  }
}

void load_checkpoint(const CheckpointInfo& info, Chain& chain, Taken taken) {
  read_weights(entry<json>(read_manifest(info.path), "flats", info.path), info.path, chain, taken,
               info.options.train.ema > 0);
}

}  // namespace graticule
