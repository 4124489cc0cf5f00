#include "graticule/data/channel_array.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Quiet NaNs of the type, fp32 or fp64.
void fill_with_nan(std::span<std::byte> out, NumberType type) {
  const auto fill = [&](auto nan) {
    for (size_t at = 0; at < out.size(); at += sizeof(nan)) std::memcpy(out.data() + at, &nan, sizeof(nan));
  };
  GRATICULE_CHECK(type == NumberType::f4 || type == NumberType::f8);
  type == NumberType::f4 ? fill(std::numeric_limits<float>::quiet_NaN())
                         : fill(std::numeric_limits<double>::quiet_NaN());
}

class PartArray : public StoredArray {
 public:
  PartArray(std::shared_ptr<StoredArray> whole, ArrayHeader header, std::vector<int64_t> start,
            std::optional<std::vector<int64_t>> times)
      : StoredArray(std::move(header)),
        whole_(std::move(whole)),
        start_(std::move(start)),
        times_(std::move(times)),
        in_rows_(this->header().shape.size() > start_.size()) {}

  void read(std::span<const Span> box, std::span<std::byte> out) override {
    if (box[0].empty()) return;
    const size_t bytes = out.size() / static_cast<size_t>(box[0].size());
    for (int64_t time = box[0].begin; time < box[0].end; ++time) {
      const std::span<std::byte> one = out.subspan(static_cast<size_t>(time - box[0].begin) * bytes, bytes);
      const int64_t stored = times_ ? (*times_)[static_cast<size_t>(time)] : time;
      if (stored == never_stored) {
        fill_with_nan(one, header().type);
      } else {
        read_time(stored, box, one);
      }
    }
  }

  Chunking chunking() const override {
    Chunking chunking = whole_->chunking();
    if (chunking.shape.empty() || !in_rows_) return chunking;
    // Chunks of whole rows, or about so, describe chunks of cells well enough to choose the order of reading.
    const int64_t columns = header().shape.back(), cells = chunking.shape.back();
    chunking.shape.back() = std::max<int64_t>(1, cells / columns);
    chunking.shape.push_back(columns);
    return chunking;
  }

  // Variables share chunks where they lie in the same chunk of the whole array.
  std::string place() const override {
    const std::vector<int64_t> chunk = whole_->chunking().shape;
    std::string place = header().file;
    if (chunk.empty()) return place + "/" + header().name;
    for (size_t d = 1; d < start_.size(); ++d) place += "/" + std::to_string(start_[d] / chunk[d]);
    return place;
  }

 private:
  void read_time(int64_t stored, std::span<const Span> box, std::span<std::byte> out) {
    std::vector<Span> there{{stored, stored + 1}};
    for (size_t d = 1; d < start_.size(); ++d)
      there.push_back({box[d].begin + start_[d], box[d].end + start_[d]});
    if (!in_rows_) return whole_->read(there, out);
    const Span rows = box[box.size() - 2], columns = box.back();
    const int64_t width = header().shape.back();
    if (columns.size() == width) {
      there.back() = {rows.begin * width, rows.end * width};
      return whole_->read(there, out);
    }
    const size_t bytes = static_cast<size_t>(columns.size()) * size_of(header().type);
    for (int64_t row = rows.begin; row < rows.end; ++row, out = out.subspan(bytes)) {
      there.back() = {row * width + columns.begin, row * width + columns.end};
      whole_->read(there, out.first(bytes));
    }
  }

  std::shared_ptr<StoredArray> whole_;
  std::vector<int64_t> start_;
  std::optional<std::vector<int64_t>> times_;
  bool in_rows_;  // the last dimension of the whole array is two of this one
};

}  // namespace

std::unique_ptr<StoredArray> part_of(std::shared_ptr<StoredArray> whole, ArrayHeader header,
                                     std::vector<int64_t> start, std::optional<std::vector<int64_t>> times) {
  header.type = whole->header().type;
  header.packing = whole->header().packing;
  header.shape[0] = times ? std::ssize(*times) : whole->header().shape[0];
  return std::make_unique<PartArray>(std::move(whole), std::move(header), std::move(start), std::move(times));
}

}  // namespace graticule
