#include "cli/job.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <thread>

#include "graticule/core/ledger.h"

namespace graticule {

namespace {

// A message of ours starts with the place that it comes from. Any other is a library's, which no check
// foresaw.
bool is_ours(const std::exception& error) { return error.what()[0] == '['; }

int exit_code_of(const std::exception& error) {
  return is_ours(error) && dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
}

// LibTorch appends its stack to what it throws; the first line says what happened.
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

// Equal ranks run out of memory at the same moment: the first of them ends the job before the others say the
// same.
void leave_it_to_lower_ranks(const std::exception& error, const World& world) {
  constexpr std::chrono::seconds for_an_end(1);
  constexpr int most = 3;
  if (dynamic_cast<const OutOfMemory*>(&error)) {
    std::this_thread::sleep_for(for_an_end * std::min(world.rank, most));
  }
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
      if (!shared) leave_it_to_lower_ranks(error, world);
      if (!shared || world.rank == 0) show(error);
      // The other ranks wait for this one: without an end to the whole job they would wait for ever.
      if (!shared) world.abort(exit_code_of(error));
      return exit_code_of(error);
    }
  });
}

}  // namespace graticule
