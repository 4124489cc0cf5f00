// The groups of the mesh by name: which ranks each one joins. comm/mesh.h makes them, the planner counts what goes over
// them, reports print their names.
#pragma once

#include "graticule/core/choices.h"

namespace graticule {

enum class GroupOf {
  world,          ///< all ranks
  pipeline,       ///< the stages of one pipeline, for activations
  pipeline_back,  ///< the same ranks, for gradients
  data,
  context,
  context_queries,  ///< the ranks of a column of the mesh of context ranks, which share their queries
  context_keys,     ///< the ranks of a row, which share their keys
  ulysses,
  tensor,
  sequence,       ///< context x ulysses
  holders,        ///< context x ulysses x tensor
  stage,          ///< data x context x ulysses x tensor
  whole_weights,  ///< ranks that share the weights which the tensor axis does not cut
  whole_copies,   ///< ranks with the same share of those
  cut_weights,    ///< ranks that share the weights which the tensor axis cuts
  cut_copies,     ///< ranks with the same share of those
};

template <>
inline constexpr auto choices_of<GroupOf> =
    std::to_array<Choice<GroupOf>>({{"world", GroupOf::world},
                                    {"pipeline", GroupOf::pipeline},
                                    {"pipeline back", GroupOf::pipeline_back},
                                    {"data", GroupOf::data},
                                    {"context", GroupOf::context},
                                    {"context queries", GroupOf::context_queries},
                                    {"context keys", GroupOf::context_keys},
                                    {"ulysses", GroupOf::ulysses},
                                    {"tensor", GroupOf::tensor},
                                    {"sequence", GroupOf::sequence},
                                    {"holders", GroupOf::holders},
                                    {"stage", GroupOf::stage},
                                    {"whole weights", GroupOf::whole_weights},
                                    {"whole weights copies", GroupOf::whole_copies},
                                    {"cut weights", GroupOf::cut_weights},
                                    {"cut weights copies", GroupOf::cut_copies}});

/// Whether its ranks are the stages of a pipeline.
constexpr bool is_of_stages(GroupOf group) {
  return group == GroupOf::pipeline || group == GroupOf::pipeline_back;
}

/// Whether queries, keys or their gradients go over it for a context method.
constexpr bool is_of_context(GroupOf group) {
  return group >= GroupOf::context && group <= GroupOf::context_keys;
}

/// Whether weights and their gradients go over it.
constexpr bool is_of_weights(GroupOf group) { return group >= GroupOf::whole_weights; }

}  // namespace graticule
