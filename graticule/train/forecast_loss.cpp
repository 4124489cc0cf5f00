#include "graticule/train/forecast_loss.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "graticule/core/ledger.h"
#include "graticule/train/loss.h"

namespace graticule {

namespace {

/// One micro-batch on its way through the steps.
struct Way {
  const Batch& part;
  std::vector<at::Tensor> input_BTKI;  ///< of each step
  std::vector<at::Tensor>
      gradient_BTKP;  ///< of the later steps' loss, by the state at which each step begins
};

Inputs inputs_of(const Batch& part, size_t step, const Options& options) {
  return {part.lead_hours_B,
          step == 0 ? part.times : part.later[step - 1].times,
          part.sample_ids,
          static_cast<uint64_t>(options.train.seed),
          true,
          nullptr};
}

at::Tensor state_of(const Batch& part, const at::Tensor& input_BTKI) {
  return input_BTKI.narrow(3, 0, part.target_BTKP.size(3));
}

// s_(k+1). Where a target has no value at the initial time, its state stays 0, as in a forecast (rollout.h).
// What is given is 0 for targets, and the unit is 0 for all other variables.
at::Tensor state_after(const Batch& part, size_t step, const at::Tensor& state_BTKP,
                       const at::Tensor& prediction_BTKP, Predict predict) {
  const at::Tensor told_BTKP = part.unit_BTKP * prediction_BTKP + part.later[step].given_BTKP;
  return predict == Predict::difference ? told_BTKP + state_BTKP * (part.unit_BTKP != 0) : told_BTKP;
}

// The input of the step after `step`: the state, then the states that this step read, but the earliest.
// Variables that are no targets have no earlier states.
at::Tensor input_after(const Batch& part, const at::Tensor& input_BTKI, const at::Tensor& state_BTKP) {
  const int64_t P = part.target_BTKP.size(3), I = input_BTKI.size(3);
  if (I == P) return state_BTKP;
  const at::Tensor past_BTKP = state_of(part, input_BTKI) * (part.unit_BTKP != 0);
  return at::cat({state_BTKP, past_BTKP, input_BTKI.narrow(3, P, I - 2 * P)}, 3);
}

// Runs all steps but the last forward. The stages between the first and the last have no fields.
void go_ahead(Chain& chain, Way& way, const Options& options) {
  const bool has_fields = chain.first_stage() || chain.last_stage();
  for (size_t step = 0; step < way.part.later.size(); ++step) {
    const at::Tensor &input_BTKI = way.input_BTKI[step],
                     prediction_BTKP = chain.predict(input_BTKI, inputs_of(way.part, step, options));
    way.input_BTKI.push_back(!has_fields
                                 ? input_BTKI
                                 : input_after(way.part, input_BTKI,
                                               state_after(way.part, step, state_of(way.part, input_BTKI),
                                                           prediction_BTKP, options.data.predict)));
  }
}

// The loss of one step of a way, and what the later steps add. `state_BTKP`: where the step begins, a leaf.
LossFunction loss_of(const Way& way, size_t step, const at::Tensor& state_BTKP, Predict predict) {
  return [&way, step, state_BTKP, predict](const at::Tensor& prediction_BTKP) {
    const Batch& part = way.part;
    if (step == 0 && part.later.empty())
      return squared_error_sum(prediction_BTKP, part.target_BTKP, part.weight_BTKP);
    at::Tensor judged_BTKP = prediction_BTKP;
    if (step > 0 && predict == Predict::difference) {  // the target is a state: so is what is judged
      const at::Tensor none_BTKP = part.unit_BTKP == 0;
      judged_BTKP =
          prediction_BTKP + state_BTKP * (1 - none_BTKP.to(at::kFloat)) / (part.unit_BTKP + none_BTKP);
    }
    const at::Tensor error = step == 0 ? squared_error_sum(judged_BTKP, part.target_BTKP, part.weight_BTKP)
                                       : squared_error_sum(judged_BTKP, part.later[step - 1].target_BTKP,
                                                           part.later[step - 1].weight_BTKP);
    if (step == part.later.size()) return error;
    const at::Tensor later =
        (way.gradient_BTKP[step + 1] * state_after(part, step, state_BTKP, prediction_BTKP, predict)).sum();
    return error + (later - later.detach());  // of the later steps only the gradient counts here
  };
}

void add(at::Tensor& sum, const at::Tensor& gradient) {
  sum = sum.defined() ? sum.add_(gradient) : gradient.clone();
}

// Adds the gradient by a step's input to the gradients by the states in it.
void spread(Way& way, size_t step, const at::Tensor& gradient_BTKI) {
  const int64_t P = way.part.target_BTKP.size(3), states = gradient_BTKI.size(3) / P;
  const int64_t forecast = std::min(states, static_cast<int64_t>(step));  // the others are data
  for (int64_t n = 0; n < forecast; ++n) {
    const at::Tensor part_BTKP = gradient_BTKI.narrow(3, n * P, P);
    add(way.gradient_BTKP[step - static_cast<size_t>(n)],
        n == 0 ? part_BTKP : part_BTKP * (way.part.unit_BTKP != 0));
  }
}

}  // namespace

at::Tensor weight_of_steps(const Batch& batch) {
  at::Tensor sum = weight_sum(batch.weight_BTKP);
  for (const LaterStep& step : batch.later) sum = sum + weight_sum(step.weight_BTKP);
  return sum;
}

at::Tensor train_forecast(Chain& chain, const std::vector<Batch>& parts, const Options& options) {
  const Accounted booked(Account::data);
  std::vector<Way> ways;
  for (const Batch& part : parts) ways.push_back({part, {part.input_BTKI}, {}});
  for (Way& way : ways) {
    go_ahead(chain, way, options);
    way.gradient_BTKP.resize(way.input_BTKI.size());
  }
  at::Tensor total;
  for (size_t step = parts.front().later.size() + 1; step-- > 0;) {
    std::vector<MicroBatch> micro_batches;
    std::vector<at::Tensor> states;
    for (Way& way : ways) {
      states.push_back(state_of(way.part, way.input_BTKI[step]).detach().requires_grad_(step > 0));
      micro_batches.push_back({way.input_BTKI[step], inputs_of(way.part, step, options),
                               loss_of(way, step, states.back(), options.data.predict)});
    }
    std::vector<at::Tensor> gradients;
    const at::Tensor error = chain.train(micro_batches, {step == 0, step == 0 ? nullptr : &gradients});
    total = total.defined() ? total + error : error;
    for (size_t m = 0; m < ways.size(); ++m) {
      Way& way = ways[m];
      way.input_BTKI.pop_back(), way.gradient_BTKP.resize(step + 1);
      if (step > 0 && chain.last_stage()) spread(way, step, gradients[m]);
      if (states[m].grad().defined()) add(way.gradient_BTKP[step], states[m].grad());
    }
  }
  return total;
}

}  // namespace graticule
