#include "graticule/data/npy.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "graticule/core/error.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/flat_array.h"
#include "graticule/data/zarr_codec_names.h"

namespace graticule {

namespace {

[[noreturn]] void damaged(const std::string& file, const char* what) {
  fail("npy", file, " is damaged or cut off: ", what, ": copy it again");
}

// The whole array is one chunk.
class NpyArray : public ChunkedArray {
 public:
  NpyArray(const ArrayHeader& header, std::string file, const NpyLayout& layout,
           std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(header, header.shape, row_major(header.shape.size()), std::move(cache)),
        file_(std::move(file)),
        layout_(layout) {}

 private:
  std::unique_ptr<Chunk> load(const Index&) override {
    size_t bytes = size_of(layout_.type);
    for (const int64_t n : header().shape) bytes *= static_cast<size_t>(n);
    Bytes out = Bytes::of_size(bytes);
    read_range(file_, layout_.head, out.span());
    if (layout_.swapped) swap_bytes(out.span(), size_of(layout_.type));
    return std::make_unique<DecodedChunk>(std::move(out));
  }

  std::string file_;
  NpyLayout layout_;
};

// The text of the header: {'descr': '<f4', 'fortran_order': False, 'shape': (1095, 1, 32, 64), }
std::string header_text(const std::string& file, NpyLayout& layout) {
  constexpr size_t start = 10, longest = 4096;
  const std::optional<size_t> size = file_size(file);
  if (!size) refuse("npy", file, " does not exist");
  std::string head(std::min(*size, start + 2), '\0');
  read_range(file, 0, std::as_writable_bytes(std::span(head)));
  if (head.size() < start + 2 || !head.starts_with("\x93NUMPY")) damaged(file, "it has no header of NumPy");
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<uint8_t>(head[at])); };
  const bool first_version = byte(6) == 1;
  const size_t at = first_version ? start : start + 2;
  const size_t length = byte(8) | byte(9) << 8 | (first_version ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > longest || at + length > *size) damaged(file, "its header is too long");
  std::string text(length, '\0');
  read_range(file, at, std::as_writable_bytes(std::span(text)));
  layout.head = at + length;
  return text;
}

// What follows `'key':` in the header, up to the end; nothing when the key is not there.
std::optional<std::string_view> value_of(std::string_view text, const char* key) {
  const std::string quoted = std::string("'") + key + "':";
  const size_t at = text.find(quoted);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + quoted.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// The value of `'descr': '<f4'`.
std::string type_in(std::string_view text, const std::string& file) {
  const std::optional<std::string_view> value = value_of(text, "descr");
  if (value && value->starts_with('[')) refuse("npy", file, " holds records, not numbers");
  const size_t end = value && value->starts_with('\'') ? value->find('\'', 1) : std::string_view::npos;
  if (end == std::string_view::npos) damaged(file, "its header lacks descr");
  return std::string(value->substr(1, end - 1));
}

// The value of `'shape': (1095, 1, 32, 64)`.
std::vector<int64_t> shape_in(std::string_view text, const std::string& file) {
  const std::optional<std::string_view> value = value_of(text, "shape");
  const size_t end = value && value->starts_with('(') ? value->find(')') : std::string_view::npos;
  if (end == std::string_view::npos) damaged(file, "its header lacks a shape");
  const std::string_view list = value->substr(1, end - 1);
  if (list.find_first_not_of("0123456789, ") != std::string_view::npos)
    damaged(file, "its shape is no list of numbers");
  std::vector<int64_t> shape;
  for (size_t at = list.find_first_of("0123456789"); at != std::string_view::npos;) {
    int64_t n = 0;
    const auto [stop, error] = std::from_chars(list.data() + at, list.data() + list.size(), n);
    if (error != std::errc()) damaged(file, "its shape is no list of numbers");
    if (n == 0) refuse("npy", file, " holds no values");
    shape.push_back(n);
    at = list.find_first_of("0123456789", static_cast<size_t>(stop - list.data()));
  }
  return shape;
}

}  // namespace

NpyLayout read_npy_layout(const std::string& file) {
  NpyLayout layout;
  const std::string text = header_text(file, layout);
  const std::string type = type_in(text, file);
  const std::optional<StoredNumber> number = number_of(type);
  if (!number) refuse("npy", file, " is of type ", type, ": known are f2, f4, f8, i1 to i8 and u1 to u8");
  const std::string_view order = value_of(text, "fortran_order").value_or("");
  if (order.starts_with("True"))
    refuse("npy", file, " is in Fortran's order: save numpy.ascontiguousarray of it");
  if (!order.starts_with("False")) damaged(file, "its header lacks fortran_order");
  layout.type = number->type;
  layout.swapped = number->swapped;
  layout.shape = shape_in(text, file);
  auto bytes = static_cast<double>(size_of(layout.type));
  for (const int64_t n : layout.shape) bytes *= static_cast<double>(n);
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
  if (!whole) return open_flat_array(std::move(header), file, layout.head, layout.swapped);
  return std::make_unique<NpyArray>(header, file, layout, cache);
}

Dataset open_npy(const std::string& file, const std::string& name, const std::shared_ptr<ChunkCache>& cache) {
  const NpyLayout layout = read_npy_layout(file);
  ArrayHeader header;
  header.name = name, header.file = file, header.type = layout.type, header.shape = layout.shape;
  for (size_t d = 0; d < layout.shape.size(); ++d) header.dimensions.push_back(text("d", d));
  Dataset data;
  data.path = file, data.container = "npy";
  data.arrays.push_back(open_npy_array(std::move(header), file, layout, false, cache));
  return data;
}

}  // namespace graticule
