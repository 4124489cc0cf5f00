// Tests parts of an array of channels against the whole: any box, missing times, cells as rows.

#include "graticule/data/channel_array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "tests/seed.h"

namespace graticule {
namespace {

// An array whose elements are their own index.
class Counting : public StoredArray {
 public:
  explicit Counting(const std::vector<int64_t>& shape)
      : StoredArray(
            {"whole", "file", NumberType::f8, std::vector<std::string>(shape.size(), "d"), shape, {}, {}}) {}
  void read(std::span<const Span> box, std::span<std::byte> out) override {
    std::byte* target = out.data();
    visit(box, 0, 0, target);
    EXPECT_EQ(target, out.data() + out.size());
  }

 private:
  void visit(std::span<const Span> box, size_t d, int64_t index, std::byte*& target) const {
    if (d == box.size()) {
      const auto value = static_cast<double>(index);
      std::memcpy(target, &value, sizeof(value));
      target += sizeof(value);
      return;
    }
    EXPECT_TRUE(box[d].begin >= 0 && box[d].end <= header().shape[d]);
    for (int64_t i = box[d].begin; i < box[d].end; ++i)
      visit(box, d + 1, index * header().shape[d] + i, target);
  }
};

TEST(ChannelArray, ReadsAnyBoxOfAPart) {
  std::mt19937_64 random(test_seed());
  const auto draw = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  for (int trial = 0; trial < 200; ++trial) {
    const bool cells = draw(0, 1);
    const int64_t stored = draw(1, 5), channels = draw(1, 4), rows = draw(1, 5), columns = draw(1, 6);
    const int64_t channel = draw(0, channels - 1);
    const auto whole = std::make_shared<Counting>(cells ? std::vector{stored, channels, rows * columns}
                                                        : std::vector{stored, channels, rows, columns});
    std::vector<int64_t> times(static_cast<size_t>(draw(1, 6)));
    for (int64_t& time : times) time = draw(never_stored, stored - 1);
    std::vector<int64_t> start(cells ? 3 : 4, 0);
    start[1] = channel;
    ArrayHeader header{"part", "file", NumberType::f4, {"t", "c", "y", "x"}, {0, 1, rows, columns}, {}, {}};
    const auto part = part_of(whole, header, start, times);
    ASSERT_EQ(part->header().shape, (std::vector<int64_t>{std::ssize(times), 1, rows, columns}));
    const auto some = [&](int64_t size) {
      const int64_t begin = draw(0, size - 1);
      return Span{begin, draw(begin + 1, size)};
    };
    const std::vector<Span> box = {some(std::ssize(times)), {0, 1}, some(rows), some(columns)};
    std::vector<double> got(static_cast<size_t>(box[0].size() * box[2].size() * box[3].size()));
    part->read(box, std::as_writable_bytes(std::span(got)));
    size_t at = 0;
    for (int64_t t = box[0].begin; t < box[0].end; ++t) {
      const int64_t there = times[static_cast<size_t>(t)];
      for (int64_t y = box[2].begin; y < box[2].end; ++y) {
        for (int64_t x = box[3].begin; x < box[3].end; ++x, ++at) {
          const auto want = static_cast<double>(((there * channels + channel) * rows + y) * columns + x);
          ASSERT_TRUE(there == never_stored ? std::isnan(got[at]) : got[at] == want) << trial;
        }
      }
    }
  }
}

}  // namespace
}  // namespace graticule
