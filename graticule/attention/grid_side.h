// One side of a grid of ranks (core/context_grid.h): the ranks that share their queries, or their keys. Tensors
// are gathered from them, and results and gradients return to the ranks whose tokens they are. A side of one
// rank is not exchanged: nothing is copied.
//
// Legend: B batch, T this rank's tokens, N tokens of the side, x heads of one tensor, D head width.
#pragma once

#include <optional>
#include <vector>

#include "graticule/comm/group.h"
#include "graticule/kernel/flash.h"

namespace graticule {

struct GridSide {
  Group group;
  std::vector<int64_t> tokens_of;

  bool is_shared() const { return group.size() > 1; }
};

/// Tensors with equally many heads, on their way from all ranks of a side to all of them, in one message.
class Gathering {
 public:
  Gathering(const GridSide& side, std::vector<at::Tensor> mine_BTxD);
  /// The tensors with the tokens of the whole side, as views. Call it once.
  std::vector<at::Tensor> wait();

 private:
  std::vector<at::Tensor> tensors_;  ///< of a side of one rank
  int64_t count_;
  std::optional<Pending> pending_;
};

/// The results of attention, group of heads after group of heads, each a part over some of the keys. They
/// return in fp32 and are merged by the ranks whose queries they are.
class Merging {
 public:
  /// `dtype`: of the output.
  Merging(const GridSide& side, at::ScalarType dtype);
  /// The dtype in which parts are added.
  at::ScalarType part_dtype() const;
  /// Waits for the part before, and starts the return of this one.
  void add(FlashResult part);
  /// All heads. Call it once.
  FlashResult result();

 private:
  void take();

  GridSide side_;
  at::ScalarType dtype_;
  std::vector<at::Tensor> out_, lse_;
  std::optional<Pending> returning_;
};

/// Gradients of a side's tensors, group of heads after group of heads, each a part of a sum in fp32. They
/// return and are summed in one step.
class Summing {
 public:
  /// `dtype`: of the sums.
  Summing(const GridSide& side, at::ScalarType dtype);
  /// The same heads of every tensor. Waits for the parts before, and starts the return of these.
  void add(std::vector<at::Tensor> parts_BNxD);
  /// All heads of each tensor. Call it once.
  std::vector<at::Tensor> result();

 private:
  void take();
  void keep(const std::vector<at::Tensor>& sums_BTxD);

  GridSide side_;
  at::ScalarType dtype_;
  std::vector<std::vector<at::Tensor>> sums_;  ///< of each tensor, its groups of heads
  std::optional<Pending> returning_;
};

}  // namespace graticule
