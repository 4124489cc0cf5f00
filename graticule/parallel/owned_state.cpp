#include "graticule/parallel/owned_state.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <sys/mman.h>

#include <cerrno>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/parallel/scratch_file.h"

namespace graticule {

namespace {

constexpr int64_t alignment = 64;  // bytes, of each tensor within the memory of a state

// Maps a new file of zeros. The mapping remains when the file is closed, and ends with the last tensor that
// uses it.
at::Tensor mapped_zeros(const std::string& folder, int64_t bytes, const std::string& name) {
  ScratchFile file(folder, {"state", "train.state_in",
                            "name another train.state_in, or leave it out to keep the state in memory"});
  file.reserve(bytes, "master weights, moments and averages of " + name);
  void* start =
      ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor(), 0);
  if (start == MAP_FAILED) file.broken(errno, text(" mapping ", gib(bytes)));
  return at::from_blob(
      start, {bytes}, [bytes](void* mapped) { ::munmap(mapped, static_cast<size_t>(bytes)); },
      at::TensorOptions(at::kByte));
}

// Mapped memory in a dry run: it has sizes, but no allocator is called.
at::Tensor meta_bytes(int64_t bytes) {
  at::Tensor memory = at::empty({0}, at::TensorOptions(at::kByte).device(at::kMeta));
  memory.storage().set_nbytes(static_cast<size_t>(bytes));
  memory.unsafeGetTensorImpl()->set_sizes_contiguous({bytes});
  return memory;
}

}  // namespace

OwnedState zero_state(int64_t elements, at::ScalarType moments, bool averages, const at::Device& device,
                      const std::string& folder, const std::string& name) {
  const auto room_of = [&](at::ScalarType dtype) {
    const int64_t bytes = elements * static_cast<int64_t>(at::elementSize(dtype));
    return (bytes + alignment - 1) / alignment * alignment;
  };
  const int64_t bytes = (averages ? 2 : 1) * room_of(at::kFloat) + 2 * room_of(moments);
  const bool mapped = !folder.empty() && bytes > 0;
  const at::Tensor memory = !mapped ? at::zeros({bytes}, at::TensorOptions(at::kByte).device(device))
                            : device.is_meta() ? meta_bytes(bytes)
                                               : mapped_zeros(folder, bytes, name);
  int64_t offset = 0;
  const auto next = [&](at::ScalarType dtype) {
    const at::Tensor room = memory.narrow(0, offset, room_of(dtype));
    offset += room.numel();
    return room.view(dtype).narrow(0, 0, elements);
  };
  const at::Tensor master = next(at::kFloat), moment1 = next(moments), moment2 = next(moments);
  return {master, moment1, moment2, averages ? next(at::kFloat) : at::Tensor()};
}

}  // namespace graticule
