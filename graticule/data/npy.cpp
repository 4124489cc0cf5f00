#include "graticule/data/npy.h"

#include <charconv>
#include <regex>

#include "graticule/core/error.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_codec_names.h"

namespace graticule {

namespace {

[[noreturn]] void damaged(const std::string& file, const char* what) {
  fail("npy", file, " is damaged or cut off: ", what, ": copy it again");
}

class NpyChunk : public Chunk {
 public:
  explicit NpyChunk(Bytes bytes) : bytes_(std::move(bytes)) {}
  const std::byte* range(size_t, size_t) override { return bytes_.data.get(); }
  size_t memory() const override { return bytes_.size; }

 private:
  Bytes bytes_;
};

// A chunk is one index of the first dimension, or the whole array.
class NpyArray : public ChunkedArray {
 public:
  NpyArray(const ArrayHeader& header, std::string file, const NpyLayout& layout, const Index& chunk,
           std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(header, chunk, row_major(chunk.size()), std::move(cache)),
        file_(std::move(file)),
        layout_(layout),
        chunk_(chunk) {}

 private:
  std::unique_ptr<Chunk> load(const Index& index) override {
    size_t bytes = size_of(layout_.type);
    for (const int64_t n : chunk_) bytes *= static_cast<size_t>(n);
    const size_t first = index.empty() ? 0 : static_cast<size_t>(index[0]);
    Bytes out = Bytes::of_size(bytes);
    read_range(file_, layout_.head + first * bytes, out.span());
    if (layout_.swapped) swap_bytes(out.span(), size_of(layout_.type));
    return std::make_unique<NpyChunk>(std::move(out));
  }

  std::string file_;
  NpyLayout layout_;
  Index chunk_;
};

// The text of the header: {'descr': '<f4', 'fortran_order': False, 'shape': (1095, 1, 32, 64), }
std::string header_text(const std::string& file, NpyLayout& layout) {
  constexpr size_t start = 10, longest = 65536;
  const std::optional<size_t> size = file_size(file);
  if (!size) refuse("npy", file, " does not exist");
  std::string head(std::min(*size, start + 2), '\0');
  read_range(file, 0, std::as_writable_bytes(std::span(head)));
  if (head.size() < start + 2 || !head.starts_with("\x93NUMPY")) damaged(file, "it has no header of NumPy");
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<uint8_t>(head[at])); };
  const bool first_version = byte(6) == 1;
  const size_t at = first_version ? start : start + 2;
  const size_t length = byte(8) | byte(9) << 8 | (first_version ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > longest || at + length > *size) damaged(file, "its header is longer than the file");
  std::string text(length, '\0');
  read_range(file, at, std::as_writable_bytes(std::span(text)));
  layout.head = at + length;
  return text;
}

}  // namespace

NpyLayout read_npy_layout(const std::string& file) {
  NpyLayout layout;
  const std::string text = header_text(file, layout);
  std::smatch type, order, shape;
  if (!std::regex_search(text, type, std::regex(R"('descr': *'([^']*)')")) ||
      !std::regex_search(text, order, std::regex("'fortran_order': *(True|False)")) ||
      !std::regex_search(text, shape, std::regex(R"('shape': *\(([0-9, ]*)\))"))) {
    if (text.find("'descr': [") != std::string::npos) refuse("npy", file, " holds records, not numbers");
    damaged(file, "its header lacks descr, fortran_order or shape");
  }
  const std::optional<StoredNumber> number = number_of(type[1].str());
  if (!number)
    refuse("npy", file, " is of type ", type[1].str(), ": known are f2, f4, f8, i1 to i8 and u1 to u8");
  if (order[1] == "True") refuse("npy", file, " is in Fortran's order: save numpy.ascontiguousarray of it");
  layout.type = number->type;
  layout.swapped = number->swapped;
  const std::string list = shape[1];
  auto bytes = static_cast<double>(size_of(layout.type));
  for (size_t i = list.find_first_of("0123456789"); i != std::string::npos;) {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(list.data() + i, list.data() + list.size(), n);
    if (error != std::errc()) damaged(file, "its shape is no list of numbers");
    layout.shape.push_back(n);
    bytes *= static_cast<double>(n);
    i = list.find_first_of("0123456789", static_cast<size_t>(end - list.data()));
  }
  if (bytes > static_cast<double>(*file_size(file) - layout.head))
    damaged(file, "its shape needs more bytes");
  return layout;
}

std::vector<double> read_npy(const std::string& file) {
  const NpyLayout layout = read_npy_layout(file);
  size_t bytes = size_of(layout.type);
  for (const int64_t n : layout.shape) bytes *= static_cast<size_t>(n);
  Bytes stored = Bytes::of_size(bytes);
  read_range(file, layout.head, stored.span());
  if (layout.swapped) swap_bytes(stored.span(), size_of(layout.type));
  return to_doubles(stored.span(), layout.type);
}

std::unique_ptr<StoredArray> open_npy_array(ArrayHeader header, const std::string& file,
                                            const NpyLayout& layout, bool whole,
                                            const std::shared_ptr<ChunkCache>& cache) {
  ChunkedArray::Index chunk = header.shape;
  if (!whole && !chunk.empty()) chunk[0] = 1;
  return std::make_unique<NpyArray>(header, file, layout, chunk, cache);
}

}  // namespace graticule
