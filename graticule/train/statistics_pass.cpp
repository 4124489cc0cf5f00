#include "graticule/train/statistics_pass.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/units.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/ranges.h"

namespace graticule {

namespace {

// Whether statistics were made from these data. The file at the path may have changed; its units and its
// number of times are compared.
bool made_of(const Statistics& statistics, const Catalog& catalog) {
  const auto inside = [&](int64_t time) { return statistics.range.holds(time); };
  if (std::count_if(catalog.times.begin(), catalog.times.end(), inside) != statistics.times) return false;
  return std::all_of(catalog.variables.begin(), catalog.variables.end(), [&](const Variable& variable) {
    const auto known = statistics.variables.find(variable.name);
    return known == statistics.variables.end() || same_units(known->second.units, variable.units);
  });
}

std::optional<Statistics> read_statistics(const std::string& path, const Options& options,
                                          const TimeRange& range, const Catalog& catalog) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream content;
  content << file.rdbuf();
  const Statistics statistics = statistics_of_text(content.str(), path, "remove it, and they are made anew");
  const bool same_data =
      statistics.source == options.data.path && statistics.range == range && made_of(statistics, catalog);
  if (!same_data) return std::nullopt;
  for (const auto& name : options.data.variables) {
    const auto found = statistics.variables.find(name);
    if (found == statistics.variables.end()) return std::nullopt;
    for (const int64_t lead : options.data.lead_hours) {
      if (!found->second.difference_deviation.contains(static_cast<int>(lead))) return std::nullopt;
    }
  }
  return statistics;
}

}  // namespace

Statistics statistics_of_text(const std::string& json, const std::string& path, const std::string& way_out) {
  try {
    return statistics_from_json(json, path);
  } catch (const std::exception&) {
    refuse("statistics", path, " holds no statistics of the form that this version reads: ", way_out);
  }
}

std::vector<std::string> gather_texts(const std::string& mine, const Group& group) {
  const int64_t ranks = group.size();
  const at::Tensor lengths = group
                                 .all_gather(at::full({1}, static_cast<int64_t>(mine.size()), at::kLong),
                                             std::vector<int64_t>(static_cast<size_t>(ranks), 1))
                                 .wait();
  at::Tensor bytes = at::empty({static_cast<int64_t>(mine.size())}, at::kByte);
  std::memcpy(bytes.data_ptr(), mine.data(), mine.size());
  const std::vector<int64_t> sizes(lengths.data_ptr<int64_t>(), lengths.data_ptr<int64_t>() + ranks);
  const at::Tensor all = group.all_gather(bytes, sizes).wait();
  std::vector<std::string> texts;
  int64_t offset = 0;
  for (const int64_t size : sizes) {
    texts.emplace_back(static_cast<const char*>(all.data_ptr()) + offset, static_cast<size_t>(size));
    offset += size;
  }
  return texts;
}

Statistics statistics_of_run(const Options& options, Source& source, const World& world,
                             const Group& everyone) {
  const TimeRange range = part_of_data(options.data, SplitPart::train, source.catalog());
  const std::string path = options.run.out + "/statistics.json";
  std::optional<Statistics> known;
  agree(world, everyone, [&] { known = read_statistics(path, options, range, source.catalog()); });
  // One rank may have looked before another one wrote. The file is used only if all ranks found it.
  const bool all_know =
      everyone.all_reduce(at::full({1}, known ? 1 : 0, at::kLong), Reduction::min).wait().item<int64_t>() ==
      1;
  if (all_know) return *known;

  Statistics share;
  agree(world, everyone, [&] {
    const std::vector<int> leads(options.data.lead_hours.begin(), options.data.lead_hours.end());
    share = compute_statistics(source, options.data.variables, leads, range, world.rank, world.size);
  });
  std::optional<Statistics> merged;
  for (const std::string& json : gather_texts(to_json(share), everyone)) {
    const Statistics part = statistics_from_json(json, "statistics of a rank");
    merged = merged ? merge(*merged, part) : part;
  }
  agree(world, everyone, [&] {
    if (world.rank == 0) write_whole(path, to_json(*merged) + "\n", "run");
  });
  return *merged;
}

}  // namespace graticule
