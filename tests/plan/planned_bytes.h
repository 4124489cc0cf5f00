// The bytes that a rank sends in a step by the closed forms, by group label, for comparison with a run.
#pragma once

#include <map>
#include <string>

#include "graticule/plan/traffic.h"

namespace graticule {

/// Bytes by group label.
inline std::map<std::string, int64_t> planned_bytes(const Options& options, const ModelShape& shape,
                                                    const Axes& axes, int rank) {
  std::map<std::string, int64_t> bytes;
  for (const Exchange& exchange : exchanges_of_step(options, shape, axes, rank)) {
    bytes[std::string(name_of(exchange.group))] += exchange.bytes;
  }
  return bytes;
}

}  // namespace graticule
