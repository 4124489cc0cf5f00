// Tests cluster files: all in clusters/ are valid and name a source for each number; a bad entry is refused
// with its key and line.

#include "graticule/plan/cluster.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "graticule/core/error.h"
#include "tests/fuzz/mutation.h"
#include "tests/seed.h"

namespace graticule {
namespace {

std::vector<std::filesystem::path> given() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(GRATICULE_CLUSTERS)) {
    const bool measured = entry.path().stem() == "here";  // plan --calibrate may have been run
    if (entry.path().extension() == ".toml" && !measured) paths.push_back(entry.path());
  }
  return paths;
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Cluster, GivenOnesLoadByNameAndByPath) {
  EXPECT_GE(given().size(), 4U);
  for (const auto& path : given()) {
    const Cluster cluster = cluster_named(path.stem().string());
    EXPECT_EQ(cluster.name, path.stem().string());
    EXPECT_EQ(cluster_named(path.string()).nodes, cluster.nodes);
    EXPECT_GT(cluster.within_node.bandwidth, cluster.share_of_interfaces()) << path;
  }
}

TEST(Cluster, GivenNumbersNameTheirSource) {
  const std::regex number(R"(^\w+ = [0-9])"), source(R"(# source: .{8,})");
  for (const auto& path : given()) {
    std::istringstream lines(content_of(path));
    int numbers = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!std::regex_search(line, number)) continue;
      ++numbers;
      EXPECT_TRUE(std::regex_search(line, source)) << path << ": " << line;
    }
    EXPECT_GE(numbers, 15) << path;
  }
}

TEST(Cluster, UnitsAreBytesSecondsAndOperations) {
  const Cluster frontier = cluster_named("frontier");
  EXPECT_EQ(frontier.devices_per_node, 8);
  EXPECT_EQ(frontier.memory, 64.0 * 1024 * 1024 * 1024);
  EXPECT_DOUBLE_EQ(frontier.bf16.peak, 191.5e12);
  EXPECT_DOUBLE_EQ(frontier.share_of_interfaces(), 12.5e9);
  EXPECT_DOUBLE_EQ(frontier.file_system->read, 5.5e12);
  const auto& fly = std::get<Dragonfly>(frontier.topology);
  EXPECT_EQ(fly.groups * fly.routers_per_group * fly.nodes_per_router, frontier.nodes);
  EXPECT_TRUE(std::holds_alternative<FatTree>(cluster_named("dgx_h100").topology));
}

constexpr const char* small = R"(name = "small"
nodes = 4
devices_per_node = 2
[device]
memory_gib = 16
memory_bandwidth_gb_s = 900
bf16 = {peak_tflops = 100, linear_tflops = 50, attention_tflops = 40}
[device.fp32]
peak_tflops = 10
linear_tflops = 8
attention_tflops = 7.5
[within_node]
bandwidth_gb_s = 50
latency_us = 3
[across_nodes]
interfaces_per_node = 1
bandwidth_gb_s = 12.5
latency_us = 10
[topology]
kind = "flat"
)";

struct Bad {
  const char *entry, *instead;
  std::vector<const char*> said;
};

