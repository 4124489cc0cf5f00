#include "graticule/plan/cluster.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/recipe/toml_text.h"

namespace graticule {

namespace {

constexpr double giga = 1e9, tera = 1e12, micro = 1e-6, gibi = 1024.0 * 1024.0 * 1024.0;

struct Range {
  double low, high;
  const char* unit;
};

// The ranges of today's devices and links, with a margin: a number in the wrong unit is outside them.
constexpr Range rate{0.001, 100e3, "TFLOP/s"}, bandwidth{0.001, 20e3, "GB/s"},
    latency{0.1, 1e5, "microseconds"}, width{1, 1e6, "width"}, message{1, 1e12, "bytes"},
    files{0.001, 1e6, "GB/s"}, part{0, 1, "a share"}, block_time{0, 1e6, "microseconds"},
    turns{1, 1024, "ranks"}, memory{0.5, 4096, "GiB"}, share{0.01, 1, "a share"}, nodes{1, 1e6, "nodes"},
    pieces{1, 4096, "pieces"};

// One table of the file. It remembers the keys that were read, so refuse_unknown() can find the others.
class Section {
 public:
  Section(const toml::table& table, std::string name, std::string where)
      : table_(table), name_(std::move(name)), where_(std::move(where)) {}

  Section section(const char* key) {
    const toml::node& inner = node(key);
    if (!inner.is_table()) refuse_value(inner, key, text("a table: [", name_ + key, "]"));
    return {*inner.as_table(), name_ + key + ".", where_};
  }

  std::string string(const char* key) {
    const toml::node& value = node(key);
    if (!value.is_string() || value.as_string()->get().empty()) refuse_value(value, key, "a text in quotes");
    return value.as_string()->get();
  }

  double number(const char* key, const Range& range) {
    const toml::node& value = node(key);
    const double number = value.is_number() ? *value.value<double>() : 0;
    if (!value.is_number() || !(number >= range.low && number <= range.high)) {
      refuse_value(value, key, text("a number from ", range.low, " to ", range.high, " (", range.unit, ")"));
    }
    return number;
  }

  int64_t count(const char* key, const Range& range) {
    const toml::node& value = node(key);
    const auto number = value.is_integer() ? *value.value<int64_t>() : 0;
    if (static_cast<double>(number) < range.low || static_cast<double>(number) > range.high) {
      refuse_value(
          value, key,
          text("a whole number from ", range.low, " to ", std::llround(range.high), " (", range.unit, ")"));
    }
    return number;
  }

  bool has(const char* key) const { return table_.contains(key); }

  double number_or(const char* key, const Range& range, double otherwise) {
    return has(key) ? number(key, range) : otherwise;
  }

  // False if the key is missing.
  bool flag(const char* key) {
    if (!has(key)) return false;
    const toml::node& value = node(key);
    if (!value.is_boolean()) refuse_value(value, key, "true or false");
    return *value.value<bool>();
  }

  // Pairs of a size and a rate, in rising order of size: [[64, 0.05], [128, 0.06]]. Empty if the key is
  // missing.
  std::vector<RatePoint> points(const char* key, const Range& sizes, const Range& rates, double unit) {
    if (!has(key)) return {};
    const toml::node& value = node(key);
    std::vector<RatePoint> points;
    const auto accepted = [&](const toml::node& entry) {
      const toml::array* pair = entry.as_array();
      if (!pair || pair->size() != 2 || !pair->get(0)->is_number() || !pair->get(1)->is_number())
        return false;
      const double size = *pair->get(0)->value<double>(), measured = *pair->get(1)->value<double>();
      if (!(size >= sizes.low && size <= sizes.high && measured >= rates.low && measured <= rates.high) ||
          (!points.empty() && size <= points.back().size)) {
        return false;
      }
      points.push_back({size, unit * measured});
      return true;
    };
    const toml::array* entries = value.as_array();
    if (!entries || entries->empty() || !std::all_of(entries->begin(), entries->end(), accepted)) {
      refuse_value(
          value, key,
          text("a list of pairs [", sizes.unit, ", ", rates.unit, "]: the first numbers rising, from ",
               sizes.low, " to ", sizes.high, ", the second from ", rates.low, " to ", rates.high));
    }
    return points;
  }

