#include "graticule/comm/mesh.h"

#include <algorithm>
#include <sstream>

#include "graticule/core/error.h"

namespace graticule {
namespace {

/// "pipeline 1 x data 2 x ..."
std::string described(const Axes& axes) {
  std::ostringstream line;
  for (const Axis axis : all_axes) {
    line << (axis == all_axes.front() ? "" : " x ") << name_of(axis) << ' ' << axes.degree(axis);
  }
  return line.str();
}

/// The single changes that make the product fit, or the degrees that a world of this size can have at all.
std::string what_fits(const Axes& axes, int world) {
  std::string changes, divisors;
  const auto add = [](std::string& list, const std::string& item) {
    list += (list.empty() ? "" : ", ") + item;
  };
  for (const Axis axis : all_axes) {
    const int others = axes.world() / axes.degree(axis);
    if (axes.degree(axis) > 1 && world % others == 0) add(changes, text(name_of(axis), " ", world / others));
  }
  for (int degree = 1; degree <= world; ++degree) {
    if (world % degree == 0) add(divisors, std::to_string(degree));
  }
  return changes.empty() ? text("choose degrees that divide ", world, " (", divisors, ")") : "set " + changes;
}

/// The group of ranks that differ from this one on the given axes only, in the order of their world ranks.
Group group_over(const World& world, const Axes& axes, std::initializer_list<Axis> over,
                 const std::string& label) {
  const auto beside = [&](int rank) {
    return std::all_of(all_axes.begin(), all_axes.end(), [&](Axis axis) {
      return std::find(over.begin(), over.end(), axis) != over.end() ||
             axes.coordinate(axis, rank) == axes.coordinate(axis, world.rank);
    });
  };
  std::vector<int> members;
  for (int rank = 0; rank < world.size; ++rank) {
    if (beside(rank)) members.push_back(rank);
  }
  return world.split(members, label);
}

}  // namespace

Mesh make_mesh(const World& world, const Axes& axes) {
  for (const Axis axis : all_axes) {
    if (axes.degree(axis) < 1)
      refuse("mesh", "degree ", axes.degree(axis), " of axis ", name_of(axis), ": choose 1 or more");
  }
  if (axes.world() != world.size) {
    refuse("mesh", described(axes), " makes ", axes.world(), " ranks, the world has ", world.size, ": ",
           what_fits(axes, world.size), ", or start ", axes.world(), " ranks");
  }
  using enum Axis;
  Mesh mesh;
  mesh.axes = axes;
  mesh.rank = world.rank;
  mesh.world = group_over(world, axes, {pipeline, data, context, ulysses, tensor}, "world");
  mesh.pipeline = group_over(world, axes, {pipeline}, "pipeline");
  mesh.data = group_over(world, axes, {data}, "data");
  mesh.context = group_over(world, axes, {context}, "context");
  mesh.ulysses = group_over(world, axes, {ulysses}, "ulysses");
  mesh.tensor = group_over(world, axes, {tensor}, "tensor");
  mesh.sequence = group_over(world, axes, {context, ulysses}, "sequence");
  mesh.replicas = group_over(world, axes, {data, context, ulysses}, "replicas");
  return mesh;
}

}  // namespace graticule
