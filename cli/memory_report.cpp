#include "cli/memory_report.h"

#include <iostream>
#include <nlohmann/json.hpp>

namespace graticule {

nlohmann::json to_json(const Booked& booked) {
  nlohmann::json accounts = nlohmann::json::object();
  for (const Account account : all_accounts) accounts[std::string(name_of(account))] = booked.of(account);
  return {{"peak_bytes", booked.total()}, {"accounts", std::move(accounts)}};
}

nlohmann::json to_json(const RankMemory& memory) {
  nlohmann::json object = to_json(memory.peak);
  object["rank"] = memory.rank;
  object["resident_peak_bytes"] = memory.resident;
  return object;
}

void print_memory(const RankMemory& memory, bool json) {
  if (json) {
    nlohmann::json object = to_json(memory);
    object["kind"] = "memory";
    std::cout << object.dump() << std::endl;
    return;
  }
  std::cout << "tensors of rank " << memory.rank << " at its peak, the largest of all ranks:\n"
            << table_of(memory.peak) << "\n  its process: " << gib(memory.resident) << " resident at most"
            << std::endl;
}

}  // namespace graticule
