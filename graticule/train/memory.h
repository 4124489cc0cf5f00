// What this rank takes of the machine's memory: the process as the system sees it, and tensors by account.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/DeviceType.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "graticule/comm/launch.h"
#include "graticule/core/ledger.h"

namespace graticule {

/// The largest resident size since the process began (or since the last reset), bytes.
int64_t peak_memory_bytes();
/// Starts the mark anew at the present size; where the system does not allow it, nothing changes.
void reset_peak_memory();

/// Books the tensors of one type of device that this thread allocates, autograd's threads and a loader's with
/// it, until it goes out of scope. Each is booked to the account current when it was allocated; those
/// allocated before are nobody's. The ledger must outlive the loader. Meta tensors are booked with the bytes
/// that real ones would take.
class MemoryWatch {
 public:
  explicit MemoryWatch(Ledger& ledger, c10::DeviceType device = c10::DeviceType::CPU);

 private:
  c10::DebugInfoGuard guard_;
};

/// What a rank may allocate: `memory_gib` if not 0; for the CPU else what the node has free (MemAvailable,
/// and what cgroup v2 allows) over its ranks; nothing, no limit, for other devices.
std::optional<int64_t> memory_limit(double memory_gib, c10::DeviceType device, int local_size);

/// Runs `body`; an allocation that fails in it is thrown as OutOfMemory with the ledger and the way out.
void explain_out_of_memory(const Ledger& ledger, const std::function<void()>& body);

/// The rank with the largest peak.
struct RankMemory {
  int rank = 0;
  Booked peak;           ///< tensors
  int64_t resident = 0;  ///< bytes of its process
};

/// Collective.
RankMemory largest_memory(const Ledger& ledger, const Group& everyone);

}  // namespace graticule
