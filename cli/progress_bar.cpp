#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

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
  constexpr int64_t width = 30;
  const auto filled = static_cast<size_t>(width * done / all_);
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double left = done > 0 ? seconds * static_cast<double>(all_ - done) / static_cast<double>(done) : 0;
  fmt::print(stderr, "\r\033[K{} [{}{}] {}/{}  {:.0f} s left", what_, std::string(filled, '#'),
             std::string(width - filled, ' '), done, all_, left);
  std::fflush(stderr);
}

}  // namespace graticule
