#include "graticule/train/background_file.h"

#include <ATen/ThreadLocalState.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "graticule/core/ledger.h"

namespace graticule {

namespace {

// A copy on the host. Plain memcpy: an operator would start a second team of threads beside that of training.
at::Tensor copy_of(const at::Tensor& values) {
  if (!values.is_cpu()) return values.cpu();
  at::Tensor copy = at::empty(values.sizes(), values.options());
  std::memcpy(copy.data_ptr(), values.const_data_ptr(), values.nbytes());
  return copy;
}

// The first part that is copied: all from there on take at most `memory` bytes.
size_t first_copied(const std::vector<SavedPart>& parts, int64_t memory) {
  size_t first = parts.size();
  while (first > 0 && parts[first - 1].entry.bytes() <= memory) memory -= parts[--first].entry.bytes();
  return first;
}

}  // namespace

BackgroundFile::BackgroundFile(std::vector<SavedPart> parts, std::string path, int64_t memory)
    : parts_(std::move(parts)),
      path_(std::move(path)),
      thread_([this, memory, caller = at::ThreadLocalState()] {
        const at::ThreadLocalStateGuard observed(caller);  // the ledger sees the copy
        const Accounted booked(Account::optimizer);
        try {
          work(memory);
        } catch (...) {
          error_ = std::current_exception();
        }
        parts_.clear();
        say_copied();
        ended_ = true;
      }) {}

BackgroundFile::~BackgroundFile() = default;

void BackgroundFile::work(int64_t memory) {
  std::vector<TensorEntry> entries;
  for (const SavedPart& part : parts_) entries.push_back(part.entry);
  SafetensorsWriter writer(path_, entries);
  const size_t first = first_copied(parts_, memory);
  for (size_t i = 0; i < first; ++i) writer.write(parts_[i].entry.name, parts_[i].values);
  for (size_t i = first; i < parts_.size(); ++i) parts_[i].values = copy_of(parts_[i].values);
  say_copied();
  for (size_t i = first; i < parts_.size(); ++i) {
    writer.write(parts_[i].entry.name, parts_[i].values);
    parts_[i].values.reset();
  }
  writer.close();
  checksum_ = writer.checksum();
}

void BackgroundFile::say_copied() {
  const std::lock_guard lock(mutex_);
  copied_ = true;
  changed_.notify_all();
}

void BackgroundFile::wait_copied() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return copied_; });
}

std::string BackgroundFile::wait() {
  if (thread_.joinable()) thread_.join();
  if (error_) std::rethrow_exception(error_);
  return checksum_;
}

}  // namespace graticule
