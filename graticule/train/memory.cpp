#include "graticule/train/memory.h"

#include <ATen/ops/tensor.h>

#include <sys/resource.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "graticule/core/error.h"
#include "graticule/train/meta_allocator.h"

namespace graticule {

namespace {

// LibTorch's allocators report each block to the thread's observer; `bytes` is negative when the block is
// freed.
class Watcher : public c10::MemoryReportingInfoBase {
 public:
  Watcher(Ledger& ledger, c10::DeviceType device)
      : ledger_(ledger), device_(device), owner_(std::this_thread::get_id()) {}

  bool memoryProfilingEnabled() const override { return true; }

  void reportMemoryUsage(void* block, int64_t bytes, size_t, size_t, c10::Device device) override {
    if (device.type() != device_) return;
    const std::lock_guard lock(mutex_);
    // A block that was freed on a thread without a watch is still known here when its address is used again.
    if (const auto known = blocks_.extract(block)) {
      ledger_.book(known.mapped().account, -known.mapped().bytes);
    }
    if (bytes <= 0) return;
    const Account account = account_here();
    ledger_.book(account, bytes);
    blocks_[block] = {bytes, account};
  }

  // This throws at the failed allocation, so the ledger is still as it was.
  void reportOutOfMemory(int64_t bytes, size_t, size_t, c10::Device device) override {
    if (device.type() != device_) return;
    const Booked now = ledger_.now();
    ledger_.fail(text("the system has no memory left for ", gib(bytes), " more of ", name_of(account_here()),
                      " beside ", gib(now.total()), " of tensors"),
                 now);
  }

 private:
  struct Block {
    int64_t bytes;
    Account account;
  };

  // Autograd's threads for a GPU have no account scopes; they run the backward, so their tensors are
  // activations.
  Account account_here() const {
    const Account account = current_account();
    return account == Account::other && std::this_thread::get_id() != owner_ ? Account::activations : account;
  }

  Ledger& ledger_;
  c10::DeviceType device_;
  std::thread::id owner_;
  std::mutex mutex_;
  std::unordered_map<void*, Block> blocks_;
};

std::shared_ptr<Watcher> watcher(Ledger& ledger, c10::DeviceType device) {
  if (device == c10::DeviceType::Meta) book_meta_tensors();
  return std::make_shared<Watcher>(ledger, device);
}

// The number after `key` in a file of "key number" lines; the file's first word when `key` is empty.
std::optional<int64_t> number_in(const std::string& path, const std::string& key = "") {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (!key.empty() && word != key) continue;
    if (!key.empty()) file >> word;
    if (word.empty() || word.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    return std::stoll(word);
  }
  return std::nullopt;
}

// The smallest amount of memory that a cgroup (v2) of this process, or one around it, still allows. The file
// cache that can be given up (inactive_file) counts as free.
std::optional<int64_t> free_in_cgroups() {
  std::ifstream file("/proc/self/cgroup");
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) path = line.substr(3);
  }
  std::optional<int64_t> least;
  for (;;) {
    const std::string folder = "/sys/fs/cgroup" + path;
    const auto most = number_in(folder + "/memory.max"), used = number_in(folder + "/memory.current");
    if (most && used) {
      const int64_t free = *most - *used + number_in(folder + "/memory.stat", "inactive_file").value_or(0);
      least = std::min(least.value_or(free), std::max<int64_t>(0, free));
    }
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

bool is_allocation_failure(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) || dynamic_cast<const std::bad_alloc*>(&error)) {
    return true;
  }
  return dynamic_cast<const c10::Error*>(&error) &&
         std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

}  // namespace

int64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

MemoryWatch::MemoryWatch(Ledger& ledger, c10::DeviceType device)
    : guard_(c10::DebugInfoKind::PROFILER_STATE, watcher(ledger, device)) {}

std::optional<int64_t> memory_limit(double memory_gib, c10::DeviceType device, int local_size) {
  if (memory_gib > 0) return static_cast<int64_t>(memory_gib * 1024 * 1024 * 1024);
  if (device != c10::DeviceType::CPU) return std::nullopt;
  const auto kib = number_in("/proc/meminfo", "MemAvailable:");
  const auto allowed = free_in_cgroups();
  if (!kib && !allowed) return std::nullopt;
  const int64_t free = kib ? *kib * 1024 : *allowed;
  return std::min(free, allowed.value_or(free)) / local_size;
}

void explain_out_of_memory(const Ledger& ledger, const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& error) {
    if (!is_allocation_failure(error)) throw;
    const Booked peak = ledger.peak();
    ledger.fail(text("the system has no memory left beside ", gib(peak.total()), " of tensors"), peak);
  }
}

RankMemory largest_memory(const Ledger& ledger, const Group& everyone) {
  const Booked peak = ledger.peak();
  std::vector<int64_t> mine = {peak.total(), peak_memory_bytes()};
  mine.insert(mine.end(), peak.bytes.begin(), peak.bytes.end());
  const at::Tensor row = at::tensor(mine, at::kLong).unsqueeze(0);
  const at::Tensor all =
      everyone.all_gather(row, std::vector<int64_t>(static_cast<size_t>(everyone.size()), 1)).wait().cpu();
  RankMemory largest;
  largest.rank = static_cast<int>(all.select(1, 0).argmax().item<int64_t>());
  const at::Tensor theirs = all[largest.rank];
  largest.resident = theirs[1].item<int64_t>();
  for (size_t i = 0; i < peak.bytes.size(); ++i) {
    largest.peak.bytes[i] = theirs[static_cast<int64_t>(i) + 2].item<int64_t>();
  }
  return largest;
}

}  // namespace graticule
