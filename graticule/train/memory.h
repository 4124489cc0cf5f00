// Measures and limits the memory of this rank: the process as the system sees it, and tensors by account
// (core/ledger.h: weights, activations, ...).
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

/// The largest resident size of the process in bytes, since it began or since the last reset.
int64_t peak_memory_bytes();
/// Resets that maximum to the present size. Does nothing where the system does not allow it.
void reset_peak_memory();

/// While it exists, books the tensors on one type of device that this thread allocates, and those of
/// autograd's and a loader's threads. A tensor is booked to the account that is current when it is allocated.
/// Tensors allocated before are not counted. Meta tensors are booked with the bytes that real ones would
/// take. The ledger must outlive the loader.
class MemoryWatch {
 public:
  explicit MemoryWatch(Ledger& ledger, c10::DeviceType device = c10::DeviceType::CPU);

 private:
  c10::DebugInfoGuard guard_;
};

/// The bytes that a rank may allocate: `memory_gib` if it is not 0. Else, on a CPU, what the node has free
/// (MemAvailable, and what cgroup v2 allows) divided by its ranks `local_size`. Else nothing: no limit.
std::optional<int64_t> memory_limit(double memory_gib, c10::DeviceType device, int local_size);

/// Runs `body`. When an allocation in it fails, throws OutOfMemory with the ledger's accounts and what the
/// user can do.
void explain_out_of_memory(const Ledger& ledger, const std::function<void()>& body);

/// The rank with the largest peak of tensors.
struct RankMemory {
  int rank = 0;
  Booked peak;           ///< tensors
  int64_t resident = 0;  ///< bytes of its process
};

/// The fullest rank, the same on every rank. Collective over `everyone`.
RankMemory largest_memory(const Ledger& ledger, const Group& everyone);

}  // namespace graticule
