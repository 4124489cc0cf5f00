// Runs the tasks of a training step in order (parallel/training_pass, train/step), each with the footprint of
// its block.

#include "graticule/footprint/step_memory.h"

#include <algorithm>
#include <map>
#include <set>

#include "graticule/footprint/block_memory.h"
#include "graticule/footprint/weight_memory.h"
#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

using Kind = StageAction::Kind;

// Constants of data/loader: bytes, and steps, that it reads ahead.
constexpr int64_t most_waiting = int64_t{64} << 20, most_ahead = 2;

// Fields that the loss of a step of train.rollout makes besides its gradient (train/forecast_loss).
constexpr int64_t later_steps_fields = 5;

bool goes_back(const BlockTask& task) {
  return task.action.kind == Kind::backward || task.action.kind == Kind::backward_input;
}

bool needs_weights(const BlockTask& task) { return task.action.kind != Kind::backward_weight; }

class Step {
 public:
  explicit Step(const PassSizes& sizes)
      : s_(sizes),
        chunks_(chunks_of(s_.options, s_.shape, s_.axes, s_.share)),
        tasks_(tasks_of(s_.options, s_.axes, s_.share, chunks_)) {
    for (const Span& chunk : chunks_) {
      for (int64_t block = chunk.begin; block < chunk.end; ++block) {
        blocks_.push_back(block);
        parts_.push_back(parts_of(s_, block));
        for (const PartSizes& part : parts_.back()) part.make_state(f_);
      }
    }
    make_batches();
  }

  void run() {
    each_part([&](PartSizes& part) { part.zero_gradients(f_); });
    // Each step of train.rollout is a pass; all but the last leave gradients that are not reduced yet.
    for (int64_t pass = std::min<int64_t>(2, s_.options.train.rollout); pass > 0; --pass) run_pass(pass == 1);
    finish();
  }

  const Booked& peak() const { return f_.most; }

 private:
  void run_pass(bool last) {
    taken_.assign(blocks_.size(), 0);
    last_pass_ = last;
    for (at_ = 0; at_ < tasks_.size(); ++at_) {
      const BlockTask& task = tasks_[at_];
      expect(task.begins ? &task : nullptr);
      expect(task.ends ? next(needs_weights) : nullptr);
      if (task.action.kind == Kind::forward) forward(task);
      if (goes_back(task)) backward(task);
      if (task.action.kind == Kind::backward_weight) backward_weight(task);
    }
    expected_ = nullptr;
    if (last || !reducing_) return;
    for (PartSizes& part : parts_[*reducing_]) part.collect(f_);
    reducing_.reset();
  }

  bool is_first(const BlockTask& task) const { return blocks_[task.block] == 0; }
  bool is_last(const BlockTask& task) const { return blocks_[task.block] > s_.shape.depth; }
  Activations policy() const { return s_.options.train.activations.value_or(Activations::keep); }
  int64_t samples(const BlockTask& task) const {
    return s_.share.micro_batches[static_cast<size_t>(task.action.micro)];
  }
  int64_t flow(const BlockTask& task) const { return samples(task) * s_.t * s_.C() * s_.e(); }
  const BlockTask* next() const { return at_ + 1 < tasks_.size() ? &tasks_[at_ + 1] : nullptr; }
  template <class Wanted>
  const BlockTask* next(const Wanted& wanted) const {
    const auto found =
        std::find_if(tasks_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, tasks_.end(), wanted);
    return found == tasks_.end() ? nullptr : &*found;
  }

  template <class Visit>
  void each_part(const Visit& visit) {
    for (auto& block : parts_) {
      for (PartSizes& part : block) visit(part);
    }
  }

  // The fields of the current step and of the steps read ahead (data/loader.h). The weights of the loss are
  // one tensor for all samples if no value is missing, else one for each sample.
  void make_batches() {
    const TokenGrid& grid = s_.shape.grid;
    if (blocks_.front() != 0 && blocks_.back() <= s_.shape.depth) return;
    field_ = s_.t * grid.variables_per_token() * grid.pixels() * fp32_bytes;
    const int64_t steps = s_.options.train.rollout, all = s_.share.samples() * field_;
    const int64_t fields = (grid.states + 1 + (steps > 1 ? 2 * steps - 1 : 0)) * all;
    const int64_t ahead = std::clamp<int64_t>(most_waiting / std::max<int64_t>(1, fields), 1, most_ahead);
    const bool masks = s_.options.data.missing == Missing::mean;
    const int64_t batch = fields + (masks ? steps * all : 0);
    f_.make(Account::data, field_ + batch * (1 + (s_.options.train.device == DeviceKind::cpu ? ahead : 0)));
    // The inputs of the later steps (train/forecast_loss), and the gradient of one.
    f_.make(Account::data, (steps - 1) * grid.states * all + (steps > 1 ? all : 0));
  }

  const BlockMemory& memory(const BlockTask& task) {
    const int kind = is_first(task) ? 0 : is_last(task) ? 2 : 1;
    auto& memo = memories_[{kind, samples(task)}];
    if (memo) return *memo;
    PassSizes s = s_;
    s.b = samples(task);
    s.defers =
        s.options.parallel.schedule == ScheduleKind::zero_bubble && policy() == Activations::keep && kind > 0;
    memo = kind == 0                       ? tokenizer_block(s, policy())
           : kind == 2                     ? head_block(s, policy())
           : policy() == Activations::keep ? kept_block(s)
                                           : lean_block(s, policy());
    return *memo;
  }