  [[noreturn]] void refuse_value(const char* key, const std::string& wanted) const {
    refuse_value(*table_.get(key), key, wanted);
  }

  // Refuses a key that was never read.
  void refuse_unknown() const {
    for (const auto& [key, value] : table_) {
      const std::string unknown(key.str());
      if (asked(unknown)) continue;
      refuse(where_, "unknown key ", name_ + unknown, " (line ", value.source().begin.line,
             "): did you mean ", name_ + nearest_name(unknown, asked_), "?");
    }
  }

 private:
  const toml::node& node(const char* key) {
    asked_.emplace_back(key);
    const toml::node* found = table_.get(key);
    if (!found) refuse_missing(key);
    return *found;
  }

  // A misspelt key counts as missing. The message names the unread key with the most similar name, and its
  // line.
  [[noreturn]] void refuse_missing(const std::string& key) const {
    std::vector<std::string> others;
    for (const auto& [other, value] : table_) {
      if (!asked(other.str())) others.emplace_back(other.str());
    }
    const std::string nearest = nearest_name(key, others);
    refuse(where_, name_ + key, " is missing (its table begins in line ", table_.source().begin.line,
           nearest.empty() ? std::string()
                           : text("; ", name_ + nearest, " in line ",
                                  table_.get(nearest)->source().begin.line, " has a similar name"),
           "): add it, docs/planner.md describes it");
  }

  bool asked(std::string_view key) const {
    return std::find(asked_.begin(), asked_.end(), key) != asked_.end();
  }

  [[noreturn]] void refuse_value(const toml::node& value, const char* key, const std::string& wanted) const {
    refuse(where_, name_ + key, " = ", printed(value), " (line ", value.source().begin.line, "): it must be ",
           wanted);
  }

