#include "graticule/data/flat_array.h"

#include "graticule/data/file_bytes.h"

namespace graticule {

namespace {

class FlatArray : public StoredArray {
 public:
  FlatArray(ArrayHeader header, std::string file, size_t offset, bool swapped)
      : StoredArray(std::move(header)), file_(std::move(file)), offset_(offset), swapped_(swapped) {}

  void read(std::span<const Span> box, std::span<std::byte> out) override {
    if (out.empty()) return;
    const std::vector<int64_t>& shape = header().shape;
    const size_t width = size_of(header().type);
    // The inner dimensions that are wanted whole, and one more, are one run of the file.
    size_t inner = box.size(), run = width;
    while (inner > 0) {
      --inner;
      run *= static_cast<size_t>(box[inner].size());
      if (box[inner].size() != shape[inner]) break;
    }
    std::vector<FilePart> parts;
    std::span<std::byte> rest = out;
    add_parts(box, 0, inner, 0, run, rest, parts);
    read_parts(file_, parts);
    if (swapped_) swap_bytes(out, width);
  }

 private:
  // `first`: the number of the first element of the indices so far.
  void add_parts(std::span<const Span> box, size_t d, size_t inner, size_t first, size_t run,
                 std::span<std::byte>& out, std::vector<FilePart>& parts) const {
    if (d < inner) {
      for (int64_t i = box[d].begin; i < box[d].end; ++i)
        add_parts(box, d + 1, inner, first * static_cast<size_t>(header().shape[d]) + static_cast<size_t>(i),
                  run, out, parts);
      return;
    }
    for (; d < box.size(); ++d)
      first = first * static_cast<size_t>(header().shape[d]) + static_cast<size_t>(box[d].begin);
    parts.push_back({offset_ + first * size_of(header().type), out.first(run)});
    out = out.subspan(run);
  }

  std::string file_;
  size_t offset_;
  bool swapped_;
};

}  // namespace

std::unique_ptr<StoredArray> open_flat_array(ArrayHeader header, std::string file, size_t offset,
                                             bool swapped) {
  return std::make_unique<FlatArray>(std::move(header), std::move(file), offset, swapped);
}

}  // namespace graticule
