#include "cli/job.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <thread>

namespace graticule {

namespace {

// A message of graticule starts with its place, "[place]". Any other comes from a library, in a case that no
// check covers.
bool is_ours(const std::exception& error) { return error.what()[0] == '['; }

int exit_code_of(const std::exception& error) {
  return is_ours(error) && dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
}

// LibTorch appends a stack trace to its messages; only the text before it is shown.
std::string message_of(const std::exception& error) {
  const std::string message = error.what();
  const std::string first = message.substr(0, message.find("\nException raised from"));
  if (is_ours(error)) return first;
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return "[memory] no memory is left: use more ranks, or a machine with more memory";
  return "[library] " + first + " (an unexpected error of a library: please report it with the command)";
}

void show(const std::exception& error) { std::cerr << "graticule: " << message_of(error) << std::endl; }

int with_exit_code(const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    show(error);
    return exit_code_of(error);
  }
}

// Ranks with equal work fail at the same moment: out of memory, or where a file was cut. Higher ranks wait, so that the
// lowest prints its message and ends the job before the others print the same.
void leave_it_to_lower_ranks(const World& world) {
  constexpr std::chrono::seconds for_an_end(1);
  constexpr int most = 3;
  std::this_thread::sleep_for(for_an_end * std::min(world.rank, most));
}

}  // namespace

int run_alone(const std::function<int()>& body) {
  return with_exit_code([&] {
    refuse_several();
    return body();
  });
}

int run_job(const std::function<int(const World&)>& body) {
  return with_exit_code([&] {
    keep_freed_memory();
    const World world = launch();
    try {
      return body(world);
    } catch (const std::exception& error) {
      const bool shared = dynamic_cast<const Agreed*>(&error) != nullptr || world.size == 1;
      if (!shared) leave_it_to_lower_ranks(world);
      if (!shared || world.rank == 0) show(error);
      // The other ranks wait for this rank in a collective. They would wait for ever if it did not end the
      // whole job.
      if (!shared) world.abort(exit_code_of(error));
      return exit_code_of(error);
    }
  });
}

}  // namespace graticule
