// SIGHUP as the program was started with it. MPICH's network library takes the signal for itself when it is
// loaded, before main, and so undoes what nohup asked for.
#pragma once

namespace graticule {

/// Ignores SIGHUP again where it was ignored when the process began. Call it first in main.
void restore_hangup();

}  // namespace graticule
