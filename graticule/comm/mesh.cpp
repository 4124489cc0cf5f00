#include "graticule/comm/mesh.h"

#include <algorithm>

#include "graticule/comm/order.h"
#include "graticule/core/error.h"
#include "graticule/core/group_of.h"

namespace graticule {
namespace {

/// The way out for a product of degrees that is not `world`: changes of one degree that fit, or else all
/// degrees that divide `world`.
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

/// The ranks that differ from this one only on the axes `over`, in the order of their world ranks.
std::vector<int> members_over(const World& world, const Axes& axes, std::initializer_list<Axis> over) {
  // From the slowest axis to the fastest: each axis in `over` repeats the members so far, `stride` ranks
  // apart.
  std::vector<int> members = {world.rank};
  int stride = axes.world();
  for (const Axis axis : all_axes) {
    stride /= axes.degree(axis);
    if (std::find(over.begin(), over.end(), axis) == over.end()) continue;
    const int degree = axes.degree(axis), here = axes.coordinate(axis, world.rank);
    std::vector<int> spread;
    for (const int member : members) {
      for (int i = 0; i < degree; ++i) spread.push_back(member + (i - here) * stride);
    }
    members = std::move(spread);
  }
  return members;
}

/// Cuts the ranks `all` into shard groups of `size` neighbours.
Replicas replicas_of(const World& world, const std::vector<int>& all, int size, GroupOf shard,
                     GroupOf copies) {
  const int place = place_in(all, world.rank), count = static_cast<int>(all.size());
  const auto first = all.begin() + place / size * size;
  std::vector<int> alike;
  for (int i = place % size; i < count; i += size) alike.push_back(all[static_cast<size_t>(i)]);
  return {world.split({first, first + size}, std::string(name_of(shard))),
          world.split(alike, std::string(name_of(copies)))};
}

/// Cuts the context ranks of this rank into the columns and rows of a grid.
void add_grid(Mesh& mesh, const World& world, const std::vector<int>& context, const ContextGrid& grid) {
  const int place = place_in(context, world.rank);
  std::vector<int> row, column;
  for (const int i : column_of(grid, place)) column.push_back(context[i]);
  for (const int j : row_of(grid, place)) row.push_back(context[j]);
  mesh.context_queries = world.split(column, std::string(name_of(GroupOf::context_queries)));
  mesh.context_keys = world.split(row, std::string(name_of(GroupOf::context_keys)));
}

std::vector<const Group*> groups_of(const Mesh& mesh) {
  return {&mesh.world,       &mesh.pipeline,        &mesh.pipeline_back, &mesh.data,
          &mesh.context,     &mesh.context_queries, &mesh.context_keys,  &mesh.ulysses,
          &mesh.tensor,      &mesh.sequence,        &mesh.holders,       &mesh.stage,
          &mesh.whole.shard, &mesh.whole.copies,    &mesh.cut.shard,     &mesh.cut.copies};
}

}  // namespace

Mesh make_mesh(const World& world, const Axes& axes, int shard_ranks, const ContextGrid& grid) {
  for (const Axis axis : all_axes) {
    if (axes.degree(axis) < 1)
      refuse("mesh", "degree ", axes.degree(axis), " of axis ", name_of(axis), ": choose 1 or more");
  }
  if (axes.world() != world.size) {
    refuse("mesh", described(axes), " makes ", axes.world(), " ranks, the world has ", world.size, ": ",
           what_fits(axes, world.size), ", or start ", axes.world(), " ranks");
  }
  const int replicas = axes.data * axes.sequence(), shard = shard_ranks > 0 ? shard_ranks : replicas;
  if (replicas % shard != 0) {
    refuse("mesh", "shard_ranks = ", shard_ranks, " for ", replicas,
           " ranks that hold the same weights (data x context x ulysses): choose a divisor of ", replicas);
  }
  using enum Axis;
  const auto group_over = [&](std::initializer_list<Axis> over, GroupOf group) {
    return world.split(members_over(world, axes, over), std::string(name_of(group)));
  };
  Mesh mesh;
  mesh.axes = axes;
  mesh.rank = world.rank;
  mesh.world = group_over({pipeline, data, context, ulysses, tensor}, GroupOf::world);
  mesh.pipeline = group_over({pipeline}, GroupOf::pipeline);
  mesh.pipeline_back = group_over({pipeline}, GroupOf::pipeline_back);
  mesh.data = group_over({data}, GroupOf::data);
  mesh.context = group_over({context}, GroupOf::context);
  if (!grid.is_line()) add_grid(mesh, world, members_over(world, axes, {context}), grid);
  mesh.ulysses = group_over({ulysses}, GroupOf::ulysses);
  mesh.tensor = group_over({tensor}, GroupOf::tensor);
  mesh.sequence = group_over({context, ulysses}, GroupOf::sequence);
  mesh.holders = group_over({context, ulysses, tensor}, GroupOf::holders);
  mesh.stage = group_over({data, context, ulysses, tensor}, GroupOf::stage);
  mesh.whole = replicas_of(world, members_over(world, axes, {data, context, ulysses, tensor}),
                           shard * axes.tensor, GroupOf::whole_weights, GroupOf::whole_copies);
  mesh.cut = replicas_of(world, members_over(world, axes, {data, context, ulysses}), shard,
                         GroupOf::cut_weights, GroupOf::cut_copies);
  return mesh;
}

std::map<std::string, Traffic> traffic_of(const Mesh& mesh) {
  std::map<std::string, Traffic> sums;
  for (const Group* group : groups_of(mesh)) {
    if (group->traffic().bytes_sent > 0) sums[group->label()] = group->traffic();
  }
  return sums;
}

void check_order(const Mesh& mesh) {
  for (const Group* group : groups_of(mesh)) check_order(*group);
}

}  // namespace graticule