  const toml::table& table_;
  std::string name_, where_;
  std::vector<std::string> asked_;
};

Rates rates_of(Section section) {
  Rates rates{tera * section.number("peak_tflops", rate), tera * section.number("linear_tflops", rate),
              tera * section.number("attention_tflops", rate),
              section.points("linear_by_width", width, rate, tera),
              section.points("attention_by_width", width, rate, tera)};
  for (const auto& [key, sustained] :
       {std::pair{"linear_tflops", rates.linear}, {"attention_tflops", rates.attention}}) {
    if (sustained > rates.peak) {
      section.refuse_value(key, text("at most the peak of ", rates.peak / tera, " TFLOP/s"));
    }
  }
  section.refuse_unknown();
  return rates;
}

Link link_of(Section& section) {
  return {giga * section.number("bandwidth_gb_s", bandwidth), micro * section.number("latency_us", latency),
          section.points("by_message", message, bandwidth, giga)};
}

Dragonfly dragonfly_of(Section& section, int64_t most_nodes) {
  const Dragonfly fly{section.count("groups", pieces),
                      section.count("routers_per_group", pieces),
                      section.count("nodes_per_router", pieces),
                      giga * section.number("local_link_gb_s", bandwidth),
                      giga * section.number("global_link_gb_s", bandwidth),
                      section.count("links_between_groups", pieces)};
  if (fly.groups * fly.routers_per_group * fly.nodes_per_router < most_nodes) {
    section.refuse_value("groups", text("enough for nodes = ", most_nodes, " with ", fly.routers_per_group,
                                        " routers a group of ", fly.nodes_per_router, " nodes"));
  }
  return fly;
}

Topology topology_of(Section section, int64_t most_nodes) {
  const std::string kind = section.string("kind");
  Topology topology;
  if (kind == "fat_tree") {
    topology = FatTree{section.count("nodes_per_switch", pieces), section.number("taper", share)};
  } else if (kind == "dragonfly") {
    topology = dragonfly_of(section, most_nodes);
  } else if (kind != "flat") {
    section.refuse_value("kind", text(R"("flat", "fat_tree" or "dragonfly"; did you mean ")",
                                      nearest_name(kind, {"flat", "fat_tree", "dragonfly"}), "\"?"));
  }
  section.refuse_unknown();
  return topology;
}

Cluster cluster_of(const toml::table& table, const std::string& where) {
  Section file(table, "", where);
  Cluster cluster;
  cluster.name = file.string("name");
  cluster.nodes = file.count("nodes", nodes);
  cluster.devices_per_node = file.count("devices_per_node", pieces);

  Section device = file.section("device");
  cluster.gpu = device.flag("gpu");
  cluster.memory = gibi * device.number("memory_gib", memory);
  cluster.memory_bandwidth = giga * device.number("memory_bandwidth_gb_s", bandwidth);
  cluster.pointwise = giga * device.number_or("pointwise_gb_s", bandwidth, cluster.memory_bandwidth / giga);
  cluster.block = micro * device.number_or("block_us", block_time, 0);
  cluster.sharing = device.number_or("sharing", turns, 1);
  cluster.overlap = device.number_or("overlap", part, 1);
  cluster.host = giga * device.number_or("host_gb_s", bandwidth, 0);
  cluster.bf16 = rates_of(device.section("bf16"));
  cluster.fp32 = rates_of(device.section("fp32"));
  device.refuse_unknown();

  if (cluster.devices_per_node > 1) {
    Section within = file.section("within_node");
    cluster.within_node = link_of(within);
    within.refuse_unknown();
  }
  if (cluster.nodes > 1) {
    Section across = file.section("across_nodes");
    cluster.interfaces_per_node = across.count("interfaces_per_node", pieces);
    cluster.interface = link_of(across);
    across.refuse_unknown();
    cluster.topology = topology_of(file.section("topology"), cluster.nodes);
  }
  if (file.has("file_system")) {
    Section system = file.section("file_system");
    cluster.file_system = {giga * system.number("read_gb_s", files),
                           giga * system.number("write_gb_s", files)};
    system.refuse_unknown();
  }
  file.refuse_unknown();
  return cluster;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) refuse("cluster", "'", path, "' cannot be read: name an existing TOML file");
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string known_names(const std::vector<std::filesystem::path>& folders) {
  std::vector<std::string> names;
  for (const auto& folder : folders) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
      if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

double rate_at(const std::vector<RatePoint>& points, double size, double otherwise) {
  if (points.empty()) return otherwise;
  const auto above =
      std::find_if(points.begin(), points.end(), [&](const RatePoint& p) { return p.size >= size; });
  if (above == points.begin()) return points.front().rate;
  if (above == points.end()) return points.back().rate;
  const RatePoint &a = *(above - 1), &b = *above;
  return a.rate + (b.rate - a.rate) * std::log(size / a.size) / std::log(b.size / a.size);
}

Cluster parse_cluster(const std::string& toml_text, const std::string& where) {
  return cluster_of(parse_toml(toml_text, where), where);
}

Cluster cluster_named(const std::string& name_or_path) {
  if (name_or_path.ends_with(".toml")) return parse_cluster(content_of(name_or_path), name_or_path);
  const std::vector<std::filesystem::path> folders = {"clusters", GRATICULE_CLUSTERS};
  for (const auto& folder : folders) {
    const auto path = folder / (name_or_path + ".toml");
    if (std::filesystem::is_regular_file(path)) return parse_cluster(content_of(path), path.string());
  }
  refuse("cluster", "'", name_or_path, "' is not known: choose ", known_names(folders),
         ", or give the path of a TOML file");
}

}  // namespace graticule
