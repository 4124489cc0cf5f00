// Records the kernels that a thread runs, through PyTorch's RecordFunction. That reports every operator of
// ATen. Our own kernels report themselves as graticule::product, graticule::flash_forward,
// graticule::flash_backward, graticule::pointwise, graticule::sum_of_parts and graticule::update. Only sizes are
// read, so meta tensors will do. step_trace.h uses it.
#pragma once

#include <ATen/record_function.h>

#include <functional>
#include <vector>

#include "graticule/plan/kernel_time.h"

namespace graticule {

/// While it exists, calls `seen` for each kernel of this thread, in the order in which the kernels end. A
/// thread can have one recorder at a time.
///
/// A product and an attention are one kernel each, counted by their sizes; operators inside them do not
/// count. Of all other operators those count that call no counted one: by the bytes that they read and write.
/// Views and the creation of an empty tensor do not count.
class KernelRecorder {
 public:
  /// `updates`: the kernel belongs to the optimizer's update.
  using Seen = std::function<void(const Kernel& kernel, bool updates)>;
  explicit KernelRecorder(Seen seen);
  ~KernelRecorder();
  KernelRecorder(const KernelRecorder&) = delete;
  KernelRecorder& operator=(const KernelRecorder&) = delete;

 private:
  struct Call {
    Kernel kernel;
    bool is_ours = false, is_update = false;
    int64_t seen_before = 0;  ///< number of kernels when the call began
  };
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function);
  static void end(const at::RecordFunction& function, at::ObserverContext* context);
  void begins(const at::RecordFunction& function);
  void ends(const at::RecordFunction& function);

  Seen seen_;
  std::vector<Call> calls_;  ///< calls that have not ended, the outermost first
  int64_t count_ = 0;
  at::CallbackHandle handle_;
};

}  // namespace graticule
