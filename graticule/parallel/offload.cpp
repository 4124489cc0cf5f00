#include "graticule/parallel/offload.h"

#include <ATen/ThreadLocalState.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "graticule/core/error.h"
#include "graticule/parallel/scratch_file.h"

namespace graticule {

namespace {

constexpr size_t piece_bytes = size_t{16} << 20;  // bytes; the destructor waits for at most one piece

enum class Place { memory, writing, file, reading };

struct Entry {
  at::TensorOptions options;  ///< of the tensor that was put
  std::vector<int64_t> sizes;
  at::Tensor value;  ///< undefined when it is only in the file, or meta
  Place place = Place::memory;
  bool wanted = false;              ///< prefetched during its write: it stays in memory
  int64_t offset = 0, bytes = 0;    ///< in the file; 0 bytes: none
  std::optional<c10::Event> event;  ///< follows the last copy between GPU and host

  at::Tensor empty(bool on_host) const {
    const bool pinned = on_host && options.device().is_cuda();
    return at::empty(sizes, on_host ? options.device(at::kCPU).pinned_memory(pinned) : options);
  }
};

c10::Stream current_stream(const at::Device& device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

// Copies between a GPU and pinned memory in a stream beside the current one, after the work that the current
// stream has. Both caching allocators know the streams that use their memory, so either tensor may be
// dropped.
c10::Event copy_beside(const at::Tensor& to, const at::Tensor& from) {
  const at::Tensor& on_device = to.is_cuda() ? to : from;
  const at::Device device = on_device.device();
  const c10::Stream beside = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  c10::Event before(device.type()), after(device.type());
  before.record(current_stream(device));
  before.block(beside);
  {
    const c10::StreamGuard guard(beside);
    to.copy_(from, /*non_blocking=*/true);
  }
  on_device.record_stream(beside);
  after.record(beside);
  return after;
}

// Copies the tensor to the device that it came from, if it is not there yet. Its value is in memory, or it is
// meta.
void bring_back(Entry& entry) {
  if (entry.value.defined() && entry.value.device() == entry.options.device()) return;
  const at::Tensor there = entry.empty(false);
  if (entry.value.defined()) {
    if (entry.event) entry.event->block(current_stream(there.device()));
    entry.event = copy_beside(there, entry.value);
  }
  entry.value = there;
}

std::span<std::byte> bytes_of(const at::Tensor& host) {
  return {static_cast<std::byte*>(host.data_ptr()), static_cast<size_t>(host.nbytes())};
}

}  // namespace

struct OffloadStore::State {
  std::optional<ScratchFile> file;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::map<Ticket, Entry> entries;
  Ticket next = 0;
  std::deque<Ticket> queue;               ///< tickets to write or read, in order
  std::multimap<int64_t, int64_t> holes;  ///< free places of the file: bytes, offset
  int64_t end = 0;
  int writing = 0;
  std::string error;
  std::jthread worker;  // last member: it stops before the members that it uses are destroyed

  void work(const std::stop_token& stop);
  void transfer(Entry& entry, bool writes, const std::stop_token& stop);

  template <class Condition>
  void wait(std::unique_lock<std::mutex>& lock, const Condition& condition) {
    changed.wait(lock, [&] { return !error.empty() || condition(); });
    if (!error.empty()) throw std::runtime_error(error);
  }

  Entry& entry_of(Ticket ticket) {
    const auto found = entries.find(ticket);
    GRATICULE_CHECK(found != entries.end(), "ticket ", ticket, " was taken before");
    return found->second;
  }

  int64_t place_for(int64_t bytes) {
    if (auto hole = holes.extract(bytes)) return hole.mapped();
    return std::exchange(end, end + bytes);
  }

  void start(Ticket ticket, Place place) {
    entry_of(ticket).place = place;
    queue.push_back(ticket);
    changed.notify_all();
  }

