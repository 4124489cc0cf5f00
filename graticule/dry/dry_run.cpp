#include "graticule/dry/dry_run.h"

#include <ATen/ops/empty.h>

#include <deque>
#include <optional>

#include "graticule/comm/dry/dry.h"
#include "graticule/comm/mesh.h"
#include "graticule/core/error.h"
#include "graticule/kernel/stand_in.h"
#include "graticule/train/build.h"
#include "graticule/train/memory.h"
#include "graticule/train/step.h"

namespace graticule {

namespace {

constexpr int steps = 2;

at::Tensor blank(c10::IntArrayRef sizes) { return at::empty(sizes, at::TensorOptions(at::kMeta)); }

// The batch that Loader::next returns, as meta tensors. If no value is missing all samples share their
// weights.
Batch meta_batch(const LoaderOptions& loader, const at::Tensor& weight_TKP) {
  const Accounted booked(Account::data);
  const int64_t B = loader.samples.size();
  std::vector<int64_t> sizes = weight_TKP.sizes().vec();
  sizes.insert(sizes.begin(), B);
  const bool own = loader.missing == Missing::mean || loader.mask.visible > 0;
  const at::Tensor weight_BTKP = own ? blank(sizes) : weight_TKP.unsqueeze(0).expand(sizes);
  Batch batch{blank({B, loader.tokens.size(), loader.grid.variables_per_token(), loader.grid.inputs()}),
              blank(sizes),
              weight_BTKP,
              blank({B}),
              {},
              {}};
  if (loader.mask.visible > 0)
    batch.visible = std::make_shared<const std::vector<int64_t>>(
        visible_tokens(loader.mask, loader.grid, loader.seed, 0));
  for (int64_t id = loader.samples.begin; id < loader.samples.end; ++id) {
    batch.times.push_back(0);
    batch.sample_ids.push_back(id);
  }
  if (loader.steps > 1) batch.unit_BTKP = blank(sizes);
  for (int64_t k = 1; k < loader.steps; ++k)
    batch.later.push_back({batch.times, blank(sizes), blank(sizes),
                           loader.missing == Missing::mean ? blank(sizes) : weight_BTKP});
  return batch;
}

// Runs the steps. A loader reads some steps ahead into host memory, so they count only if the device is the
// CPU.
void take_steps(Chain& chain, const Mesh& mesh, const Options& options, const LoaderOptions& loader,
                StepRecorder* recorder) {
  const size_t ahead = options.train.device == DeviceKind::cpu ? static_cast<size_t>(steps_ahead(loader)) : 0;
  const at::Tensor weight_TKP = [&] {
    const Accounted booked(Account::data);
    return blank(target_sizes(loader));
  }();
  std::deque<Batch> ready;
  for (int64_t step = 1; step <= steps; ++step) {
    while (ready.size() <= ahead) ready.push_back(meta_batch(loader, weight_TKP));
    const Batch batch = std::move(ready.front());
    ready.pop_front();
    if (recorder && step == steps) recorder->start();
    step_on(batch, chain, mesh, options, step, false);
  }
  if (recorder) recorder->stop();
}

std::map<std::string, Traffic> less(std::map<std::string, Traffic> all,
                                    const std::map<std::string, Traffic>& before) {
  for (const auto& [label, traffic] : before) {
    all[label].bytes_sent -= traffic.bytes_sent;
    all[label].operations -= traffic.operations;
  }
  std::erase_if(all, [](const auto& entry) { return entry.second.bytes_sent == 0; });
  return all;
}

}  // namespace

void validate(const DryRank& place) {
  if (place.ranks < 1) refuse("plan", place.ranks, " ranks: choose 1 or more");
  if (place.local_size < 1) refuse("plan", place.local_size, " ranks a node: choose 1 or more");
  if (place.rank < 0 || place.rank >= place.ranks) {
    refuse("plan", "rank ", place.rank, " of ", place.ranks, ": choose 0 to ", place.ranks - 1);
  }
}

DryRun dry_run(const Options& recipe, const ModelShape& shape, const DryRank& place, StepRecorder* recorder) {
  validate(place);
  Options options = recipe;
  const World world =
      dry_world(place.rank, place.ranks, place.local_size, recorder ? recorder->listener() : DryListener{});
  const Mesh mesh = mesh_of(options, shape, world);
  Layers layers = layers_of(options, shape, mesh, world);
  layers.chain.shard.device = at::kMeta;
  // Tensors that are offloaded to a file, or from a GPU to host memory, no longer count. Any folder serves: a
  // dry run writes nothing, and the recipe's folder need not exist on this machine.
  if (options.train.device == DeviceKind::cuda || !layers.chain.offload_to.empty())
    layers.chain.offload_to = "/dev/shm";

  std::optional<StandIn> gpu;
  if (options.train.device != DeviceKind::cpu) gpu.emplace(std::nullopt);
  Ledger ledger;
  const MemoryWatch watch(ledger, c10::DeviceType::Meta);
  Chain chain = chain_of(shape, layers);
  const bool reads = chain.first_stage() || chain.last_stage();
  const Span none{layers.tokens.begin, layers.tokens.begin};
  const LoaderOptions loader = loader_options(options, shape, mesh, reads ? layers.tokens : none);
  const auto before = traffic_of(mesh);
  take_steps(chain, mesh, options, loader, recorder);

  DryRun result{ledger.peak(), less(traffic_of(mesh), before), mesh.axes, loader.samples, layers.tokens};
  for (auto& [label, traffic] : result.traffic) traffic.bytes_sent /= steps, traffic.operations /= steps;
  for (const auto* part : chain.parts()) result.owned += part->owned().size();
  return result;
}

StepTrace trace_of_step(const Options& options, const ModelShape& shape, const DryRank& place) {
  StepRecorder recorder(place.rank);
  dry_run(options, shape, place, &recorder);
  return recorder.trace();
}

}  // namespace graticule