TEST(Cluster, BadEntriesAreRefusedWithTheirLine) {
  EXPECT_EQ(parse_cluster(small, "small.toml").interfaces_per_node, 1);
  const Bad cases[] = {
      {"memory_gib = 16", "", {"device.memory_gib is missing", "line 4"}},
      {"memory_gib = 16", "memory_gb = 16", {"device.memory_gib is missing", "device.memory_gb in line 5"}},
      {"memory_gib = 16", "memory_gib = 16e9", {"device.memory_gib", "line 5", "from 0.5 to 4096 (GiB)"}},
      {"latency_us = 3\n", "latency_us = -3\n", {"within_node.latency_us = -3", "line 14", "0.1 to 100000"}},
      {"latency_us = 3\n", "latency_us = nan\n", {"within_node.latency_us = nan", "line 14"}},
      {"latency_us = 3\n",
       "latency_us = \"3\"\n",
       {"within_node.latency_us", "line 14", "a number from 0.1 to 100000 (micro"}},
      {"nodes = 4", "nodes = 4.5", {"nodes = 4.5", "line 2", "a whole number from 1 to 1000000 (nodes)"}},
      {"nodes = 4", "nodes = 0", {"nodes = 0", "line 2"}},
      {"nodes = 4", "nodes = 4\nnode = 4", {"unknown key node ", "line 3", "did you mean nodes?"}},
      {"linear_tflops = 50", "linear_tflops = 120", {"device.bf16.linear_tflops", "line 7", "peak of 100"}},
      {"kind = \"flat\"", "kind = \"flt\"", {"topology.kind", "line 20", "did you mean \"flat\"?"}},
      {"kind = \"flat\"",
       "kind = \"fat_tree\"\nnodes_per_switch = 2\ntaper = 1.5",
       {"topology.taper", "line 22"}},
      {"kind = \"flat\"", "kind = \"flat\"\ntaper = 1", {"unknown key topology.taper", "line 21"}},
      {"kind = \"flat\"",
       "kind = \"dragonfly\"\ngroups = 1\nrouters_per_group = 1\nnodes_per_router = 2\nlocal_link_gb_s = 25\n"
       "global_link_gb_s = 25\nlinks_between_groups = 1",
       {"topology.groups = 1", "line 21", "nodes = 4"}},
      {"kind = \"flat\"",
       "kind = \"flat\"\n[file_system]\nread_gb_s = 1",
       {"file_system.write_gb_s is missing"}},
      {"memory_gib = 16", "memory_gib = 16\noverlap = 2", {"device.overlap = 2", "line 6", "0 to 1"}},
      {"latency_us = 3\n",
       "latency_us = 3\nby_message = [[100, 2], [10, 3]]\n",
       {"within_node.by_message", "line 15", "rising"}},
      {"linear_tflops = 8",
       "linear_tflops = 8\nlinear_by_width = [64, 5]",
       {"device.fp32.linear_by_width", "line 11"}},
      {"linear_tflops = 8",
       "linear_tflops = 8\nlinear_by_width = [[64, -5]]",
       {"device.fp32.linear_by_width", "line 11", "TFLOP/s"}},
      {"[within_node]", "[in_node]", {"within_node is missing", "in_node in line 12"}},
      {"nodes = 4", "within_node = 3\nnodes = 4", {"line 13"}},
      {"nodes = 4", "nodes = ", {"line 2"}},
  };
  for (const Bad& bad : cases) {
    std::string text = small;
    const size_t at = text.find(bad.entry);
    ASSERT_NE(at, std::string::npos) << bad.entry;
    text.replace(at, std::string(bad.entry).size(), bad.instead);
    try {
      parse_cluster(text, "small.toml");
      ADD_FAILURE() << "accepted: " << bad.instead;
    } catch (const std::invalid_argument& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find("[small.toml]"), 0U) << message;
      for (const char* part : bad.said)
        EXPECT_NE(message.find(part), std::string::npos) << message << "\n" << part;
    }
  }
}

// With sanitizers (make check-all) no damage reads or writes outside its memory.
TEST(Cluster, DamagedOnesEndInAMessage) {
  const std::vector<std::filesystem::path> paths = given();
  for (uint64_t draw = 0; draw < 2000; ++draw) {
    Random random(test_seed() * 100'000 + draw);
    const std::string sound = content_of(paths[draw % paths.size()]);
    try {
      parse_cluster(mutated(sound, sound, random), "test");
    } catch (const std::exception& error) {
      const bool ours = !dynamic_cast<const std::logic_error*>(&error) ||
                        dynamic_cast<const std::invalid_argument*>(&error);
      EXPECT_TRUE(ours && error.what()[0] == '[') << "draw " << draw << ": " << error.what();
    }
  }
}

TEST(Cluster, AnUnknownNameListsTheKnown) {
  try {
    cluster_named("frontir");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("dgx_h100, frontier, hgx_h200, perlmutter"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(cluster_named("nowhere/none.toml"), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
