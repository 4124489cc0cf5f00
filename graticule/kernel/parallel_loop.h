// A parallel loop over tasks on LibTorch's threads.
#pragma once

#include <cstdint>
#include <functional>

namespace graticule {

/// at::parallel_for over [0, count): body(begin, end) on up to at::get_num_threads() threads, each with a
/// contiguous part. at::parallel_for is a template with an OpenMP pragma: a file compiled without -fopenmp
/// runs it on one thread, without a warning. So the files of this room call it only through this unit, which
/// is compiled with -fopenmp.
void for_each_part(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace graticule
