#include "graticule/data/loader.h"

#include <ATen/TensorOperators.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/data/sample_order.h"
#include "graticule/data/token_reader.h"

namespace graticule {

namespace {

constexpr int64_t waiting_bytes = int64_t{64} << 20;

}  // namespace

int64_t fields_of_sample(int64_t states, int64_t steps) {
  return states + 1 + (steps > 1 ? 1 + 2 * (steps - 1) : 0);
}

std::vector<int64_t> target_sizes(const LoaderOptions& options) {
  if (!options.target_of_time.empty()) return {1, 1, 1};
  return {options.tokens.size(), options.labels.empty() ? options.grid.variables_per_token() : 1,
          options.grid.pixels()};
}

int64_t steps_ahead(const LoaderOptions& options) {
  const int64_t values = options.samples.size() * options.tokens.size() * options.grid.variables_per_token() *
                         options.grid.pixels();
  const int64_t bytes =
      fields_of_sample(options.grid.states, options.steps) * values * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(waiting_bytes / std::max<int64_t>(1, bytes), 1, options.prefetch);
}

namespace {

// Stacks samples to a batch. If all samples are the same tensor, the batch is a view without a copy.
at::Tensor stacked(const std::vector<at::Tensor>& samples, const at::Tensor& none_BTKP) {
  if (samples.empty()) return none_BTKP;
  const auto same = [&](const at::Tensor& sample) { return sample.is_same(samples.front()); };
  if (!std::all_of(samples.begin(), samples.end(), same)) return at::stack(samples);
  return samples.front().unsqueeze(0).expand_as(none_BTKP);
}

}  // namespace

// While the worker runs, it owns source, order and reader. `mutex` guards `ready` and `error` only.
struct Loader::State {
  State(std::shared_ptr<Source> held, const Statistics& statistics, LoaderOptions chosen)
      : source(std::move(held)),
        options(std::move(chosen)),
        order(source->catalog(), options),
        reader(*source, statistics, options) {}

  Batch read(int64_t from);
  void hide(int64_t from, Batch& batch) const;
  void work(const std::stop_token& stop, int64_t from);
  bool ended(int64_t at) const { return !options.shuffle && at >= order.size(); }
  int64_t after(int64_t at) const {
    return options.shuffle ? at + options.batch : std::min(at + options.batch, order.size());
  }

