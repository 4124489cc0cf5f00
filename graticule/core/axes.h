// The mesh axes: their names, their degrees, and the coordinates of a rank. The axes are ordered from the
// slowest link (pipeline) to the fastest (tensor). This is a plain struct without groups, so the planner uses
// it for machines on which no job runs; comm/mesh.h makes groups of it.
#pragma once

#include <array>
#include <string>

#include "graticule/core/choices.h"

namespace graticule {

enum class Axis { pipeline, data, context, ulysses, tensor };

inline constexpr std::array<Axis, 5> all_axes = {Axis::pipeline, Axis::data, Axis::context, Axis::ulysses,
                                                 Axis::tensor};

/// The words for the axes in recipes, messages and group labels.
template <>
inline constexpr auto choices_of<Axis> = std::to_array<Choice<Axis>>({{"pipeline", Axis::pipeline},
                                                                      {"data", Axis::data},
                                                                      {"context", Axis::context},
                                                                      {"ulysses", Axis::ulysses},
                                                                      {"tensor", Axis::tensor}});

/// The degree (number of ranks) of every axis. The coordinates of rank r of the world are the row-major
/// coordinates of r in the grid (pipeline, data, context, ulysses, tensor): neighbours on the tensor axis are
/// adjacent ranks.
struct Axes {
  int pipeline = 1, data = 1, context = 1, ulysses = 1, tensor = 1;

  /// The degree of one axis.
  int degree(Axis axis) const;
  /// The number of ranks of the whole job.
  int world() const { return pipeline * data * context * ulysses * tensor; }
  /// The number of ranks that share the tokens of one sample, not counting the tensor axis.
  int sequence() const { return context * ulysses; }
  /// The coordinate of world rank `rank` on `axis`, in [0, degree(axis)).
  int coordinate(Axis axis, int rank) const;
  bool operator==(const Axes&) const = default;
};

/// The degrees above 1 in words, as in "context 2 x ulysses 4"; "data 1" when every degree is 1.
std::string described(const Axes& axes);

}  // namespace graticule
