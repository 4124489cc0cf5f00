#include "graticule/train/stop_signal.h"

#include <csignal>

namespace graticule {

namespace {

// A signal handler may only access a global of this type (C++ standard, [support.signal]).
volatile std::sig_atomic_t stop_requested = 0;

constexpr std::array signals = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

void request_stop(int) { stop_requested = 1; }

}  // namespace

StopSignal::StopSignal() {
  stop_requested = 0;
  for (size_t i = 0; i < signals.size(); ++i) {
    before_[i] = std::signal(signals[i], signals[i] == SIGPIPE ? SIG_IGN : request_stop);
    if (before_[i] == SIG_IGN) std::signal(signals[i], SIG_IGN);
  }
}

StopSignal::~StopSignal() {
  for (size_t i = 0; i < signals.size(); ++i) std::signal(signals[i], before_[i]);
}

bool StopSignal::raised() const { return stop_requested != 0; }

}  // namespace graticule
