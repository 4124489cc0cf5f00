// Restores SIGHUP to what it was when the program was started. MPICH's network library takes over the signal
// when it is loaded, before main, and so cancels nohup.
#pragma once

namespace graticule {

/// Ignores SIGHUP if it was ignored when the process began. Call it first in main.
void restore_hangup();

}  // namespace graticule
