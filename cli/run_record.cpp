#include "cli/run_record.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/memory_report.h"
#include "graticule/core/axes.h"
#include "graticule/core/cores.h"
#include "graticule/data/time.h"
#include "graticule/train/aside_file.h"

namespace graticule {

namespace {

// The first "KEY : value" of a file of /proc; empty where there is none.
std::string value_in(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t begin = line.find_first_not_of(" \t:", key.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

void write_json(const Run& run, const char* name, const nlohmann::json& json) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  write_whole(run.options.run.out + "/" + name, json.dump(1, ' ', false, replace) + "\n", "run");
}

}  // namespace

void write_machine(const Run& run, const World& world) {
  utsname system = {};
  uname(&system);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  nlohmann::json axes;
  for (const Axis axis : all_axes) axes[std::string(name_of(axis))] = run.mesh.axes.degree(axis);
  write_json(run, "machine.json",
             {{"started", format_time(std::chrono::duration_cast<std::chrono::seconds>(now).count())},
              {"versions",
               {{"Graticule", GRATICULE_VERSION}, {"PyTorch", GRATICULE_TORCH}, {"compiler", __VERSION__}}},
              {"host", system.nodename},
              {"system", text(system.sysname, " ", system.release, " ", system.machine)},
              {"processor", value_in("/proc/cpuinfo", "model name")},
              {"cores", cores_of_rank(1)},
              {"memory", value_in("/proc/meminfo", "MemTotal")},
              {"ranks", world.size},
              {"ranks_on_host", world.local_size},
              {"axes", axes},
              {"tokens", run.shape.grid.tokens()},
              {"parameters", parameters(run.shape)}});
}

void write_cost(const Run& run, const Trace& trace, int64_t steps, const RankMemory& memory) {
  write_json(run, "cost.json", {{"steps", steps}, {"seconds", trace.seconds}, {"memory", to_json(memory)}});
}

}  // namespace graticule
