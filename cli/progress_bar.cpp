#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "graticule/core/terminal.h"

namespace graticule {

ProgressBar::ProgressBar(std::string what, int64_t all)
    : what_(std::move(what)),
      all_(std::max<int64_t>(1, all)),
      terminal_(isatty(STDERR_FILENO) != 0),
      begin_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  if (terminal_) fmt::print(stderr, "\r\033[K");
}

void ProgressBar::show(int64_t done) {
  using std::chrono::steady_clock;
  const auto now = steady_clock::now();
  if (!terminal_ || (done < all_ && now - shown_ < std::chrono::milliseconds(100))) return;
  shown_ = now;
  constexpr int64_t cells = 30;
  const auto filled = static_cast<size_t>(cells * done / all_);
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double left = done > 0 ? seconds * static_cast<double>(all_ - done) / static_cast<double>(done) : 0;
  const std::vector<std::string> parts = {
      fmt::format("{} {}/{}", what_, done, all_), fmt::format("{:.0f} s left", left),
      fmt::format("[{}{}]", std::string(filled, '#'), std::string(cells - filled, ' '))};
  fmt::print(stderr, "\r\033[K{}", joined_parts(parts, row_width(STDERR_FILENO)));
  std::fflush(stderr);
}

}  // namespace graticule
