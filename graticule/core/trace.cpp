#include "graticule/core/trace.h"

namespace graticule {

namespace {
thread_local Trace* current_trace = nullptr;
}

TraceSession::TraceSession(Trace& trace) : previous_(current_trace) { current_trace = &trace; }
TraceSession::~TraceSession() { current_trace = previous_; }

Scope::Scope(const char* name) : name_(name), trace_(current_trace) {
  if (trace_) start_ = std::chrono::steady_clock::now();
}

Scope::~Scope() {
  if (!trace_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  trace_->seconds[name_] += elapsed.count();
}

}  // namespace graticule
