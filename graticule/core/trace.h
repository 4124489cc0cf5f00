// Time by name: the seconds that named scopes of the code take, summed by name.
//
// A Trace is a plain value of the code that measures. `TraceSession` makes it the current trace of this
// thread. A rank is a thread or a process, so ranks never share a trace. `Scope` adds the time of its
// lifetime to the current trace, at the cost of two clock reads. Without a session a Scope does nothing.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace graticule {

struct Trace {
  std::map<std::string, double, std::less<>>
      seconds;  ///< by scope name; a nested scope's time is also its parent's
};

/// Makes `trace` the current trace of this thread during its lifetime; sessions may be nested.
class TraceSession {
 public:
  explicit TraceSession(Trace& trace);
  ~TraceSession();
  TraceSession(const TraceSession&) = delete;
  TraceSession& operator=(const TraceSession&) = delete;

 private:
  Trace* previous_;
};

/// Measures its own lifetime under `name`, which must outlive it.
class Scope {
 public:
  explicit Scope(const char* name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const char* name_;
  Trace* trace_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace graticule
