#include "cli/job.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace graticule {

namespace {

int exit_code_of(const std::exception& error) {
  return dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
}

// LibTorch appends its stack to what it throws; the first line says what happened.
std::string first_line(const std::exception& error) {
  const std::string message = error.what();
  const size_t stack = message.find("\nException raised from");
  return message.substr(0, stack);
}

void show(const std::exception& error) { std::cerr << "graticule: " << first_line(error) << std::endl; }

}  // namespace

int run_alone(const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    show(error);
    return exit_code_of(error);
  }
}

int run_job(const std::function<int(const World&)>& body) {
  return run_alone([&] {
    keep_freed_memory();
    const World world = launch();
    try {
      return body(world);
    } catch (const std::exception& error) {
      const bool shared = dynamic_cast<const Agreed*>(&error) != nullptr || world.size == 1;
      if (!shared || world.rank == 0) show(error);
      // The other ranks wait for this one: without an end to the whole job they would wait for ever.
      if (!shared) world.abort(exit_code_of(error));
      return exit_code_of(error);
    }
  });
}

}  // namespace graticule
