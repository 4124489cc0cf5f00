// Names and sizes of the mesh axes, slowest link first. A plain struct: no groups, no ranks of a running job.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace graticule {

enum class Axis { pipeline, data, context, ulysses, tensor };

inline constexpr std::array<Axis, 5> all_axes = {Axis::pipeline, Axis::data, Axis::context, Axis::ulysses,
                                                 Axis::tensor};

std::string_view name_of(Axis axis);

/// The degree of every axis. Rank r of the world lies at the row-major coordinate of r in
/// (pipeline, data, context, ulysses, tensor): tensor neighbours are adjacent ranks.
struct Axes {
  int pipeline = 1, data = 1, context = 1, ulysses = 1, tensor = 1;

  int degree(Axis axis) const;
  int world() const { return pipeline * data * context * ulysses * tensor; }
  int sequence() const { return context * ulysses; }
  /// The coordinate of `rank` on `axis`.
  int coordinate(Axis axis, int rank) const;
  bool operator==(const Axes&) const = default;
};

/// "context 2 x ulysses 4": the degrees above 1; "data 1" when there is none.
std::string described(const Axes& axes);

}  // namespace graticule
