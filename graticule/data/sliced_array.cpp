#include "graticule/data/sliced_array.h"

#include <cstring>

#include "graticule/core/error.h"

namespace graticule {

namespace {

class SlicedArray : public StoredArray {
 public:
  SlicedArray(std::shared_ptr<StoredArray> whole, ArrayHeader header,
              std::vector<std::optional<int64_t>> fixed)
      : StoredArray(std::move(header)), whole_(std::move(whole)), fixed_(std::move(fixed)) {
    const std::vector<int64_t>& shape = whole_->header().shape;
    kept_ = fixed_.size();
    for (; kept_ > 0 && fixed_[kept_ - 1]; --kept_) {
      picked_ += static_cast<size_t>(*fixed_[kept_ - 1]) * together_;
      together_ *= static_cast<size_t>(shape[kept_ - 1]);
    }
  }

  Chunking chunking() const override {
    const Chunking whole = whole_->chunking();
    Chunking own{{}, whole.whole};
    for (size_t d = 0; d < whole.shape.size(); ++d) {
      if (!fixed_[d]) own.shape.push_back(whole.shape[d]);
    }
    return own;
  }

  std::string place() const override { return whole_->place(); }

  void read(std::span<const Span> box, std::span<std::byte> out) override {
    std::vector<Span> there;
    for (size_t d = 0, own = 0; d < kept_; ++d)
      there.push_back(fixed_[d] ? Span{*fixed_[d], *fixed_[d] + 1} : box[own++]);
    for (size_t d = kept_; d < fixed_.size(); ++d) there.push_back({0, whole_->header().shape[d]});
    read_part(there, 0, out);
  }

 private:
  // Reads a box of the whole array, in pieces of a few MB, and takes one of `together_` numbers.
  void read_part(std::vector<Span>& there, size_t d, std::span<std::byte>& out) {
    constexpr size_t most = size_t{4} << 20;
    const size_t width = size_of(header().type);
    size_t count = 1;
    for (size_t i = 0; i < kept_; ++i) count *= static_cast<size_t>(there[i].size());
    if (count == 0) return;
    if (together_ == 1) return whole_->read(there, out.first(count * width));
    if (count * together_ * width > most && d < kept_) {
      const Span all = there[d];
      for (int64_t i = all.begin; i < all.end; ++i) {
        there[d] = {i, i + 1};
        read_part(there, d + 1, out);
      }
      there[d] = all;
      return;
    }
    read_.resize(count * together_ * width);
    whole_->read(there, read_);
    for (size_t i = 0; i < count; ++i)
      std::memcpy(out.data() + i * width, read_.data() + (i * together_ + picked_) * width, width);
    out = out.subspan(count * width);
  }

  std::shared_ptr<StoredArray> whole_;
  std::vector<std::optional<int64_t>> fixed_;
  size_t kept_ = 0;                   // dimensions before the fixed ones at the end
  size_t together_ = 1, picked_ = 0;  // values of those, and the one that is wanted
  std::vector<std::byte> read_;
};

}  // namespace

std::unique_ptr<StoredArray> slice_of(std::shared_ptr<StoredArray> whole, ArrayHeader header,
                                      std::vector<std::optional<int64_t>> fixed) {
  const ArrayHeader& all = whole->header();
  GRATICULE_CHECK(fixed.size() == all.shape.size(), "an index or none for each dimension");
  header.type = all.type;
  header.packing = all.packing;
  header.shape.clear();
  for (size_t d = 0; d < fixed.size(); ++d) {
    if (!fixed[d]) header.shape.push_back(all.shape[d]);
  }
  return std::make_unique<SlicedArray>(std::move(whole), std::move(header), std::move(fixed));
}

}  // namespace graticule
