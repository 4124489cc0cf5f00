#include "graticule/train/verify_block.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/kernel/torch_types.h"
#include "graticule/model/block.h"
#include "graticule/train/rounding.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

constexpr int64_t most_tokens = 256;  // of the probe: a small part of a step's work
constexpr std::string_view block_prefix = "blocks.";
constexpr double fp32_limit = 1e-3, bf16_limit = 5e-2;

// The transformer blocks of this rank's stage, by name.
std::vector<std::string> transformer_blocks(Run& run) {
  std::vector<std::string> names;
  for (const auto* part : run.chain.parts()) {
    if (part->block().starts_with(block_prefix) && (names.empty() || names.back() != part->block()))
      names.push_back(part->block());
  }
  return names;
}

// A whole transformer block on made-up tokens, on one rank.
Block block_alone(const ModelShape& shape, const Span& tokens) {
  return transformer_block(shape, 0, tokens, local_attention());
}

// The weights in use of a block, whole on each rank of the tensor axis: a flat buffer in the order of the
// block's parameters.
at::Tensor whole_weights(Run& run, const std::string& name, const at::TensorOptions& options) {
  const std::vector<Parameter> parameters = block_alone(run.shape, {0, 1}).parameters;
  const at::Tensor flat = at::zeros({flat_numel(parameters)}, options);
  const Weights whole = as_weights(parameters, flat);
  const bool first = run.mesh.tensor.rank() == 0;  // gives what the tensor axis does not cut
  bool cut = false;
  for (auto* part : run.chain.parts()) {
    if (part->block() != name) continue;
    const Weights& mine = part->gather();
    for (const auto& parameter : part->parameters()) {
      cut = cut || parameter.cut;
      if (parameter.cut || first) place(parameter, mine[parameter.name].detach(), whole[parameter.name]);
    }
    part->release();
  }
  // Each element is zero on all ranks of the tensor axis but one, so the sum is exact.
  return cut ? run.mesh.tensor.all_reduce(flat).wait() : flat;
}

std::string host() {
  std::array<char, 256> name = {};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unknown host";
}

// Everything that a rank tells the others: its block, the checksum of its weights, and how far its
// own run of the rank before is from what that rank computed.
struct Told {
  std::vector<int64_t> blocks, checksums;
  std::vector<double> differences;
  std::vector<std::string> hosts;

  std::string name(size_t rank) const { return text("rank ", rank, " on ", hosts[rank]); }
};

[[noreturn]] void fail_at(int64_t step, const std::string& what) {
  fail(
      "verify", "step ", step, ": ", what,
      " computes or keeps wrong numbers without an error; test the memory and the processors of these hosts, "
      "and go on with --resume auto on others");
}

void refuse_other_weights(const Told& told, int64_t step) {
  for (size_t a = 0; a < told.blocks.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (told.blocks[a] != told.blocks[b] || told.checksums[a] == told.checksums[b]) continue;
      fail_at(step, text("the copies of the weights of blocks.", told.blocks[a], " differ between ",
                         told.name(b), " and ", told.name(a), ": one of them"));
    }
  }
}

void refuse_other_results(const Told& told, int64_t step, double limit) {
  const size_t ranks = told.blocks.size();
  const auto differs = [&](size_t rank) {  // from the rank before it, as this rank saw it
    return !(told.differences[rank] <= limit);
  };
  for (size_t rank = 0; rank < ranks; ++rank) {
    if (!differs(rank)) continue;
    const size_t before = (rank + ranks - 1) % ranks;
    const auto block = told.blocks[before];
    const std::string far =
        fmt::format(" by {:.2g} of its root mean square (allowed: {:.0e}): ", told.differences[rank], limit);
    if (ranks > 2 && differs(before))  // its own block and that of the rank before it
      fail_at(step, text(told.name(before), " and both its neighbours compute blocks differently", far,
                         told.name(before)));
    if (ranks > 2 && differs((rank + 1) % ranks))
      fail_at(step, text(told.name(rank), " and both its neighbours compute blocks differently", far,
                         told.name(rank)));
    fail_at(step, ranks == 1 ? text(told.name(0), " computes blocks.", block, " twice and differs", far, "it")
                             : text(told.name(before), " and ", told.name(rank), " compute blocks.", block,
                                    " differently", far, "one of them"));
  }
}

