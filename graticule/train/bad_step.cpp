#include "graticule/train/bad_step.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/data/sample_order.h"
#include "graticule/train/build.h"
#include "graticule/train/ranges.h"
#include "graticule/train/statistics_pass.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

constexpr double unusual = 100;  // deviations: no weather is that far from its mean

// What each sample (B) of the batch of all ranks does to the loss, by input variable (V).
struct Parts {
  at::Tensor error_BV;     ///< weighted squared errors of the first step, fp64
  at::Tensor extreme_BVN;  ///< largest absolute values: of the model's states, then of the steps' targets
};

// The largest absolute value; infinity for NaN, 0 for nothing.
double extreme_of(const at::Tensor& values) {
  if (values.numel() == 0) return 0;
  const auto largest = values.abs().amax().item<double>();
  return std::isnan(largest) ? std::numeric_limits<double>::infinity() : largest;
}

// The forward of this rank's samples without drop path, micro-batch by micro-batch as in training.
at::Tensor prediction_of(Run& run, const Batch& batch) {
  const int64_t samples = batch.input_BTKI.size(0), count = run.options.parallel.micro_batches;
  std::vector<at::Tensor> parts;
  for (int64_t m = 0; m < count; ++m) {
    const Span part = span_of(samples, count, m);
    const auto cut = [&](const at::Tensor& all) {
      return all.narrow(0, part.begin, part.size()).to(run.device());
    };
    const auto cut_list = [&](const std::vector<int64_t>& all) {
      return std::vector<int64_t>(all.begin() + part.begin, all.begin() + part.end);
    };
    const Inputs inputs{
        cut(batch.lead_hours_B), cut_list(batch.times), cut_list(batch.sample_ids), 0, false, nullptr};
    parts.push_back(run.chain.predict(cut(batch.input_BTKI), inputs).cpu());
  }
  return at::cat(parts);
}

Parts parts_of(Run& run, const Batch& batch) {
  const Accounted booked(Account::data);
  const at::NoGradGuard no_grad;
  const TokenGrid& grid = run.shape.grid;
  const int64_t states = grid.states, P = grid.pixels(), steps = 1 + std::ssize(batch.later);
  const auto samples = span_of(run.options.data.batch, run.mesh.axes.data, run.mesh.coordinate(Axis::data));
  const auto doubles = at::TensorOptions(at::kDouble);
  Parts parts{at::zeros({run.options.data.batch, grid.variables}, doubles),
              at::zeros({run.options.data.batch, grid.variables, states + steps}, doubles)};
  const bool judges = task_of(run.options).looks_ahead();  // other losses are no sums over variables
  const at::Tensor prediction_BTKP = judges ? prediction_of(run, batch) : at::Tensor();
  const bool has_fields = run.chain.first_stage() || run.chain.last_stage();
  for (int64_t b = 0; has_fields && b < batch.input_BTKI.size(0); ++b) {
    for (int64_t v = 0; v < grid.variables; ++v) {
      const auto mine = [&](const at::Tensor& all) {
        return of_variable(all.select(0, b), grid, run.tokens, v);
      };
      const at::Tensor extremes = parts.extreme_BVN.select(0, samples.begin + b).select(0, v);
      const at::Tensor input = mine(batch.input_BTKI);
      if (!judges) {
        extremes[0] = extreme_of(input);
        continue;
      }
      const at::Tensor weight = mine(batch.weight_BTKP);
      for (int64_t n = 0; n < states; ++n) extremes[n] = extreme_of(input.narrow(-1, n * P, P));
      extremes[states] = extreme_of(mine(batch.target_BTKP).mul(weight != 0));
      for (int64_t k = 1; k < steps; ++k) {
        const LaterStep& step = batch.later[static_cast<size_t>(k - 1)];
        extremes[states + k] = extreme_of(mine(step.target_BTKP).mul(mine(step.weight_BTKP) != 0));
      }
      if (!run.chain.last_stage()) continue;
      const at::Tensor error = mine(prediction_BTKP).to(at::kDouble).sub(mine(batch.target_BTKP));
      parts.error_BV.select(0, samples.begin + b).select(0, v).add_(error.square().mul(weight).sum());
    }
  }
  parts.error_BV = run.mesh.world.all_reduce(parts.error_BV.to(run.device())).wait().cpu();
  parts.extreme_BVN =
      run.mesh.world.all_reduce(parts.extreme_BVN.to(run.device()), Reduction::max).wait().cpu();
  return parts;
}

// The samples of the last batch with their times, in words.
class Samples {
 public:
  explicit Samples(Run& run)
      : catalog_(run.source->catalog()),
        first_(run.loader->position() - run.options.data.batch),
        order_(catalog_, training_order(run)) {}

  std::string name(int64_t b) {
    const SampleOrder::Sample sample = order_.at(first_ + b);
    return text("sample ", first_ + b, " (initial time ", time(sample.states.front()), ", lead ",
                sample.lead_hours, " h)");
  }
  /// The time of the N'th extreme of a sample, and what it is.
  std::string field(int64_t b, int64_t n) {
    const SampleOrder::Sample sample = order_.at(first_ + b);
    const int64_t states = std::ssize(sample.states);
    return n < states ? text("read at ", time(sample.states[static_cast<size_t>(n)]))
                      : text("to predict for ", time(sample.later[static_cast<size_t>(n - states)]));
  }

