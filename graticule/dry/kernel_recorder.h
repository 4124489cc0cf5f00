// Which kernels a thread runs, seen through PyTorch's RecordFunction: every operator of ATen, and the entries
// of our own kernels, which name themselves there (graticule::product, flash_forward, flash_backward,
// sum_of_parts, update). Sizes are enough, so it works on meta tensors.
#pragma once

#include <ATen/record_function.h>

#include <functional>
#include <vector>

#include "graticule/plan/kernel_time.h"

namespace graticule {

/// Gives each kernel of this thread to `seen`, in the order in which they end, for as long as it lives;
/// `updates`: the optimizer runs it. One at a time a thread.
///
/// A product or an attention counts by its sizes, whatever runs inside it. Of everything else an operator
/// that calls no other counts, by the bytes it reads and writes; views and empty tensors count nothing.
class KernelRecorder {
 public:
  using Seen = std::function<void(const Kernel& kernel, bool updates)>;
  explicit KernelRecorder(Seen seen);
  ~KernelRecorder();
  KernelRecorder(const KernelRecorder&) = delete;
  KernelRecorder& operator=(const KernelRecorder&) = delete;

 private:
  struct Call {
    Kernel kernel;
    bool is_ours = false, is_update = false;
    int64_t seen_before = 0;  ///< kernels when it began
  };
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function);
  static void end(const at::RecordFunction& function, at::ObserverContext* context);
  void begins(const at::RecordFunction& function);
  void ends(const at::RecordFunction& function);

  Seen seen_;
  std::vector<Call> calls_;  ///< under way, the outermost first
  int64_t count_ = 0;
  at::CallbackHandle handle_;
};

}  // namespace graticule
