// Where the executor puts what it needs again only in backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace graticule {

/// Tensors kept outside the device's memory: in host memory (pinned, when they come from a GPU) or in a file.
/// Writing and reading go on in the background: the file in a thread, a GPU's copies in a stream of their
/// own. A tensor that was put must not be written to before it is taken.
///
/// What already is where it is to be stays as it is: a CPU tensor in host memory, and a meta tensor, which
/// stands for one. Of a meta tensor in a file only sizes are kept. An error of the background (a full disk)
/// is thrown by the next call, and by every one after it.
class OffloadStore {
 public:
  /// Writes under way at a time: so many tensors that were put may still be in memory.
  static constexpr int in_flight = 2;
  using Ticket = size_t;

  /// `folder` empty: host memory. Else a file in that folder, without a name, so that nothing stays behind.
  /// Refuses a folder that is missing or cannot be written.
  explicit OffloadStore(const std::string& folder);
  /// Drops what is kept; a write under way ends with its current piece.
  ~OffloadStore();
  OffloadStore(OffloadStore&&) noexcept;
  OffloadStore& operator=(OffloadStore&&) noexcept;

  /// Starts writing; the store holds the tensor until it is written. Waits for the oldest write when
  /// `in_flight` of them are under way.
  Ticket put(const at::Tensor& value);
  /// Starts reading back, into memory that this thread allocates now, without waiting. A second call does
  /// nothing.
  void prefetch(Ticket ticket);
  /// The tensor again: same bits, dtype, sizes and device, contiguous when it comes from a file. Waits for
  /// what is under way, prefetched or not. Once a ticket; its place in the file is used again.
  at::Tensor take(Ticket ticket);

  /// Bytes that the file has grown to; 0 in host memory.
  int64_t file_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule
