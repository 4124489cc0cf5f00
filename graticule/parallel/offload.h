// A store outside the device's memory for tensors that are needed again only in the backward. The executor
// (training_pass.h) puts the tensors of blocks with the policy `offload` there.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace graticule {

/// Tensors in host memory (pinned when they come from a GPU) or in a file. Writes and reads run in the
/// background: those of the file in a thread, a GPU's copies in a stream of their own. After a tensor is put,
/// nothing may write to it until it is taken.
///
/// Nothing is copied when a tensor is already in the right place: a CPU tensor in host memory, or a meta
/// tensor, which represents one. Of a meta tensor in a file only sizes are kept. An error in the background
/// (a full disk) is thrown by the next call and by every later one.
class OffloadStore {
 public:
  /// The most writes under way at a time. So many tensors that were put may still be in memory.
  static constexpr int in_flight = 2;
  using Ticket = size_t;

  /// `folder` empty: host memory. Else a file without a name in that folder, so that no file remains after
  /// the run. Refuses a folder that is missing or cannot be written.
  explicit OffloadStore(const std::string& folder);
  /// Drops all tensors. A write under way stops after its current piece (16 MiB).
  ~OffloadStore();
  OffloadStore(OffloadStore&&) noexcept;
  OffloadStore& operator=(OffloadStore&&) noexcept;

  /// Starts to write the tensor; the store keeps it alive until it is written. Waits for the oldest write
  /// when `in_flight` of them are under way.
  Ticket put(const at::Tensor& value);
  /// Starts to read the tensor back into memory that this thread allocates now; does not wait. A second call
  /// does nothing.
  void prefetch(Ticket ticket);
  /// The tensor again: same bits, dtype, sizes and device, and contiguous when it comes from a file. Waits
  /// for operations under way, whether it was prefetched or not. Call it once for each ticket; then its place
  /// in the file is used again.
  at::Tensor take(Ticket ticket);

  /// The size of the file in bytes; 0 in host memory.
  int64_t file_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule
