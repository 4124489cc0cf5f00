// Runs work on several threads of this rank. The commands that read whole data sets use it: each thread opens
// the data for itself.
#pragma once

#include <exception>
#include <thread>
#include <vector>

namespace graticule {

/// Calls work(0) to work(threads - 1), each on a thread, and waits. Throws the exception of the first thread
/// that had one.
template <class Work>
void on_threads(int threads, const Work& work) {
  std::vector<std::exception_ptr> failures(static_cast<size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&work, &failure = failures[static_cast<size_t>(i)], i] {
        try {
          work(i);
        } catch (...) {
          failure = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace graticule