 private:
  static LoaderOptions training_order(const Run& run) {
    LoaderOptions options = loader_options(run.options, run.shape, run.mesh, run.tokens);
    options.range = part_of_data(run.options.data, SplitPart::train, run.source->catalog());
    return options;
  }
  std::string time(int64_t index) const {
    return format_time(catalog_.times[static_cast<size_t>(index)], catalog_.calendar);
  }

  const Catalog& catalog_;
  int64_t first_;
  SampleOrder order_;
};

// The place of the largest value of a tensor, as indices.
std::vector<int64_t> place_of_largest(const at::Tensor& values) {
  auto flat = values.reshape(-1).argmax().item<int64_t>();
  std::vector<int64_t> place(static_cast<size_t>(values.dim()));
  for (int64_t dim = values.dim(); dim-- > 0; flat /= values.size(dim))
    place[static_cast<size_t>(dim)] = flat % values.size(dim);
  return place;
}

// The parameters whose gradient is not finite, of all ranks: at most three by name.
std::string bad_gradients(Run& run) {
  std::set<std::string> names;
  for (const auto* part : run.chain.parts()) {
    const at::Tensor& gradient = part->owned_gradient();
    if (!gradient.defined() || gradient.isfinite().all().item<bool>()) continue;
    int64_t offset = 0;
    for (const auto& parameter : part->parameters()) {
      const Span held{offset, offset + parameter.numel()}, mine = intersect(part->owned(), held);
      offset = held.end;
      if (mine.empty()) continue;
      const at::Tensor values = gradient.narrow(0, mine.begin - part->owned().begin, mine.size());
      if (!values.isfinite().all().item<bool>()) names.insert(part->block() + "." + parameter.name);
    }
  }
  std::string lines;
  for (const std::string& name : names) lines += name + "\n";
  std::set<std::string> all;
  for (const std::string& of_rank : gather_texts(lines, run.mesh.world)) {
    std::istringstream stream(of_rank);
    for (std::string name; std::getline(stream, name);) all.insert(name);
  }
  if (all.empty()) return "every gradient is finite, but the sum of their squares is not";
  std::string listed;
  size_t told = 0;
  for (const std::string& name : all) {
    if (told++ < 3) listed += (listed.empty() ? "" : ", ") + name;
  }
  return text("the gradient is not finite in ", all.size(), " parameters: ", listed,
              all.size() > 3 ? ", ..." : "");
}

}  // namespace

std::string origin_of_bad(Run& run, const Batch& batch) {
  const Parts parts = parts_of(run, batch);
  const std::string gradients = bad_gradients(run);  // collective, so before any decision
  const auto& variables = run.options.data.variables;
  Samples samples(run);
  const at::Tensor bad_B = parts.error_BV.isfinite().logical_not().any(1);
  const auto bad = bad_B.sum().item<int64_t>();
  const auto in_words = [&](const std::vector<int64_t>& place) {
    return fmt::format("{}, {}, is {:.3g} deviations large", variables[static_cast<size_t>(place[1])],
                       samples.field(place[0], place[2]),
                       parts.extreme_BVN[place[0]][place[1]][place[2]].item<double>());
  };
  const bool extreme = !(parts.extreme_BVN.max().item<double>() < unusual);
  std::vector<int64_t> largest = place_of_largest(parts.extreme_BVN);
  if (extreme) {
    // One bad field spoils the change to the next one too. So the first unusual value of the sample is told.
    const at::Tensor values_N = parts.extreme_BVN[largest[0]][largest[1]];
    largest[2] = (values_N >= unusual).to(at::kByte).argmax().item<int64_t>();
  }
  std::string told;
  if (bad > 0) {
    const auto first = bad_B.to(at::kByte).argmax().item<int64_t>();
    told = text(bad, " of ", run.options.data.batch, " samples have no finite loss, first ",
                samples.name(first));
    if (!extreme)
      return told + "; no value of them is unusual, so the weights are at fault: " + in_words(largest);
  } else {
    told = task_of(run.options).looks_ahead()
               ? text("each variable's part of the loss is finite; ", gradients)
               : gradients;
    if (!extreme) return told;
  }
  return text(told, "; a value of the data is unusual: in ", samples.name(largest[0]), " ", in_words(largest),
              "; graticule data check reads all of them");
}

std::string largest_part(Run& run, const Batch& batch) {
  const Parts parts = parts_of(run, batch);
  if (!task_of(run.options).looks_ahead()) {
    const std::vector<int64_t> at = place_of_largest(parts.extreme_BVN);
    return fmt::format("the largest value of its samples is that of {} in {}",
                       run.options.data.variables[static_cast<size_t>(at[1])], Samples(run).name(at[0]));
  }
  const std::vector<int64_t> place = place_of_largest(parts.error_BV);
  const double share =
      parts.error_BV[place[0]][place[1]].item<double>() / parts.error_BV.sum().item<double>();
  return fmt::format("{:.0f} % of it is {} of {}", 100 * share,
                     run.options.data.variables[static_cast<size_t>(place[1])], Samples(run).name(place[0]));
}

}  // namespace graticule
