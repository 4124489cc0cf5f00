// How one message comes out of many waits. A rank that waits too long asks the ranks that it waits for. If
// those wait themselves, it stays silent, because the ranks that wait for the true culprit know more. Before
// a rank prints its verdict it announces it. Of ranks that announce at the same time the lowest prints.
#include "graticule/comm/mpi/mpi_watch.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace graticule {
namespace {

constexpr int question_tag = 1, answer_tag = 2, announcement_tag = 3;
constexpr std::chrono::seconds silence(10);  ///< how long this rank is silent after another's announcement

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

/// The time between two looks: short compared with the time-out, long compared with the cost of a look.
std::chrono::milliseconds tick(double timeout) {
  return milliseconds(timeout > 0 ? std::clamp(timeout / 20, 0.01, 0.1) : 0.1);
}

}  // namespace

void end_job(MPI_Comm everyone, int code) {
  // MPI_Abort leaves by exit(). Other threads still run then, and would crash if what they use were destroyed.
  ::on_exit([](int status, void*) { ::_exit(status); }, nullptr);
  MPI_Abort(everyone, code);
  std::_Exit(code);
}

MpiWatch::MpiWatch(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {
  MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  // Signals are for the main thread: the new thread inherits a mask that blocks them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

MpiWatch::~MpiWatch() { stop(); }

void MpiWatch::end() {
  MPI_Request all_here = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &all_here);
  for (int done = 0; !done;) {
    MPI_Test(&all_here, &done, MPI_STATUS_IGNORE);
    if (!done) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop();
  MPI_Comm_free(&comm_);
}

void MpiWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MpiWatch::run() {
  constexpr double noticed = 5;  // seconds; a busy machine does not delay a thread this long
  std::unique_lock lock(mutex_);
  auto before = Clock::now();
  while (!woken_.wait_for(lock, tick(watch_->timeout()), [&] { return stops_; })) {
    const double asleep = std::chrono::duration<double>(Clock::now() - before).count();
    if (asleep > noticed) watch_->excuse(asleep);
    before = Clock::now();
    hear();
    look();
  }
}

void MpiWatch::send(const Message& message, int rank, int tag) {
  sent_.push_back({message, MPI_REQUEST_NULL});
  MPI_Isend(&sent_.back().message, sizeof(Message), MPI_BYTE, rank, tag, comm_, &sent_.back().request);
}

void MpiWatch::hear() {
  for (;;) {
    int there = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &there, &status) != MPI_SUCCESS || !there) break;
    Message message;
    MPI_Recv(&message, sizeof(Message), MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, comm_,
             MPI_STATUS_IGNORE);
    if (status.MPI_TAG == question_tag) {
      const Question& question = message.question;
      message.answer = {question.wait, watch_->standing(question.operation)};
      send(message, status.MPI_SOURCE, answer_tag);
      // Many ranks would ask at once; the lowest asks first.
      if (status.MPI_SOURCE < rank_) {
        quiet_until_ = std::max(quiet_until_, Clock::now() + 2 * milliseconds(grace(watch_->timeout())));
      }
    } else if (status.MPI_TAG == answer_tag && inquiry_ && inquiry_->about.wait == message.answer.wait) {
      inquiry_->answers[message.answer.standing.rank] = message.answer.standing;
    } else if (status.MPI_TAG == announcement_tag && (!report_ || status.MPI_SOURCE < rank_)) {
      report_.reset();
      quiet_until_ = Clock::now() + silence;
    }
  }
  sent_.remove_if([](Sent& sent) {
    int done = 0;
    return MPI_Test(&sent.request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done;
  });
}

void MpiWatch::look() {
  const double timeout = watch_->timeout();
  const auto overdue = timeout > 0 ? watch_->overdue(timeout) : std::nullopt;
  if (!overdue || (inquiry_ && inquiry_->about.wait != overdue->wait)) inquiry_.reset();
  if (!overdue || (report_ && report_->wait != overdue->wait)) report_.reset();
  if (!overdue) return;
  const auto now = Clock::now();
  if (report_) {
    if (now < report_->at) return;
    std::cerr << "graticule: " << report_->message << std::endl;
    end_job(comm_, 1);
  }
  if (now < quiet_until_) return;
  if (!inquiry_) return inquire(*overdue);
  if (inquiry_->answers.size() == inquiry_->about.others.size() || now > inquiry_->until) conclude();
}

void MpiWatch::inquire(const Overdue& overdue) {
  inquiry_ = Inquiry{overdue, Clock::now() + milliseconds(grace(watch_->timeout())), {}};
  Message message;
  message.question = {overdue.operation, overdue.wait};
  for (const int other : overdue.others) send(message, other, question_tag);
}

void MpiWatch::conclude() {
  const Inquiry inquiry = *inquiry_;
  inquiry_.reset();
  const double timeout = watch_->timeout();
  std::vector<Standing> others;
  for (const int other : inquiry.about.others) {
    const auto answer = inquiry.answers.find(other);
    Standing silent;
    silent.rank = other;
    silent.answers = false;
    others.push_back(answer == inquiry.answers.end() ? silent : answer->second);
  }
  const auto message = verdict(rank_, inquiry.about, others, watch_->step(), timeout + 2 * grace(timeout),
                               watch_->timeout_setting());
  if (!message) {
    quiet_until_ = Clock::now() + milliseconds(grace(timeout) / 2);
    return;
  }
  for (int other = 0; other < size_; ++other) {
    if (other != rank_) send({}, other, announcement_tag);
  }
  report_ = Report{inquiry.about.wait, *message, Clock::now() + 3 * tick(timeout)};
}

}  // namespace graticule