  void prefetch(Ticket ticket) {
    Entry& entry = entry_of(ticket);
    if (entry.place == Place::memory) bring_back(entry);
    if (entry.place == Place::writing) entry.wanted = true;
    if (entry.place == Place::file) {
      entry.value = entry.empty(true);
      start(ticket, Place::reading);
    }
  }
};

void OffloadStore::State::transfer(Entry& entry, bool writes, const std::stop_token& stop) {
  if (writes && entry.event) entry.event->synchronize();
  std::span<std::byte> left = bytes_of(entry.value);
  int64_t offset = entry.offset;
  while (!left.empty() && !stop.stop_requested()) {
    const auto piece = left.first(std::min(left.size(), piece_bytes));
    writes ? file->write_at(offset, piece) : file->read_at(offset, piece);
    left = left.subspan(piece.size());
    offset += static_cast<int64_t>(piece.size());
  }
}

void OffloadStore::State::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  while (changed.wait(lock, stop, [&] { return !queue.empty(); }) && !stop.stop_requested()) {
    Entry& entry = entries.at(queue.front());
    queue.pop_front();
    const bool writes = entry.place == Place::writing;
    lock.unlock();
    std::string failed;
    try {
      transfer(entry, writes, stop);
    } catch (const std::exception& thrown) {
      failed = thrown.what();
    }
    lock.lock();
    error = failed;
    if (writes) --writing;
    const bool stays = !writes || entry.wanted;
    entry.place = stays ? Place::memory : Place::file;
    if (!stays) entry.value.reset();
    changed.notify_all();
    if (!error.empty()) return;
  }
}

OffloadStore::OffloadStore(const std::string& folder) : state_(std::make_unique<State>()) {
  if (folder.empty()) return;
  state_->file.emplace(
      folder,
      ScratchFile::Words{"offload", "train.offload_to",
                         "name another train.offload_to, or choose train.activations = \"recompute\""});
  // Memory that the thread frees is taken off the ledger of the rank that it works for.
  state_->worker =
      std::jthread([state = state_.get(), caller = at::ThreadLocalState()](const std::stop_token& stop) {
        const at::ThreadLocalStateGuard observed(caller);
        state->work(stop);
      });
}

OffloadStore::~OffloadStore() = default;
OffloadStore::OffloadStore(OffloadStore&&) noexcept = default;
OffloadStore& OffloadStore::operator=(OffloadStore&&) noexcept = default;

OffloadStore::Ticket OffloadStore::put(const at::Tensor& value) {
  const at::Tensor plain = value.detach();
  Entry entry;
  entry.options = plain.options(), entry.sizes = plain.sizes().vec();
  const bool to_file = state_->file && !plain.is_meta() && plain.numel() > 0;
  std::unique_lock lock(state_->mutex);
  state_->wait(lock, [&] { return state_->writing < in_flight; });
  lock.unlock();
  if (plain.is_cuda()) {
    entry.value = entry.empty(true);
    entry.event = copy_beside(entry.value, plain);
  } else if (!plain.is_meta() || !state_->file) {
    entry.value = to_file ? plain.contiguous() : plain;
  }
  lock.lock();
  const Ticket ticket = state_->next++;
  if (to_file) {
    entry.bytes = static_cast<int64_t>(plain.nbytes());
    entry.offset = state_->place_for(entry.bytes);
  }
  state_->entries.emplace(ticket, std::move(entry));
  if (to_file) {
    ++state_->writing;
    state_->start(ticket, Place::writing);
  }
  return ticket;
}

void OffloadStore::prefetch(Ticket ticket) {
  std::unique_lock lock(state_->mutex);
  state_->wait(lock, [] { return true; });
  state_->prefetch(ticket);
}

at::Tensor OffloadStore::take(Ticket ticket) {
  std::unique_lock lock(state_->mutex);
  state_->wait(lock, [] { return true; });
  Entry& entry = state_->entry_of(ticket);
  state_->prefetch(ticket);
  state_->wait(lock, [&] { return entry.place == Place::memory; });
  bring_back(entry);
  if (entry.event) entry.event->block(current_stream(entry.options.device()));
  if (entry.bytes > 0) state_->holes.emplace(entry.bytes, entry.offset);
  at::Tensor value = entry.value;
  state_->entries.erase(ticket);
  return value;
}

int64_t OffloadStore::file_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->end;
}

}  // namespace graticule
