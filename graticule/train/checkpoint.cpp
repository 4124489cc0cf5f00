#include "graticule/train/checkpoint.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/train/checksum.h"
#include "graticule/train/file.h"
#include "graticule/train/history.h"
#include "graticule/train/manifest_entry.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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

Statistics statistics_in(const json& manifest, const fs::path& folder) {
  return statistics_of_text(entry<json>(manifest, "statistics", folder).dump(), manifest_path(folder),
                            "copy the checkpoint again, or take the one before it");
}

// The form of the data; nothing for old checkpoints, which do not have the entry "data".
std::optional<DataForm> data_in(const json& manifest, const fs::path& folder) {
  if (!manifest.contains("data")) return std::nullopt;
  return data_form_from_json(entry<json>(manifest, "data", folder), folder);
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

// The checksum of each file by its name. Refuses names that lead out of the folder.
std::map<std::string, std::string> checksums_in(const json& manifest, const fs::path& folder) {
  std::map<std::string, std::string> checksums;
  for (const auto& file : entry<json>(manifest, "files", folder)) {
    const auto name = entry<std::string>(file, "name", folder);
    if (name.empty() || name == ".." || fs::path(name).filename() != name)
      fail("checkpoint", manifest_path(folder), " names the file '", name,
           "', which is not in its folder: take a checkpoint whose origin you know");
    checksums[name] = entry<std::string>(file, "checksum", folder);
  }
  return checksums;
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

CheckpointInfo read_checkpoint_info(const std::string& named) {
  fs::path folder = (fs::path(named) / "").lexically_normal().parent_path();
  std::error_code none;
  if (fs::is_symlink(folder, none)) folder = folder.parent_path() / fs::read_symlink(folder, none);
  const json manifest = read_manifest(folder);
  const auto format = entry<json>(manifest, "format", folder);
  if (format != checkpoint_format) {
    refuse("checkpoint", folder.string(), " has format ", format.dump(), ", this version reads ",
           checkpoint_format, ": train anew, or use the version that wrote it");
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

void load_checkpoint(const CheckpointInfo& info, Chain& chain, Taken taken) {
  const json manifest = read_manifest(info.path);
  const auto checksums = checksums_in(manifest, info.path);
  const auto check = [&](const std::string& name) {
    const auto known = checksums.find(name);
    if (known == checksums.end())
      fail("checkpoint", manifest_path(info.path), " has no checksum of its file ", name,
           ": copy the checkpoint again, or take the one before it");
    const std::string path = info.path + "/" + name;
    std::error_code unknown;  // if the check is not allowed, reading the file fails and says why
    const bool there = fs::exists(path, unknown) || unknown;
    if (there && file_checksum(path) == known->second) return;
    fail("checkpoint", path, there ? " is damaged (its checksum differs)" : " is missing", "; ",
         way_out_of_damage(info));
  };
  read_weights(entry<json>(manifest, "flats", info.path), info.path, chain, taken, info.options.train.ema > 0,
               check);
}

}  // namespace graticule
