// Where the time of a step goes: named scopes whose seconds are added up by name.
//
// A Trace is a plain value owned by whoever measures. `TraceSession` makes it the current one of this thread
// (a rank is a thread or a process, so ranks never share one); `Scope` adds its lifetime to the current one
// and costs two clock reads. Without a session a scope does nothing.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace graticule {

struct Trace {
  std::map<std::string, double, std::less<>>
      seconds;  ///< by scope name; a nested scope's time is also its parent's
};

class TraceSession {
 public:
  explicit TraceSession(Trace& trace);
  ~TraceSession();
  TraceSession(const TraceSession&) = delete;
  TraceSession& operator=(const TraceSession&) = delete;

 private:
  Trace* previous_;
};

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