at::TensorOptions weight_options(const Run& run) {
  return at::TensorOptions(run.device()).dtype(scalar_type(run.options.train.precision));
}

// The largest difference of two results, as a part of the root mean square of the first.
double difference_of(const at::Tensor& first, const at::Tensor& second) {
  const double scale = first.square().mean(at::kDouble).sqrt().item<double>();
  return (first - second).abs().max().item<double>() / scale;
}

int64_t checksum_of(const at::Tensor& values) {
  const at::Tensor bytes = values.cpu();
  return crc32c({static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()});
}

}  // namespace

BlockProbe probe_of(const Run& run) {
  const Span tokens{0, std::min(most_tokens, run.shape.grid.tokens())};
  return [block = block_alone(run.shape, tokens), C = run.shape.dim, tokens](const at::Tensor& weights) {
    const at::AutoGradMode grad_mode(true);
    const at::Tensor leaf = weights.detach().requires_grad_();
    const at::Tensor made_up = random_bits(seed_of("verify"), 0, tokens.size() * C, at::kCPU).to(at::kFloat);
    const at::Tensor x_BTC =
        made_up.div(made_up.abs().max()).view({1, tokens.size(), C}).to(weights.options()).requires_grad_();
    const at::Tensor lead_B = at::full({1}, 24.0, weights.options().dtype(at::kFloat));
    const at::Tensor y_BTC =
        block.run(as_weights(block.parameters, leaf), x_BTC, {lead_B, {0}, {0}, 0, false, nullptr});
    torch::autograd::backward({y_BTC}, {y_BTC.detach()});
    return at::cat({y_BTC.detach().reshape({-1}), x_BTC.grad().reshape({-1})}).to(at::kFloat);
  };
}

void verify_block(Run& run, const World& world, int64_t turn, const BlockProbe& probe) {
  const Accounted booked(Account::other);
  const Group& everyone = run.mesh.world;
  const auto ranks = static_cast<size_t>(everyone.size());
  const std::vector<std::string> names = transformer_blocks(run);
  const std::string& name = names[static_cast<size_t>(turn) % names.size()];
  const at::Tensor weights = whole_weights(run, name, weight_options(run));
  const at::Tensor result = probe(weights);
  const std::array<int64_t, 2> mine = {std::stoll(name.substr(block_prefix.size())), checksum_of(weights)};
  const at::Tensor all = everyone
                             .all_gather(at::tensor(mine, at::kLong).to(run.device()),
                                         std::vector<int64_t>(ranks, std::ssize(mine)))
                             .wait()
                             .cpu();
  const auto number = [&](size_t rank, int64_t i) {
    return all[static_cast<int64_t>(rank) * std::ssize(mine) + i].item<int64_t>();
  };
  // All transformer blocks have weights and results of one size.
  const at::Tensor other_weights = everyone.shift(weights, at::empty_like(weights)).wait();
  const at::Tensor other_result = everyone.shift(result, at::empty_like(result)).wait();
  const double differs = difference_of(other_result, probe(other_weights));
  const at::Tensor differences =
      everyone.all_gather(at::tensor({differs}, at::kDouble).to(run.device()), std::vector<int64_t>(ranks, 1))
          .wait()
          .cpu();
  Told told;
  told.hosts = gather_texts(host(), everyone);
  for (size_t rank = 0; rank < ranks; ++rank) {
    told.blocks.push_back(number(rank, 0)), told.checksums.push_back(number(rank, 1));
    told.differences.push_back(differences[static_cast<int64_t>(rank)].item<double>());
  }
  agree(world, everyone, [&] {
    refuse_other_weights(told, run.step);
    refuse_other_results(told, run.step,
                         run.options.train.precision == Precision::bf16 ? bf16_limit : fp32_limit);
  });
}

}  // namespace graticule
