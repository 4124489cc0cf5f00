// Draws a simulation as SVG. A column is a short interval of time; the height of each colour is its share of
// the interval.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/simulate.h"

namespace graticule {

namespace {

constexpr int columns = 500, column_width = 2, left = 90, top = 60, row = 30, wire = 10, gap = 14;
constexpr size_t most_rows = 16;

using Colours = std::map<std::pair<Interval::Kind, std::string>, std::string>;

// Work has strong colours; waiting for stages and for all ranks is grey; other exchanges have light colours.
Colours colours_of(const Simulation& simulation) {
  const std::map<std::string, std::string> active = {
      {"linear", "#4477aa"}, {"attention", "#228833"}, {"pointwise", "#ccbb44"}, {"optimizer", "#aa3377"}};
  const std::vector<std::string> light = {"#ee6677", "#66ccee", "#ee8866", "#ffaabb", "#bb5566", "#997700"};
  std::map<std::string, std::string> groups = {
      {"pipeline", "#dddddd"}, {"pipeline back", "#bbbbbb"}, {"world", "#999999"}};
  size_t next = 0;
  Colours colours;
  for (const auto& [rank, intervals] : simulation.drawn) {
    for (const Interval& interval : intervals) {
      const bool works = interval.kind == Interval::Kind::active;
      if (!works && !groups.contains(interval.what)) groups[interval.what] = light[next++ % light.size()];
      colours[{works ? interval.kind : Interval::Kind::exchange, interval.what}] =
          works ? active.at(interval.what) : groups.at(interval.what);
    }
  }
  return colours;
}

/// The share of each colour in each column.
using Column = std::map<std::string, double>;

std::vector<Column> columns_of(const std::vector<Interval>& intervals, const Colours& colours,
                               bool on_the_wire, double seconds) {
  std::vector<Column> all(columns);
  for (const Interval& interval : intervals) {
    const bool exchange = interval.kind == Interval::Kind::exchange;
    if (exchange != on_the_wire) continue;
    const bool works = interval.kind == Interval::Kind::active;
    const std::string& colour = colours.at({works ? interval.kind : Interval::Kind::exchange, interval.what});
    const double begin = interval.start / seconds * columns, end = interval.end / seconds * columns;
    for (int at = static_cast<int>(begin); at < std::min<double>(columns, std::ceil(end)); ++at) {
      all[static_cast<size_t>(at)][colour] += std::min(end, at + 1.0) - std::max(begin, double(at));
    }
  }
  return all;
}

// Draws the columns. Neighbours that look alike become one rectangle for each colour.
std::string drawn(const std::vector<Column>& all, double y, double height) {
  std::string svg;
  const auto boxes = [&](const Column& column) {
    double sum = 0, from = 0;
    for (const auto& [colour, share] : column) sum += share;
    const double scale = height / std::max(1.0, sum);
    std::map<std::string, std::pair<double, double>> result;
    for (const auto& [colour, share] : column) {
      const double to = std::round(2 * (from + share * scale)) / 2;
      if (to > from) result[colour] = {from, to};
      from = to;
    }
    return result;
  };
  for (size_t begin = 0; begin < all.size();) {
    const auto here = boxes(all[begin]);
    size_t end = begin + 1;
    while (end < all.size() && boxes(all[end]) == here) ++end;
    for (const auto& [colour, span] : here) {
      svg += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                         left + begin * column_width, y + height - span.second, (end - begin) * column_width,
                         span.second - span.first, colour);
    }
    begin = end;
  }
  return svg;
}

std::string label(double x, double y, const std::string& text, const char* anchor = "start") {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, text);
}

// The time axis, with about eight ticks at 1, 2 or 5 times a power of ten.
std::string axis_of(double seconds, double y) {
  const double rough = seconds / 8, power = std::pow(10, std::floor(std::log10(rough)));
  const double tick = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : rough / power > 1 ? 2 : 1);
  std::string svg;
  for (double time = 0; time <= seconds * (1 + 1e-9); time += tick) {
    const double x = left + time / seconds * columns * column_width;
    svg +=
        fmt::format("<path d=\"M{0:.1f} {1} V{2}\" stroke=\"#888\" stroke-width=\"0.5\"/>\n", x, top - 4, y);
    svg += label(x, y + 14, fmt::format("{:.4g}", time), "middle");
  }
  return svg + label(left + columns * column_width, y + 30, "seconds", "end");
}

std::string legend_of(const Colours& colours, double y) {
  std::string svg;
  double x = left;
  for (const auto& [key, colour] : colours) {
    const auto& [kind, what] = key;
    const std::string text = kind == Interval::Kind::active ? what : "exchange: " + what;
    const double width = 30 + 6.6 * static_cast<double>(text.size());
    if (x + width > left + columns * column_width) x = left, y += 20;
    svg +=
        fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n", x, y - 10, colour);
    svg += label(x + 17, y, text);
    x += width;
  }
  return svg;
}

}  // namespace

std::string picture_of(const Simulation& simulation, const std::string& title) {
  const Colours colours = colours_of(simulation);
  const size_t rows = std::min(simulation.drawn.size(), most_rows);
  const double bottom = top + static_cast<double>(rows) * (row + wire + gap);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      left + columns * column_width + 30, bottom + 110);
  svg += label(left, 24, title);
  svg += label(left, 42,
               "one row for each rank: what it does and what it waits for; thin row below: its exchanges");
  svg += axis_of(simulation.seconds, bottom);
  double y = top;
  size_t shown = 0;
  for (const auto& [rank, intervals] : simulation.drawn) {
    if (shown++ == rows) break;
    svg += label(left - 8, y + row / 2.0 + 4, fmt::format("rank {}", rank), "end");
    svg += drawn(columns_of(intervals, colours, false, simulation.seconds), y, row);
    svg += drawn(columns_of(intervals, colours, true, simulation.seconds), y + row + 2, wire);
    y += row + wire + gap;
  }
  return svg + legend_of(colours, bottom + 54) + "</svg>\n";
}

}  // namespace graticule
