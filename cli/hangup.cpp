#include "cli/hangup.h"

#include <signal.h>

namespace graticule {

namespace {

bool ignored_at_start = false;

void look() {
  struct sigaction now = {};
  ignored_at_start = ::sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

// This section is the only place where a program's own code runs before that of its libraries (System V ABI,
// "Initialization").
[[gnu::section(".preinit_array"), gnu::used]] void (*const look_first)() = look;

}  // namespace

void restore_hangup() {
  if (ignored_at_start) ::signal(SIGHUP, SIG_IGN);
}

}  // namespace graticule
