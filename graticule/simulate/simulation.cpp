#include "graticule/simulate/simulation.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

double RankTime::busy() const { return std::accumulate(active.begin(), active.end(), 0.0); }

void to_json(nlohmann::json& json, const RankTime& time) {
  json = {time.active, time.waited, time.idled, time.end};
}
void from_json(const nlohmann::json& json, RankTime& time) {
  json.at(0).get_to(time.active), json.at(1).get_to(time.waited);
  json.at(2).get_to(time.idled), json.at(3).get_to(time.end);
}

void to_json(nlohmann::json& json, const Interval& interval) {
  json = {interval.kind, interval.what, interval.start, interval.end};
}
void from_json(const nlohmann::json& json, Interval& interval) {
  json.at(0).get_to(interval.kind), json.at(1).get_to(interval.what);
  json.at(2).get_to(interval.start), json.at(3).get_to(interval.end);
}

std::string packed(const Simulation& simulation) {
  const auto bytes = nlohmann::json::to_msgpack(
      nlohmann::json::array({simulation.seconds, simulation.ranks, simulation.drawn, simulation.flows}));
  return {bytes.begin(), bytes.end()};
}

Simulation unpacked(const std::string& bytes) {
  const nlohmann::json json = nlohmann::json::from_msgpack(bytes);
  return {json.at(0).get<double>(), json.at(1).get<std::vector<RankTime>>(),
          json.at(2).get<std::map<int, std::vector<Interval>>>(), json.at(3).get<int64_t>()};
}

}  // namespace graticule
