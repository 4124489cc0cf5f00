#include "graticule/data/nifti.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/flat_array.h"
#include "graticule/data/memory_array.h"

namespace graticule {

namespace {

[[noreturn]] void damaged_nifti(const std::string& file, const std::string& what) {
  fail("nifti", file, " is damaged or cut off: ", what, ": copy it again");
}

// A file, packed by gzip or not: zlib reads both.
class Unpacked {
 public:
  explicit Unpacked(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) fail("nifti", path, " cannot be opened: ", std::strerror(errno));
  }
  ~Unpacked() { gzclose(file_); }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;

  // Reads the next bytes. Returns how many there were.
  size_t read(std::span<std::byte> out) const {
    constexpr size_t most = size_t{1} << 30;
    size_t got = 0;
    while (got < out.size()) {
      const auto piece = static_cast<unsigned>(std::min(most, out.size() - got));
      const int more = gzread(file_, out.data() + got, piece);
      if (more < 0) damaged_nifti(path_, "gzip cannot unpack it");
      if (more == 0) break;
      got += static_cast<size_t>(more);
    }
    return got;
  }

 private:
  const std::string& path_;
  gzFile file_;
};

// The header of either format: 348 or 540 bytes.
class NiftiHead {
 public:
  explicit NiftiHead(const std::string& file) {
    const size_t got = Unpacked(file).read(bytes_);
    if (got < first_size) damaged_nifti(file, "it is shorter than its header");
    swapped_ = at<int32_t>(0) != first_size && at<int32_t>(0) != second_size;
    if (swapped_ && at<int32_t>(0) != first_size && at<int32_t>(0) != second_size)
      refuse("nifti", file, " is no NIfTI file: its first bytes are not the size of a header");
    second_ = at<int32_t>(0) == second_size;
    if (second_ && got < second_size) damaged_nifti(file, "it is shorter than its header");
    const char* magic = reinterpret_cast<const char*>(bytes_.data()) + (second_ ? 4 : 344);
    if (std::strncmp(magic, second_ ? "ni2" : "ni1", 4) == 0)
      refuse("nifti", file, " is one of a pair (.hdr and .img): write both as one .nii file");
    if (std::strncmp(magic, second_ ? "n+2" : "n+1", 4) != 0)
      refuse("nifti", file, " is no NIfTI file, perhaps ANALYZE 7.5: write it as .nii");
  }

  bool swapped() const { return swapped_; }
  int64_t rank() const { return second_ ? at<int64_t>(16) : at<int16_t>(40); }
  int64_t size(size_t d) const { return second_ ? at<int64_t>(16 + 8 * d) : at<int16_t>(40 + 2 * d); }
  double spacing(size_t d) const { return second_ ? at<double>(104 + 8 * d) : double{at<float>(76 + 4 * d)}; }
  int type() const { return at<int16_t>(second_ ? 12 : 70); }
  double offset() const { return second_ ? static_cast<double>(at<int64_t>(168)) : double{at<float>(108)}; }
  double slope() const { return second_ ? at<double>(176) : double{at<float>(112)}; }
  double intercept() const { return second_ ? at<double>(184) : double{at<float>(116)}; }
  int units() const { return second_ ? at<int32_t>(500) : static_cast<int>(bytes_[123]); }

 private:
  static constexpr int32_t first_size = 348, second_size = 540;

  template <class Number>
  Number at(size_t offset) const {
    std::array<std::byte, sizeof(Number)> bytes{};
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), sizeof(Number), bytes.begin());
    if (swapped_) std::reverse(bytes.begin(), bytes.end());
    Number number;
    std::memcpy(&number, bytes.data(), sizeof(Number));
    return number;
  }

  std::array<std::byte, second_size> bytes_{};
  bool swapped_ = false, second_ = false;
};

NumberType type_of(int code, const std::string& file) {
  static const std::map<int, NumberType> known = {
      {2, NumberType::u1},    {4, NumberType::i2},   {8, NumberType::i4},   {16, NumberType::f4},
      {64, NumberType::f8},   {256, NumberType::i1}, {512, NumberType::u2}, {768, NumberType::u4},
      {1024, NumberType::i8}, {1280, NumberType::u8}};
  static const std::map<int, const char*> others = {{1, "single bits"},        {32, "complex numbers"},
                                                    {128, "colours (RGB)"},    {1536, "numbers of 128 bits"},
                                                    {1792, "complex numbers"}, {2048, "complex numbers"},
                                                    {2304, "colours (RGBA)"}};
  if (const auto found = known.find(code); found != known.end()) return found->second;
  const auto other = others.find(code);
  refuse("nifti", file, " holds ",
         other == others.end() ? text("numbers of the unknown type ", code) : other->second,
         ": write it with real numbers of 8 to 64 bits");
}

