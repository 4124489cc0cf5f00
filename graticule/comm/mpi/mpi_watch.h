// The watchdog of a rank under MPI: a thread with a communicator of its own, which sleeps most of the time.
// It answers other ranks' questions about this rank's operations. When a wait of this rank lasts too long, it
// asks the other ranks, prints a verdict (comm/watch.h) and ends the job.
#pragma once

#include <mpi.h>

#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "graticule/comm/watch.h"

namespace graticule {

/// Ends all ranks of the job with this exit code.
[[noreturn]] void end_job(MPI_Comm everyone, int code);

class MpiWatch {
 public:
  /// Starts the thread. Collective over MPI_COMM_WORLD. MPI must allow calls from several threads.
  explicit MpiWatch(std::shared_ptr<Watch> watch);
  /// Stops the thread at once, without any message to the other ranks.
  ~MpiWatch();
  /// Call it at the end of a job that went well: it answers questions until all ranks have called it.
  /// Collective.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    Operation operation;
    int64_t wait = 0;  ///< number of the wait on the asking rank
  };
  struct Answer {
    int64_t wait = 0;
    Standing standing;
  };
  struct Message {
    Question question;
    Answer answer;
  };
  struct Sent {
    Message message;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  struct Inquiry {
    Overdue about;
    Clock::time_point until;
    std::map<int64_t, Standing> answers;  ///< by rank
  };
  struct Report {
    int64_t wait = 0;
    std::string message;
    Clock::time_point at;
  };

  void run();
  void hear();
  void look();
  void inquire(const Overdue& overdue);
  void conclude();
  void send(const Message& message, int rank, int tag);
  void stop();

  std::shared_ptr<Watch> watch_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::list<Sent> sent_;
  std::optional<Inquiry> inquiry_;
  std::optional<Report> report_;
  Clock::time_point quiet_until_ = Clock::now();
  std::mutex mutex_;
  std::condition_variable woken_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace graticule
