// The watchdog of a rank under MPI: a thread that answers where this rank stands, and that asks the others
// when a wait of this one has lasted too long. It has a communicator of its own and sleeps in between.
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

class MpiWatch {
 public:
  /// Collective over MPI_COMM_WORLD. MPI must allow calls from several threads.
  explicit MpiWatch(std::shared_ptr<Watch> watch);
  /// Stops the thread, without a word to the others.
  ~MpiWatch();
  /// The end of a job that went well: answers until all ranks are here. Collective.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    Operation operation;
    int64_t wait = 0;  ///< the asker's
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
