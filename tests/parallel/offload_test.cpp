// Tests the offload store: tensors come back bit for bit, in any order, and a failing disk is reported.

#include "graticule/parallel/offload.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <numeric>
#include <random>

#include "tests/seed.h"

namespace graticule {
namespace {

class Folder {
 public:
  Folder() { path_ = ::mkdtemp(path_.data()); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "graticule-XXXXXX").string();
};

// A limit on the size of files simulates a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit low{bytes, before_.rlim_max};
    if (setrlimit(RLIMIT_FSIZE, &low) != 0) throw std::runtime_error("no limit on files can be set here");
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

// Tensors of odd sizes in all dtypes that a block keeps: some with strides, one empty, one of several pieces.
std::vector<at::Tensor> odd_tensors(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto generator = at::detail::createCPUGenerator(seed);
  const at::ScalarType dtypes[] = {at::kFloat, at::kBFloat16, at::kDouble, at::kByte, at::kLong};
  std::vector<at::Tensor> all = {at::randn({3, 1'900'001}, generator), at::empty({0, 5}), at::ones({})};
  for (int i = 0; i < 40; ++i) {
    const auto length = [&] { return static_cast<int64_t>(1 + random() % 61); };
    at::Tensor x = at::randn({length(), length(), length()}, generator).mul_(100).to(dtypes[random() % 5]);
    if (i % 3 == 1) x = x.permute({2, 0, 1});
    if (i % 3 == 2) x = x.slice(1, 0, x.size(1), 2);
    all.push_back(x);
  }
  return all;
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(Offload, TensorsComeBackBitForBitInAnyOrderAndPlacesAreUsedAgain) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::vector<at::Tensor> tensors = odd_tensors(seed);
  const Folder folder;
  for (const std::string& where : {folder.path(), std::string()}) {
    OffloadStore store(where);
    int64_t bytes = 0;
    for (int round = 0; round < 4; ++round) {
      std::vector<OffloadStore::Ticket> tickets;
      for (const at::Tensor& x : tensors) tickets.push_back(store.put(x.clone(at::MemoryFormat::Preserve)));
      std::vector<size_t> order(tensors.size());
      std::iota(order.rbegin(), order.rend(), size_t{0});
      if (round > 1) std::shuffle(order.begin(), order.end(), random);
      for (size_t i = 0; i < order.size(); ++i) {
        for (size_t ahead = i + 1; ahead < std::min(order.size(), i + 3); ++ahead) {
          if (round % 2 == 1) store.prefetch(tickets[order[ahead]]);
        }
        const at::Tensor &expected = tensors[order[i]], got = store.take(tickets[order[i]]);
        EXPECT_EQ(got.scalar_type(), expected.scalar_type());
        EXPECT_TRUE(at::equal(got, expected)) << order[i] << " in round " << round;
      }
      EXPECT_THROW(store.take(tickets[0]), std::logic_error);
      if (round == 0) bytes = store.file_bytes();
      EXPECT_EQ(store.file_bytes(), bytes) << "round " << round;
    }
    EXPECT_EQ(bytes > 0, !where.empty());
    EXPECT_TRUE(folder.empty());
  }
  EXPECT_TRUE(folder.empty());
}

TEST(Offload, InHostMemoryATensorOfTheHostStaysWhereItIsAndOfMetaTensorsSizesAreKept) {
  const Folder folder;
  OffloadStore memory(""), file(folder.path());
  const at::Tensor x = at::ones({4, 3});
  EXPECT_EQ(memory.take(memory.put(x)).data_ptr(), x.data_ptr());
  at::Tensor y = at::ones({1000, 3});
  const auto ticket = file.put(y);
  y.reset();
  for (auto* store : {&memory, &file}) {
    const at::Tensor meta =
        at::empty({int64_t{1} << 40, 7}, at::TensorOptions(at::kMeta).dtype(at::kBFloat16));
    const auto kept = store->put(meta);
    store->prefetch(kept);
    const at::Tensor back = store->take(kept);
    EXPECT_TRUE(back.is_meta() && back.scalar_type() == at::kBFloat16);
    EXPECT_EQ(back.sizes(), meta.sizes());
  }
  EXPECT_EQ(file.file_bytes(), 12'000);
  EXPECT_TRUE(at::equal(file.take(ticket), at::ones({1000, 3})));
}

TEST(Offload, AFullDiskIsSaidByTheNextCallAndTheStoreEnds) {
  const Folder folder;
  const FileSizeLimit limit(1 << 20);
  OffloadStore store(folder.path());
  const auto fits = store.put(at::ones({1000}));
  const auto does_not = store.put(at::ones({1'000'000}));
  std::vector<std::string> errors = {error_of([&] { store.take(does_not); })};
  errors.push_back(error_of([&] { store.take(fits); }));
  errors.push_back(error_of([&] { store.prefetch(fits); }));
  errors.push_back(error_of([&] { store.put(at::ones({3})); }));
  for (const std::string& error : errors) {
    EXPECT_EQ(error, "[offload] " + folder.path() +
                         ": file too large after 1.0 MiB: name another train.offload_to, or choose "
                         "train.activations = \"recompute\"");
  }
  // A put alone also gets the error, at the latest when the number of running writes is at its limit.
  OffloadStore other(folder.path());
  EXPECT_NE(error_of([&] {
              for (int i = 0; i <= OffloadStore::in_flight; ++i) other.put(at::ones({1'000'000}));
            }),
            "");
  OffloadStore dropped(folder.path());
  dropped.put(at::ones({1'000'000}));
}

TEST(Offload, RefusesAFolderThatIsNotThereOrIsNone) {
  const Folder folder;
  for (const std::string& path : {folder.path() + "/absent", std::string("/dev/null")}) {
    EXPECT_THROW(OffloadStore{path}, std::invalid_argument);
    const std::string error = error_of([&] { OffloadStore{path}; });
    EXPECT_EQ(error.find("[offload] train.offload_to = \"" + path + "\": no"), 0) << error;
  }
}

TEST(Offload, AtMostTwoTensorsThatWerePutAreStillInMemory) {
  const Folder folder;
  std::atomic<int> alive = 0;
  std::vector<std::vector<float>> rooms(8, std::vector<float>(1 << 20));  // outlive the store's last write
  OffloadStore store(folder.path());
  for (auto& room : rooms) {
    ++alive;
    store.put(at::from_blob(room.data(), {1 << 20}, [&](void*) { --alive; }));
    EXPECT_LE(alive, OffloadStore::in_flight);
  }
}

}  // namespace
}  // namespace graticule
