// The operator graticule::attention: sequence-parallel attention for any PyTorch program, over the process
// group that the program has made. It is above autograd: the scheme inside is differentiable.
//
// Legend: attention.h; U ulysses ranks, C context ranks.
#include <ATen/core/grad_mode.h>
#include <torch/library.h>

#include <numeric>

#include "graticule/attention/agreement.h"
#include "graticule/attention/arrangement.h"
#include "graticule/attention/attention.h"
#include "graticule/comm/process_group/process_group.h"
#include "graticule/core/error.h"
#include "graticule/kernel/flash.h"

namespace graticule {
namespace {

using Counts = std::vector<int64_t>;

/// Heads are exchanged in as many parts: the buffers of an exchange are that much smaller, and one part travels
/// while another attends.
constexpr int64_t parts = 4;

/// The arguments of a call on this rank.
struct Call {
  at::Tensor q_BTHD, k_BTGD, v_BTGD;
  std::vector<std::string> groups;  ///< names of process groups: of all ranks; or of C and of U ranks
  std::string scheme;
  std::optional<Counts> tokens_of;

  bool on_mesh() const { return groups.size() == 2; }
};

std::vector<int> numbered(int64_t count, int64_t first = 0, int64_t step = 1) {
  std::vector<int> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(static_cast<int>(first + i * step));
  return numbers;
}

/// The process groups of a call, for tensors of one device. Without a mesh both are the same.
struct Worlds {
  World context, ulysses;
  bool on_mesh;

  Worlds(const Call& call, c10::DeviceType device)
      : context(process_group_world(call.groups.front(), device)),
        ulysses(call.on_mesh() ? process_group_world(call.groups.back(), device) : context),
        on_mesh(call.on_mesh()) {}

