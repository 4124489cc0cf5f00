#include "graticule/train/stop_signal.h"

#include <csignal>

namespace graticule {

namespace {

// A signal handler can reach nothing but a global of this type (C++ standard, [support.signal]).
volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int) { stop_requested = 1; }

}  // namespace

StopSignal::StopSignal() {
  stop_requested = 0;
  std::signal(SIGTERM, request_stop);
  std::signal(SIGINT, request_stop);
}

StopSignal::~StopSignal() {
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
}

bool StopSignal::raised() const { return stop_requested != 0; }

}  // namespace graticule
