#include "bench/random_tokens.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include "graticule/train/build.h"
#include "graticule/train/optimizer.h"

namespace graticule {

void RandomTokens::run() {
  chain.zero_gradients();
  chain.train(micro_batches);
  chain.finish_reduce();
  gradient_square_sum(chain, mesh.world);
  update(chain, AdamW{}, 1e-3, at::full({}, 1 / count, at::kDouble), ++step);
}

RandomTokens random_tokens(Options options, const ModelShape& shape, const World& world) {
  set_threads(options.train.threads, world);
  const Mesh mesh = mesh_of(options, shape, world);
  const Layers layers = layers_of(options, shape, mesh, world);
  const int64_t batch = options.data.batch,
                samples = span_of(batch, mesh.data.size(), mesh.data.rank()).size();
  const auto on = at::TensorOptions(at::kFloat).device(layers.chain.shard.device);
  std::vector<MicroBatch> micro_batches;
  for (int64_t m = 0; m < options.parallel.micro_batches; ++m) {
    const int64_t B = span_of(samples, options.parallel.micro_batches, m).size();
    const std::vector<int64_t> zeros(static_cast<size_t>(B), 0);
    const at::Tensor target = at::randn({B, layers.tokens.size(), 1, 1}, on);
    micro_batches.push_back({at::randn({B, layers.tokens.size(), 1, 1}, on),
                             {at::zeros({B}, on), zeros, zeros, 0, true, nullptr},
                             [target](const at::Tensor& out) { return (out - target).square().sum(); }});
  }
  return {mesh, chain_of(shape, layers), std::move(micro_batches),
          static_cast<double>(batch * shape.grid.tokens())};
}

}  // namespace graticule