  // Gathers this task's weights, and starts to gather those that the next task needs.
  void gather(const BlockTask& task) {
    for (PartSizes& part : parts_[task.block]) part.gather(f_);
    const BlockTask* after = next(needs_weights);
    if (!after) return;
    for (PartSizes& part : parts_[after->block]) part.prefetch(f_);
  }

  void release(const BlockTask& task) {
    if (next() && needs_weights(*next()) && next()->block == task.block) return;
    for (PartSizes& part : parts_[task.block]) part.release(f_);
  }

  // Whether the input and the memo of a task are offloaded. On a CPU without a folder there is no place to
  // offload to.
  bool goes_away(const BlockTask& task) const {
    const TrainOptions& train = s_.options.train;
    const bool elsewhere = train.device != DeviceKind::cpu || !train.offload_to.empty();
    const bool turns = next() && next()->block == task.block && next()->action.micro == task.action.micro;
    return policy() == Activations::offload && elsewhere && !turns && !is_first(task);
  }

  // A sent message stays in memory until the next one is sent. A single stage sends no messages.
  void send(int64_t& sent, int64_t bytes) {
    if (s_.axes.pipeline == 1) return;
    f_.drop(sent);
    sent = bytes;
  }

  // The message that an action begins with is allocated during the last task of the action before.
  void expect(const BlockTask* task) {
    if (!task || task == expected_ || !needs_weights(*task) || s_.axes.pipeline == 1) return;
    if (goes_back(*task) ? is_last(*task) : is_first(*task)) return;
    f_.make(flow(*task));
    expected_ = task;
  }

  // The input of a block is the output of the block before, or a received message.
  void forward(const BlockTask& task) {
    const BlockMemory& block = memory(task);
    gather(task);
    f_.run(block.forward);
    if (goes_away(task)) {
      away_.insert({task.action.micro, task.block});
      f_.undo(block.kept).drop(flow(task));
    }
    release(task);
    if (!task.ends) return;
    const int64_t goes = policy() == Activations::keep ? 0 : block.output;
    if (is_last(task)) {  // the loss: its gradient is made
      if (s_.options.train.rollout > 1) f_.brief(later_steps_fields * samples(task) * field_);
      f_.make(samples(task) * field_).drop(goes);
    } else {
      send(sent_ahead_, goes);
    }
  }

  void bring_back(const BlockTask& task) {
    if (away_.erase({task.action.micro, task.block}) == 0) return;
    f_.make(flow(task)).run({memory(task).kept, memory(task).kept});
  }

  void backward(const BlockTask& task) {
    const BlockMemory& block = memory(task);
    gather(task);
    bring_back(task);
    if (const BlockTask* back = next(goes_back)) bring_back(*back);
    f_.run(block.backward);
    const int64_t dy = is_last(task) ? samples(task) * field_ : flow(task);
    if (block.input_gradient > 0 || is_first(task)) f_.drop(dy);
    if (policy() == Activations::keep) {  // the output is also the next block's input
      const bool message = task.ends && !is_first(task) && s_.axes.pipeline > 1;
      f_.drop(block.output + (message ? flow(task) : 0));
    } else if (!is_first(task)) {
      f_.drop(flow(task));
    }
    if (task.action.kind != Kind::backward_input) take_gradients(task.block);
    release(task);
    if (task.ends && !is_first(task)) send(sent_back_, flow(task));
  }

  void backward_weight(const BlockTask& task) {
    f_.run(memory(task).weights);
    take_gradients(task.block);
  }

  // The gradients of a block are reduced while the block before it computes.
  void take_gradients(size_t block) {
    const bool last = ++taken_[block] == s_.share.micro_batches.size() && last_pass_;
    const auto collect = [&](size_t of) {
      for (PartSizes& part : parts_[of]) part.collect(f_);
    };
    if (reducing_ == block) collect(block);
    for (PartSizes& part : parts_[block]) part.take_gradients(f_, last);
    if (reducing_ && *reducing_ != block) collect(*reducing_);
    reducing_ = block;
  }

  void finish() {
    send(sent_ahead_, 0), send(sent_back_, 0);
    reducing_.reset();
    int64_t copies = 0;
    each_part([&](PartSizes& part) {
      part.collect(f_);
      copies += part.copies_bytes();
    });
    f_.brief(Account::gradients, copies);
    each_part([](PartSizes& part) { part.refresh(); });
  }

  const PassSizes& s_;
  const std::vector<Span> chunks_;
  const std::vector<BlockTask> tasks_;
  std::vector<int64_t> blocks_;  ///< numbers in the chain, in this rank's order
  std::vector<std::vector<PartSizes>> parts_;
  /// By kind of block (0 tokenizer, 1 transformer block, 2 head) and number of samples.
  std::map<std::pair<int, int64_t>, std::optional<BlockMemory>> memories_;
  std::set<std::pair<int, size_t>> away_;   ///< micro-batch and block whose input and memo are offloaded
  int64_t field_ = 0;                       ///< bytes of a sample's fields on this rank
  int64_t sent_ahead_ = 0, sent_back_ = 0;  ///< bytes of the messages that were sent last
  const BlockTask* expected_ = nullptr;
  bool last_pass_ = true;
  std::vector<size_t> taken_;  ///< by block: micro-batches whose weight gradients were taken
  std::optional<size_t> reducing_;
  Footprint f_;
  size_t at_ = 0;
};

}  // namespace

Booked memory_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank,
                      const Scratch& scratch) {
  const RankShare share = rank_share(options, shape, axes, rank);
  const PassSizes sizes{options, shape, axes, share, scratch, 0, share.tokens.size(), share.layer_tokens};
  Step step(sizes);
  step.run(), step.run();
  return step.peak();
}

}  // namespace graticule
