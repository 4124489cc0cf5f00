// The loop over tasks on LibTorch's threads.
#pragma once

#include <cstdint>
#include <functional>

namespace graticule {

/// at::parallel_for over [0, count): body(begin, end) on up to at::get_num_threads() threads, each a
/// contiguous part. at::parallel_for is a template over OpenMP's pragma: a file compiled without -fopenmp
/// runs it on one thread, silently. So it is called here alone, and this file is compiled with it.
void for_each_part(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace graticule