  int64_t ranks() const { return on_mesh ? int64_t{context.size} * ulysses.size : context.size; }
  int64_t rank() const {
    return on_mesh ? int64_t{context.rank} * ulysses.size + ulysses.rank : context.rank;
  }
  std::optional<MeshSizes> sizes() const {
    return on_mesh ? std::optional<MeshSizes>({context.size, ulysses.size}) : std::nullopt;
  }
};

void check_tokens(const std::string& where, const Call& call, int64_t ranks, int64_t rank) {
  const int64_t tokens = call.q_BTHD.size(1);
  if (call.k_BTGD.size(1) != tokens) {
    refuse(where, "q has ", tokens, " tokens, k and v have ", call.k_BTGD.size(1),
           ": give all three the tokens of this rank");
  }
  if (!call.tokens_of) return;
  const Counts& tokens_of = *call.tokens_of;
  if (std::ssize(tokens_of) != ranks) {
    refuse(where, "tokens_of has ", tokens_of.size(), " numbers for ", ranks,
           " ranks: give one for each rank");
  }
  if (tokens_of[static_cast<size_t>(rank)] != tokens) {
    refuse(where, "tokens_of says ", tokens_of[static_cast<size_t>(rank)],
           " tokens for this rank, and q has ", tokens,
           ": give the tokens of each rank, or leave tokens_of out");
  }
}

std::string described(const Call& call) {
  const at::Tensor& q = call.q_BTHD;
  const bool differentiated =
      at::GradMode::is_enabled() &&
      (q.requires_grad() || call.k_BTGD.requires_grad() || call.v_BTGD.requires_grad());
  constexpr size_t listed = 32;
  std::string tokens_of;
  if (call.tokens_of && call.tokens_of->size() <= listed) {
    tokens_of = text(", tokens_of [", at::IntArrayRef(*call.tokens_of), "]");
  } else if (call.tokens_of) {
    tokens_of = text(", tokens_of with checksum ", c10::get_hash(*call.tokens_of));
  }
  return text("batch ", q.size(0), ", ", q.size(2), " heads over ", call.k_BTGD.size(2),
              " key/value heads of width ", q.size(3), ", ", q.scalar_type(), " on ",
              c10::DeviceTypeName(q.device().type(), true), ", scheme ", call.scheme, tokens_of,
              differentiated ? ", with gradients" : ", without gradients");
}

/// Checks the arguments of this rank. `arrangement`: of all ranks, if nothing is wrong.
CallReport reported(const Call& call, const Worlds& worlds, Arrangement& arrangement) {
  const std::string where = worlds.ranks() == 1 ? "attention" : text("attention, rank ", worlds.rank());
  try {
    if (call.q_BTHD.is_meta())
      refuse(where, "device meta has no kernel: choose cpu or cuda (NVIDIA or ROCm)");
    check_attention_inputs(where, call.q_BTHD, call.k_BTGD, call.v_BTGD);
    check_tokens(where, call, worlds.ranks(), worlds.rank());
    arrangement = arrange(where, call.scheme, worlds.ranks(), call.q_BTHD.size(2), worlds.sizes());
    return {call.q_BTHD.size(1), described(call), ""};
  } catch (const std::invalid_argument& error) {
    return {0, "", error.what()};
  }
}

/// Makes the groups of a call. All ranks make them in the same order.
AttentionOptions options_of(const Call& call, const Worlds& worlds, const Arrangement& arrangement,
                            Counts tokens_of) {
  const int64_t C = arrangement.context, U = arrangement.ulysses, c = worlds.rank() / U,
                u = worlds.rank() % U;
  const auto context = worlds.on_mesh ? numbered(C) : numbered(C, u, U);
  const auto ulysses = worlds.on_mesh ? numbered(U) : numbered(U, c * U);
  AttentionOptions options;
  options.tokens_of = std::move(tokens_of);
  options.exchange = {.context_method = arrangement.method,
                      .head_groups = parts,
                      .gather_heads = (call.k_BTGD.size(2) + parts - 1) / parts};
  options.grids = context_grids(options.exchange, C,
                                {.queries = call.q_BTHD.size(2),
                                 .keys = call.k_BTGD.size(2),
                                 .width = call.q_BTHD.size(3),
                                 .element = static_cast<int64_t>(call.q_BTHD.element_size())});
  options.ulysses = worlds.ulysses.split(ulysses, "ulysses");
  options.context = worlds.context.split(context, "context");
  const ContextGrid& grid = options.grids.forward;
  if (!grid.is_line()) {
    std::vector<int> column, row;
    for (const int i : column_of(grid, c)) column.push_back(context[i]);
    for (const int j : row_of(grid, c)) row.push_back(context[j]);
    options.context_queries = worlds.context.split(column, "context queries");
    options.context_keys = worlds.context.split(row, "context keys");
  }
  return options;
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const c10::List<std::string>& groups, const std::string& scheme,
                  at::OptionalIntArrayRef tokens_of) {
  const Call call{q, k, v, groups.vec(), scheme, tokens_of ? std::optional(tokens_of->vec()) : std::nullopt};
  const Worlds told(call, at::kCPU);
  Arrangement arrangement;
  const CallReport mine = reported(call, told, arrangement);
  const Group inner = told.ulysses.split(numbered(told.ulysses.size), "agreement");
  const Group outer =
      told.on_mesh ? told.context.split(numbered(told.context.size), "agreement") : Group("agreement");
  const Counts tokens = agreed_tokens(mine, inner, outer);
  const Worlds worlds(call, q.device().type());
  return make_attention(options_of(call, worlds, arrangement, tokens))(q, k, v);
}

TORCH_LIBRARY_FRAGMENT(graticule, library) {
  library.def(
      "attention(Tensor q, Tensor k, Tensor v, str[] groups, str scheme, int[]? tokens_of=None) -> Tensor");
  library.impl("attention", c10::DispatchKey::CompositeImplicitAutograd, TORCH_FN(attend));
}

}  // namespace
}  // namespace graticule