  std::shared_ptr<Source> source;
  LoaderOptions options;
  SampleOrder order;  // before the reader: it says best what is wrong with a range or a lead
  TokenReader reader;
  int64_t position = 0;
  double waited_seconds = 0;

  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Batch> ready;
  std::exception_ptr error;
  std::jthread worker;  // last member: stops before the members that it uses are destroyed
};

Batch Loader::State::read(int64_t from) {
  Span ids = {from + options.samples.begin, from + options.samples.end};
  if (!options.shuffle) ids = intersect(ids, {0, order.size()});
  const auto zeros = [&](int64_t last) {
    return at::zeros({ids.size(), options.tokens.size(), options.grid.variables_per_token(), last});
  };
  const int64_t P = options.grid.pixels(), steps = options.steps;
  std::vector<int64_t> target = target_sizes(options);
  target.insert(target.begin(), ids.size());
  Batch batch{zeros(options.grid.inputs()), at::zeros(target), {}, at::empty({ids.size()}), {}, {}};
  if (steps > 1) batch.unit_BTKP = zeros(P);
  for (int64_t k = 1; k < steps; ++k) batch.later.push_back({{}, zeros(P), zeros(P), {}});
  std::vector<std::vector<at::Tensor>> weights(static_cast<size_t>(steps));  // by step and sample
  for (int64_t b = 0; b < ids.size(); ++b) {
    const SampleOrder::Sample sample = order.at(ids.begin + b);
    const auto of_sample = [b](const at::Tensor& all) {
      return all.mutable_data_ptr<float>() + b * all.stride(0);
    };
    SampleFields fields{of_sample(batch.input_BTKI), nullptr, {{nullptr, of_sample(batch.target_BTKP), {}}}};
    if (steps > 1) fields.unit_TKP = of_sample(batch.unit_BTKP);
    for (const LaterStep& step : batch.later)
      fields.steps.push_back({of_sample(step.given_BTKP), of_sample(step.target_BTKP), {}});
    reader.read_sample(sample, fields);
    if (!options.target_of_time.empty())
      batch.target_BTKP[b].fill_(options.target_of_time.at(static_cast<size_t>(sample.states.front())));
    for (size_t k = 0; k < weights.size(); ++k) weights[k].push_back(fields.steps[k].weight_TKP);
    batch.lead_hours_B.mutable_data_ptr<float>()[b] = static_cast<float>(sample.lead_hours);
    const auto season = [&catalog = source->catalog()](int64_t state) {
      return in_gregorian_season(catalog.calendar, catalog.times[static_cast<size_t>(state)]);
    };
    batch.times.push_back(season(sample.states.front()));
    batch.sample_ids.push_back(ids.begin + b);
    for (size_t k = 0; k < batch.later.size(); ++k) batch.later[k].times.push_back(season(sample.later[k]));
  }
  batch.weight_BTKP = stacked(weights[0], batch.target_BTKP);
  for (size_t k = 0; k < batch.later.size(); ++k)
    batch.later[k].weight_BTKP = stacked(weights[k + 1], batch.target_BTKP);
  hide(from, batch);
  return batch;
}

// Hides the masked tokens: the loss counts them alone.
void Loader::State::hide(int64_t from, Batch& batch) const {
  if (options.mask.visible == 0) return;
  // Without an order of its own, a sample has the same mask however samples are spread.
  const int64_t draw = options.shuffle ? from / options.batch : from + options.samples.begin;
  batch.visible = std::make_shared<const std::vector<int64_t>>(
      visible_tokens(options.mask, options.grid, options.seed, draw));
  at::Tensor counts_T = at::ones({options.tokens.size()});
  auto* counts = counts_T.mutable_data_ptr<float>();
  for (const int64_t token : *batch.visible) {
    if (token >= options.tokens.begin && token < options.tokens.end) counts[token - options.tokens.begin] = 0;
  }
  batch.weight_BTKP = batch.weight_BTKP * counts_T.view({1, -1, 1, 1});
}

void Loader::State::work(const std::stop_token& stop, int64_t from) {
  for (int64_t at = from; !stop.stop_requested() && !ended(at); at = after(at)) {
    try {
      Batch batch = read(at);
      std::unique_lock lock(mutex);
      ready.push_back(std::move(batch));
      changed.notify_all();
      changed.wait(lock, stop, [&] { return std::ssize(ready) < steps_ahead(options); });
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      changed.notify_all();
      return;
    }
  }
}

Loader::Loader(std::shared_ptr<Source> source, const Statistics& statistics, LoaderOptions options) {
  GRATICULE_CHECK(options.batch > 0 && options.prefetch > 0, "batch ", options.batch, ", prefetch ",
                  options.prefetch);
  GRATICULE_CHECK(intersect(options.samples, {0, options.batch}) == options.samples, "samples of this rank");
  state_ = std::make_unique<State>(std::move(source), statistics, std::move(options));
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

Batch Loader::next() {
  State& state = *state_;
  if (state.ended(state.position))
    refuse("data", "all ", state.order.size(), " samples of the range were read once");
  if (!state.worker.joinable()) {
    state.worker = std::jthread(
        [&state, from = state.position, caller = at::ThreadLocalState()](const std::stop_token& stop) {
          const at::ThreadLocalStateGuard observed(caller);
          const Accounted booked(Account::data);
          state.work(stop, from);
        });
  }
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return !state.ready.empty() || state.error; });
  state.waited_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (state.ready.empty()) std::rethrow_exception(state.error);
  Batch batch = std::move(state.ready.front());
  state.ready.pop_front();
  state.changed.notify_all();
  state.position = state.after(state.position);
  return batch;
}

int64_t Loader::samples_an_epoch() const { return state_->order.size(); }
int64_t Loader::position() const { return state_->position; }

void Loader::seek(int64_t position) {
  GRATICULE_CHECK(position >= 0, "position ", position);
  state_->worker = {};  // stops and joins
  state_->ready.clear();
  state_->error = nullptr;
  state_->position = position;
}

double Loader::take_waited_seconds() { return std::exchange(state_->waited_seconds, 0.0); }

}  // namespace graticule
