#include "graticule/kernel/parallel_loop.h"

#include <ATen/Parallel.h>

#ifndef _OPENMP
#error "compile this file with -fopenmp, or every kernel runs on one thread"
#endif

namespace graticule {

void for_each_part(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body) {
  at::parallel_for(0, count, 1, body);
}

}  // namespace graticule
