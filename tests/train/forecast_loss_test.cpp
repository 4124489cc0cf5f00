// Tests the loss over several steps of a forecast: against plain autograd through the unrolled model, and
// over layouts.

#include "graticule/train/forecast_loss.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <gtest/gtest.h>

#include "graticule/model/vit.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/holed_run.h"

namespace graticule {
namespace {

// The model of a run on one rank, as one differentiable function, and its weights.
struct Unrolled {
  std::vector<Block> blocks;
  std::vector<at::Tensor> masters;
  std::vector<Weights> weights;

  Unrolled(Run& run, const World& world) {
    const Layers layers = layers_of(run.options, run.shape, run.mesh, world);
    blocks =
        vision_transformer(run.shape, layers.tokens, layers.attention, layers.tensor, layers.tile_tokens);
    for (auto* part : run.chain.parts()) {
      masters.push_back(part->state().master.clone().requires_grad_());
      weights.push_back(as_weights(part->parameters(), masters.back()));
    }
  }
  at::Tensor operator()(at::Tensor x, const Inputs& inputs) const {
    for (size_t i = 0; i < blocks.size(); ++i) x = blocks[i].run(weights[i], x, inputs);
    return x;
  }
};

// The loss by its definition.
at::Tensor loss_by_definition(const Unrolled& model, const Batch& batch, const Options& options) {
  const bool difference = options.data.predict == Predict::difference;
  const int64_t P = batch.target_BTKP.size(3);
  const at::Tensor told = batch.unit_BTKP != 0, unit = at::where(told, batch.unit_BTKP, 1);
  std::vector<at::Tensor> states;  // the latest first
  for (int64_t n = 0; n < options.data.history; ++n) states.push_back(batch.input_BTKI.narrow(3, n * P, P));
  at::Tensor loss = at::zeros({});
  for (size_t step = 0; step <= batch.later.size(); ++step) {
    const auto& times = step == 0 ? batch.times : batch.later[step - 1].times;
    const at::Tensor out =
        model(at::cat(states, 3), {batch.lead_hours_B, times, batch.sample_ids,
                                   static_cast<uint64_t>(options.train.seed), true, nullptr});
    const at::Tensor next = (difference ? states[0] : at::zeros_like(out)) + unit * out;
    const at::Tensor error =
        step == 0 ? out - batch.target_BTKP : next / unit - batch.later[step - 1].target_BTKP;
    const at::Tensor weight = step == 0 ? batch.weight_BTKP : batch.later[step - 1].weight_BTKP;
    loss = loss + (error.square() * weight).sum();
    if (step == batch.later.size()) return loss;
    std::vector<at::Tensor> read = {at::where(told, next, batch.later[step].given_BTKP), states[0] * told};
    read.insert(read.end(), states.begin() + 1, states.end());
    read.resize(states.size());
    states = read;
  }
  return loss;
}

TEST(ForecastLoss, IsThatOfTheUnrolledModel) {
  const std::vector<Setting> cases = {
      {"full", "difference", "", 2, 1, 3},
      {"full", "difference", "", 5, 3, 4, "activations = \"recompute\"\ntile_tokens = 7\n"},
      {"aggregated", "state", "", 5, 2, 2, "activations = \"offload\"\n"},
      {"channels", "difference", "", 2, 3, 3, "loss_weights = \"pressure\"\n"},
  };
  for (const Setting& setting : cases) {
    SCOPED_TRACE(testing::Message() << setting.tokens << ", history " << setting.history << ", "
                                    << setting.train);
    const ScratchFolder folder;
    run_ranks(1, [&](const World& world) {
      auto run = build_run(world, folder, setting, on_land, true);
      const Batch batch = run.loader->next();
      const Unrolled model(run, world);
      const at::Tensor expected = loss_by_definition(model, batch, run.options);
      expected.backward();
      run.chain.zero_gradients();
      const at::Tensor loss = train_forecast(run.chain, {batch}, run.options);
      run.chain.finish_reduce();
      EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-5 * expected.item<double>());
      const auto parts = run.chain.parts();
      for (size_t i = 0; i < parts.size(); ++i) {
        const at::Tensor exact = model.masters[i].grad(), got = parts[i]->owned_gradient();
        const double size = exact.abs().max().item<double>();
        EXPECT_GT(size, 0);
        EXPECT_LT((got - exact).abs().max().item<double>(), 2e-5 * size) << parts[i]->block();
      }
    });
  }
}

// Squared error, weight and gradient norm of three steps.
at::Tensor steps_of(int ranks, const Setting& setting) {
  const ScratchFolder folder;
  at::Tensor told = at::zeros({3, 3}, at::kDouble);
  run_ranks(ranks, [&](const World& world) {
    auto run = build_run(world, folder, setting, on_land, true);
    for (int64_t step = 0; step < 3; ++step) {
      const at::Tensor result =
          step_on(run.loader->next(), run.chain, run.mesh, run.options, step + 1, false).cpu();
      if (world.rank > 0) continue;
      told[step][0] = result[0], told[step][1] = result[1], told[step][2] = result[3];
    }
  });
  return told;
}

TEST(ForecastLoss, IsTheSameInEveryLayout) {
  const std::vector<std::pair<int, Setting>> cases = {
      {3, {"full", "difference", "context = 3\n", 5, 2, 3}},
      {4, {"full", "difference", "context = 2\ndata = 2\nshard = \"full\"\nmicro_batches = 1\n", 2, 1, 2}},
      {4, {"channels", "state", "tensor = 2\npipeline = 2\nmicro_batches = 2\n", 2, 3, 3}},
      {2, {"full", "difference", "pipeline = 2\nmicro_batches = 2\nschedule = \"zero_bubble\"\n", 2, 2, 2}},
      {2, {"aggregated", "difference", "data = 2\nshard = \"gradients\"\n", 5, 2, 4}},
      {2,
       {"full", "state", "ulysses = 2\nshard = \"optimizer\"\n", 2, 2, 2, "activations = \"recompute\"\n"}},
  };
  for (const auto& [ranks, setting] : cases) {
    SCOPED_TRACE(testing::Message() << setting.tokens << ", " << setting.layout);
    Setting alone = setting;
    alone.layout.clear(), alone.train.clear();
    const at::Tensor one = steps_of(1, alone), many = steps_of(ranks, setting);
    EXPECT_TRUE(at::allclose(many, one, 2e-5, 0)) << one << "\n" << many;
  }
}

}  // namespace
}  // namespace graticule