std::string unit_of(int units) {
  switch (units & 7) {
    case 1:
      return "m";
    case 2:
      return "mm";
    case 3:
      return "um";
    default:
      return "";
  }
}

// The values of a packed file are one chunk.
class PackedNifti : public ChunkedArray {
 public:
  PackedNifti(const ArrayHeader& header, size_t offset, bool swapped, std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(header, header.shape, row_major(header.shape.size()), std::move(cache)),
        offset_(offset),
        swapped_(swapped) {}

 private:
  std::unique_ptr<Chunk> load(const Index&) override {
    const std::string& file = header().file;
    const size_t size = bytes_of(header());
    const Unpacked unpacked(file);
    Bytes head = Bytes::of_size(offset_), values = Bytes::of_size(size);
    const size_t got = unpacked.read(head.span()) + unpacked.read(values.span());
    if (got != offset_ + size)
      damaged_nifti(file, text("it holds ", got, " bytes unpacked, its header asks for ", offset_ + size));
    if (swapped_) swap_bytes(values.span(), size_of(header().type));
    return std::make_unique<DecodedChunk>(std::move(values));
  }

  size_t offset_;
  bool swapped_;
};

ArrayHeader header_of(const NiftiHead& head, const std::string& name, const std::string& file) {
  constexpr std::array<const char*, 5> names = {"x", "y", "z", "t", "channel"};
  const int64_t rank = head.rank();
  if (rank < 1 || rank > 7) damaged_nifti(file, text("it has ", rank, " dimensions"));
  ArrayHeader header;
  header.name = name;
  header.file = file;
  header.type = type_of(head.type(), file);
  double bytes = size_of(header.type);
  for (size_t d = static_cast<size_t>(rank); d >= 1; --d) {
    const int64_t size = head.size(d);
    if (size < 1) damaged_nifti(file, text("its dimension ", d, " has the size ", size));
    if (d > names.size() && size > 1) refuse("nifti", file, " has more than 5 dimensions: cut it");
    bytes *= static_cast<double>(size);
    if (d > names.size() || (d > 3 && size == 1 && header.shape.empty())) continue;
    header.dimensions.emplace_back(names[d - 1]);
    header.shape.push_back(size);
  }
  constexpr double most = 1e13, longest_head = 1 << 28;
  if (!(bytes < most) || !(head.offset() >= 0 && head.offset() < longest_head))
    damaged_nifti(file, "its header asks for more bytes than a file can have");
  // A slope of 0, or that is no number, means that the values are as stored.
  if (std::isfinite(head.slope()) && head.slope() != 0 && std::isfinite(head.intercept())) {
    header.packing.scale = head.slope();
    header.packing.offset = head.intercept();
  }
  return header;
}

// The places of voxels along each axis of space, from 0 on.
void add_places(const NiftiHead& head, const ArrayHeader& header, Dataset& data) {
  for (size_t d = 1; d <= 3; ++d) {
    const std::string name = std::string(1, "xyz"[d - 1]);
    if (std::find(header.dimensions.begin(), header.dimensions.end(), name) == header.dimensions.end())
      continue;
    add_axis(data, name, {{"units", unit_of(head.units())}},
             even_places(head.size(d), 0, std::abs(head.spacing(d))));
  }
}

bool is_packed(const std::string& file) {
  std::array<std::byte, 2> start{};
  if (file_size(file).value_or(0) < start.size()) damaged_nifti(file, "it is empty");
  read_range(file, 0, start);
  return start[0] == std::byte{0x1f} && start[1] == std::byte{0x8b};
}

}  // namespace

bool is_nifti_name(const std::string& name) { return name.ends_with(".nii") || name.ends_with(".nii.gz"); }

Dataset open_nifti(const std::string& file, const std::string& name,
                   const std::shared_ptr<ChunkCache>& cache) {
  const bool packed = is_packed(file);
  const NiftiHead head(file);
  ArrayHeader header = header_of(head, name, file);
  const auto offset = static_cast<size_t>(head.offset());
  Dataset data;
  data.path = file;
  data.container = "NIfTI";
  add_places(head, header, data);
  if (packed) {
    data.arrays.push_back(std::make_unique<PackedNifti>(header, offset, head.swapped(), cache));
    return data;
  }
  const size_t bytes = bytes_of(header), there = file_size(file).value_or(0);
  if (there < offset + bytes)
    damaged_nifti(file, text("it has ", there, " bytes, its header asks for ", offset + bytes));
  data.arrays.push_back(open_flat_array(std::move(header), file, offset, head.swapped()));
  return data;
}

}  // namespace graticule
