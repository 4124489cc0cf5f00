// Runs the tasks of a training step in order (parallel/training_pass, train/step), each with the footprint of
// its block.

#include "graticule/footprint/step_memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "graticule/footprint/block_memory.h"
#include "graticule/footprint/weight_memory.h"
#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

using Kind = StageAction::Kind;

// Constants of data/loader: bytes, and steps, that it reads ahead.
constexpr int64_t most_waiting = int64_t{64} << 20, most_ahead = 2;

// Tensors as large as the prediction that a loss makes besides its gradient: of a step of train.rollout
// (train/forecast_loss), of train/task_segment and of train/task_downscale.
constexpr int64_t later_steps_fields = 5, segment_fields = 6, downscale_fields = 2;

bool goes_back(const BlockTask& task) {
  return task.action.kind == Kind::backward || task.action.kind == Kind::backward_input;
}

bool needs_weights(const BlockTask& task) { return task.action.kind != Kind::backward_weight; }

class Step {
 public:
  /// `sizes`: of each part of the model (recipe/passes.h).
  Step(const ModelShape& shape, const std::vector<PassSizes>& sizes)
      : shape_(shape),
        sizes_(sizes),
        s_(sizes.back()),
        chunks_(chunks_of(s_.options, shape, s_.axes, s_.share)),
        tasks_(tasks_of(s_.options, s_.axes, s_.share, chunks_)) {
    for (const Span& chunk : chunks_) {
      for (int64_t block = chunk.begin; block < chunk.end; ++block) {
        blocks_.push_back(block);
        parts_.push_back(parts_of(sizes_of(block), part_place(shape_, block).block));
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
  bool is_last(const BlockTask& task) const { return blocks_[task.block] + 1 == shape_.blocks(); }
  const PassSizes& sizes_of(int64_t block) const { return sizes_[part_place(shape_, block).part]; }
  Activations policy() const { return s_.options.train.activations.value_or(Activations::keep); }
  int64_t samples(const BlockTask& task) const {
    return s_.share.micro_batches[static_cast<size_t>(task.action.micro)];
  }
  // Bytes of what a block takes in and gives out; of the first and the last only the other of the two.
  int64_t flow_of(const BlockTask& task, int64_t block) const {
    const PassSizes& s = sizes_of(block);
    return samples(task) * s.t * s.C() * s.e();
  }
  int64_t taken(const BlockTask& task) const {
    return flow_of(task, std::max<int64_t>(0, blocks_[task.block] - 1));
  }
  int64_t flow(const BlockTask& task) const { return flow_of(task, blocks_[task.block]); }
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
  // one tensor for all samples if no value is missing and none is hidden, else one for each sample.
  void make_batches() {
    if (blocks_.front() != 0 && blocks_.back() + 1 < shape_.blocks()) return;
    const TokenGrid& grid = shape_.grid;
    const TaskOptions& task = s_.options.task;
    const bool downscale = task.kind == TaskKind::downscale;
    field_ = s_.t * grid.variables_per_token() * grid.pixels() * fp32_bytes;
    out_ = s_.t * shape_.outputs() * shape_.output_values() * fp32_bytes;
    coarse_ = downscale ? field_ : 0;
    if (downscale) field_ = out_;  // the data are the fine fields
    int64_t target = field_;
    if (task.kind == TaskKind::segment) target /= grid.variables_per_token();
    if (task.kind == TaskKind::classify || task.kind == TaskKind::regress) target = fp32_bytes;
    const int64_t steps = s_.options.train.rollout, samples = s_.share.samples();
    const int64_t later = steps > 1 ? 2 * steps - 1 : 0;
    const int64_t waiting = (grid.states + 1 + later) * samples * field_;
    const int64_t ahead = std::clamp<int64_t>(most_waiting / std::max<int64_t>(1, waiting), 1, most_ahead);
    const bool own = s_.options.data.missing == Missing::mean || shape_.has_decoder();
    const int64_t batch =
        samples * (grid.states * field_ + (1 + later) * target + (own ? steps * target : 0));
    f_.make(Account::data, target + batch * (1 + (s_.options.train.device == DeviceKind::cpu ? ahead : 0)));
    // The inputs of the later steps (train/forecast_loss), and the gradient of one; or the coarse input.
    f_.make(Account::data,
            samples * ((steps - 1) * grid.states * field_ + (steps > 1 ? field_ : 0) + coarse_));
  }

  // What the loss of so many samples makes besides its gradient.
  int64_t of_loss(int64_t samples) const {
    const TaskKind kind = s_.options.task.kind;
    if (kind == TaskKind::segment) return segment_fields * samples * out_;
    if (kind == TaskKind::downscale) return samples * (downscale_fields * out_ + coarse_);
    return s_.options.train.rollout > 1 ? later_steps_fields * samples * field_ : 0;
  }

  const BlockMemory& memory(const BlockTask& task) {
    const PartPlace place = part_place(shape_, blocks_[task.block]);
    const int kind = place.block == 0 ? 0 : is_last(task) ? 2 : 1;
    auto& memo = memories_[{place.part, kind, samples(task)}];
    if (memo) return *memo;
    PassSizes s = sizes_[place.part];
    s.b = samples(task);
    s.defers =
        s.options.parallel.schedule == ScheduleKind::zero_bubble && policy() == Activations::keep && kind > 0;
    memo = kind == 0 && place.part > 0     ? entry_block(s, policy())
           : kind == 0                     ? tokenizer_block(s, policy())
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
      f_.undo(block.kept).drop(taken(task));
    }
    release(task);
    if (!task.ends) return;
    const int64_t goes = policy() == Activations::keep ? 0 : block.output;
    if (is_last(task)) {  // the loss: its gradient is made
      f_.brief(of_loss(samples(task))).make(samples(task) * out_).drop(goes);
    } else {
      send(sent_ahead_, goes);
    }
  }

  void bring_back(const BlockTask& task) {
    if (away_.erase({task.action.micro, task.block}) == 0) return;
    f_.make(taken(task)).run({memory(task).kept, memory(task).kept});
  }

  void backward(const BlockTask& task) {
    const BlockMemory& block = memory(task);
    gather(task);
    bring_back(task);
    if (const BlockTask* back = next(goes_back)) bring_back(*back);
    f_.run(block.backward);
    const int64_t dy = is_last(task) ? samples(task) * out_ : flow(task);
    if (block.input_gradient > 0 || is_first(task)) f_.drop(dy);
    if (policy() == Activations::keep) {  // the output is also the next block's input
      const bool message = task.ends && !is_first(task) && s_.axes.pipeline > 1;
      f_.drop(block.output + (message ? flow(task) : 0));
    } else if (!is_first(task)) {
      f_.drop(taken(task));
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

  const ModelShape& shape_;
  const std::vector<PassSizes>& sizes_;
  const PassSizes& s_;  ///< of the part with the head, which has all tokens
  const std::vector<Span> chunks_;
  const std::vector<BlockTask> tasks_;
  std::vector<int64_t> blocks_;  ///< numbers in the chain, in this rank's order
  std::vector<std::vector<PartSizes>> parts_;
  /// By part, kind of block (0 tokenizer or entry, 1 transformer block, 2 head) and number of samples.
  std::map<std::tuple<size_t, int, int64_t>, std::optional<BlockMemory>> memories_;
  std::set<std::pair<int, size_t>> away_;   ///< micro-batch and block whose input and memo are offloaded
  int64_t field_ = 0;                       ///< bytes of a sample's fields on this rank
  int64_t out_ = 0;                         ///< bytes of a sample's prediction
  int64_t coarse_ = 0;                      ///< bytes of the input of a sample that is downscaled
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
  const std::vector<ModelPart> parts = parts_of_model(options, shape, axes, rank);
  std::vector<PassSizes> sizes;
  sizes.reserve(parts.size());
  for (const ModelPart& part : parts)
    sizes.push_back({options, part.shape, axes, part.share, scratch, 0, part.share.tokens.size(),
                     part.share.layer_tokens});
  Step step(shape, sizes);
  step.run(), step.run();
  return step.peak();
}

}  // namespace graticule
